"""Finds the operation of a request: whole paths by one look-up, templates in order, busiest resources first."""

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from quantmesh.gateway.core.errors import MethodNotAllowed, NoSuchPath


class Servant(Protocol):
    """What serves one method of one path; `path_regex` has a named group per parameter."""

    path: str
    path_regex: re.Pattern[str]

    @property
    def methods(self) -> set[str] | None: ...

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Dispatch:
    def __init__(self, servants: Sequence[Servant], streams: Mapping[str, ASGIApp]) -> None:
        self._streams = streams
        self._whole: dict[str, dict[str, Servant]] = {}
        self._templates: dict[re.Pattern[str], dict[str, Servant]] = {}
        for servant in servants:
            by_method = (
                self._templates.setdefault(servant.path_regex, {})
                if "{" in servant.path
                else self._whole.setdefault(servant.path, {})
            )
            by_method.update(dict.fromkeys(servant.methods or (), servant))
            if "GET" in by_method:
                # The same answer, of which uvicorn sends the head alone.
                by_method["HEAD"] = by_method["GET"]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path: str = scope["path"]
        if b"%2f" in scope["raw_path"].lower():
            # Within a part of a path it is no separator (RFC 3986, 2.2), or else whoever encodes an id that he was
            # given would ask for something else; and nothing has a name with a slash.
            raise NoSuchPath(path[:256])
        if scope["type"] == "websocket":
            stream = self._streams.get(path)
            if stream is None:
                raise NoSuchPath(path[:256])
            return stream(scope, receive, send)
        by_method = self._whole.get(path)
        if by_method is None:
            by_method = self._match(path, scope)
        servant = by_method.get(scope["method"])
        if servant is None:
            raise MethodNotAllowed(scope["method"], sorted(by_method))
        return servant.serve(scope, receive, send)

    def _match(self, path: str, scope: Scope) -> dict[str, Servant]:
        for pattern, by_method in self._templates.items():
            found = pattern.fullmatch(path)
            if found is not None:
                scope["path_params"] = found.groupdict()
                return by_method
        raise NoSuchPath(path[:256])
