"""One operation of the API: who may call it, what it takes, and how long it may last.

FastAPI describes the operation; the request itself is bound here. That saves two exit stacks, the
dependency solver and a second serialisation on every request, and refuses what FastAPI lets pass (duplicate keys,
NaN, unknown query parameters).
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, get_origin, get_type_hints

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import Receive, Scope, Send

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.errors import NotFound, PermissionDenied
from quantmesh.gateway.core.errors import InvalidRequest
from quantmesh.gateway.http.answer import Answer, StreamedAnswer
from quantmesh.gateway.http.call import DEFAULT_BODY_BYTES, Call, check, violations

Endpoint = Callable[..., Awaitable[Answer | StreamedAnswer]]
QueryT = TypeVar("QueryT", bound=BaseModel)
# All query parameters of an operation, as one model.
QueryOf = Annotated[QueryT, params.Query()]


@dataclass(frozen=True, slots=True)
class Policy:
    """`scope` None: public; "": any known caller; several are separated by a space.

    `raw` serves bodies of other media types, read by itself.
    """

    scope: str | None = ""
    idempotency: str = ""  # "", "optional" or "required"
    deadline_seconds: float = 5.0
    body_limit_bytes: int = DEFAULT_BODY_BYTES
    raw: Mapping[str, Endpoint] = field(default_factory=dict)
    field_root: str = "#"  # where a service's bare field names lie in the request


class Operation(APIRoute):
    """A route that binds, checks and runs by its policy."""

    def __init__(self, path: str, endpoint: Endpoint, policy: Policy, **description: Any) -> None:
        super().__init__(path, endpoint, **description)
        self.policy = policy
        self._scopes = frozenset((policy.scope or "").split())
        self._wants_call = False
        self._body: type[BaseModel] | None = None
        self._query: type[BaseModel] | None = None
        self._path: dict[str, TypeAdapter[Any]] = {}
        for name, hint in get_type_hints(endpoint, include_extras=True).items():
            self._learn(name, hint)

    def _learn(self, name: str, hint: Any) -> None:
        if name in self.param_convertors:
            self._path[name] = TypeAdapter(hint)
        elif get_origin(hint) is Annotated and any(isinstance(part, params.Query) for part in hint.__metadata__):
            self._query = hint.__origin__
        elif name == "body":
            self._body = hint
        elif name == "call":
            self._wants_call = True

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive, send)
        policy = self.policy
        edge = call.edge
        edge.route = self.path
        edge.field_root = policy.field_root
        if policy.scope is not None:
            granted = call.caller.scopes
            if not self._scopes <= granted:
                missing = " and ".join(sorted(self._scopes - granted))
                msg = f"The scope {missing} is needed here; this credential has {_listed(granted)}."
                raise PermissionDenied(msg)
        set_call(
            CallContext(
                request_id=edge.request_id,
                caller=edge.caller if policy.scope is not None else None,
                deadline=time.monotonic() + policy.deadline_seconds,
                idempotency_key=call.idempotency_key(required=policy.idempotency == "required")
                if policy.idempotency
                else "",
                traceparent=edge.traceparent,
            )
        )
        arguments = self._bind(call)
        raw = policy.raw.get(call.media_type) if policy.raw else None
        if raw is not None:
            answer = await raw(call, **arguments)
        else:
            if policy.raw and self._body is None:
                call.demand_media_type(tuple(policy.raw))
            if self._body is not None:
                arguments["body"] = check(self._body, await call.json(policy.body_limit_bytes))
            answer = await (self.endpoint(call, **arguments) if self._wants_call else self.endpoint(**arguments))
        await answer.send_to(scope, send)

    def _bind(self, call: Call) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, adapter in self._path.items():
            given = call.path_params[name]
            try:
                arguments[name] = adapter.validate_python(given)
            except ValidationError as error:
                # What cannot be a name of anything names nothing.
                msg = f"There is no {name} {given[:64]!r}: {error.errors(include_url=False)[0]['msg']}."
                raise NotFound(msg) from error
        if self._query is not None:
            arguments["query"] = _checked_query(self._query, call)
        elif call.scope["query_string"]:
            _checked_query(_NoQuery, call)
        return arguments


class _NoQuery(BaseModel, extra="forbid"):
    pass


def _checked_query(model: type[BaseModel], call: Call) -> BaseModel:
    """Parameters by name; one given twice is refused, and an empty one where its type takes no empty text."""
    given: dict[str, str] = {}
    for name, value in call.query_params.multi_items():
        if name in given:
            msg = f"The query parameter {name[:64]!r} is given twice."
            raise InvalidRequest.single(f"query/{name[:64]}", msg)
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise InvalidRequest(violations(error, "query", given)) from error


def _listed(scopes: frozenset[str]) -> str:
    return ", ".join(sorted(scopes)) or "none"
