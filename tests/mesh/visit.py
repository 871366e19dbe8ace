"""Clients of the library that keep which operations of the API's document answered them."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from quantmesh.client import Client, Problem
from quantmesh.client.transport import ModelT, Transport
from quantmesh.local.testing.mesh import Mesh

T = TypeVar("T")


class Visit:
    """Clients of a mesh that keep which operations answered them."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.document: dict[str, Any] = httpx.get(f"{mesh.url}/openapi.json").json()
        self.reached: set[str] = set()
        self._paths = {re.compile(re.sub(r"{\w+}", "[^/]+", path)): path for path in self.document["paths"]}

    @contextmanager
    def client(self) -> Iterator[Client]:
        with httpx.Client(timeout=30.0, event_hooks={"response": [self._note]}) as http:
            yield Client(self.mesh.url, http=http)

    def operations(self, tag: str) -> set[str]:
        every = (each for methods in self.document["paths"].values() for each in methods.values())
        found = {operation["operationId"] for operation in every if tag in operation["tags"]}
        assert found, tag
        return found

    def _note(self, response: httpx.Response) -> None:
        if response.is_success:
            given = response.request.url.path
            found = (path for pattern, path in self._paths.items() if pattern.fullmatch(given))
            path = min(found, key=lambda path: path.count("{"))
            self.reached.add(self.document["paths"][path][response.request.method.lower()]["operationId"])


def strictly(self: Transport, answer: type[ModelT], content: bytes | Mapping[str, object] | None) -> ModelT:
    """What the library has no field for is a gap in it."""
    if isinstance(content, bytes):
        return answer.model_validate_json(content, extra="forbid")
    return answer.model_validate(content, extra="forbid")


def within(seconds: float, ask: Callable[[], T], holds: Callable[[T], bool] = bool) -> T:
    """The first answer that holds; what is not there yet may still come."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            if holds(answer):
                return answer
        except Problem as problem:
            if problem.status != 404 or time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(0.2)
