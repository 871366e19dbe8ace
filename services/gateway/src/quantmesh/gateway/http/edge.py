"""What the edge knows of one request, gathered once by the middleware and read by everything behind it."""

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.ids import uuid7

Header = tuple[bytes, bytes]
KEY = "quantmesh.edge"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
# Who someone is comes from a verified token alone, never from a header that anyone can write.
_IDENTITY_HEADERS = (b"x-owner-id", b"x-user-id", b"x-tenant-id", b"x-roles", b"x-scopes", b"x-forwarded-user")


@dataclass(slots=True)
class Edge:
    """`refusal` holds why a credential was not accepted; only a path that needs one raises it.

    `has_begun`: something of the answer is out.
    """

    headers: dict[bytes, bytes]
    request_id: str
    address: str
    traceparent: str = ""
    caller: Caller | None = None
    refusal: QuantmeshError | None = None
    route: str = ""
    field_root: str = "#"
    has_begun: bool = False
    answer_headers: list[Header] = field(default_factory=list)

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> "Edge":
        headers = kept_headers(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else uuid7().hex
        client = scope.get("client")
        return cls(headers=headers, request_id=request_id, address=client[0] if client else "local")

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


def kept_headers(headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Those of one name are one list (RFC 9110, 5.3): of two keys or two tokens none is passed over."""
    kept = dict(headers)
    if len(kept) < len(headers):
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name, []).append(value)
        kept = {name: b", ".join(given) for name, given in values.items()}
    for name in _IDENTITY_HEADERS:
        kept.pop(name, None)
    return kept


def edge_of(scope: Any) -> Edge:
    edge: Edge = scope[KEY]
    return edge
