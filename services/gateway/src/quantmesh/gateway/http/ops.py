"""Outside /api/v2: health, readiness, metrics, the document and the pages that explain it."""

from collections.abc import Callable

import orjson
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from quantmesh.chassis.errors import NotFound
from quantmesh.gateway.core.conditional import content_tag
from quantmesh.gateway.http import pages
from quantmesh.gateway.http.answer import Answer
from quantmesh.gateway.http.catalogue import catalogue
from quantmesh.gateway.http.edge import edge_of

_TEXT = b"text/plain; charset=utf-8"
# What is not ready, by name.
Readiness = Callable[[], list[str]]


class Page:
    """A path for GET; `make` is given the path's parameters."""

    def __init__(self, path: str, make: Callable[[dict[str, str]], Answer]) -> None:
        self.path = path
        self.path_regex, _, _ = compile_path(path)
        self.methods = {"GET"}
        self._make = make

    async def serve(self, scope: Scope, _: Receive, send: Send) -> None:
        edge_of(scope).route = self.path
        await self._make(scope.get("path_params", {})).send_to(scope, send)


def pages_of(app: FastAPI, readiness: Readiness) -> list[Page]:
    def healthz(_: dict[str, str]) -> Answer:
        """Alive says nothing of any dependency, so that one that is down does not get the gateway restarted."""
        return Answer(b"alive\n", content_type=_TEXT)

    def readyz(_: dict[str, str]) -> Answer:
        waiting = readiness()
        if waiting:
            return Answer(f"waiting for {', '.join(waiting)}\n".encode(), status=503, content_type=_TEXT)
        return Answer(b"ready\n", content_type=_TEXT)

    def metrics(_: dict[str, str]) -> Answer:
        return Answer(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST.encode())

    def openapi(_: dict[str, str]) -> Answer:
        body = orjson.dumps(app.openapi())
        return Answer(body, tag=content_tag(body))

    def docs(_: dict[str, str]) -> Answer:
        return pages.reference(app.openapi())

    def problems(_: dict[str, str]) -> Answer:
        return pages.problems()

    def problem(parameters: dict[str, str]) -> Answer:
        item = catalogue().get(parameters["slug"])
        if item is None:
            msg = f"There is no problem type {parameters['slug'][:64]!r}."
            raise NotFound(msg)
        return pages.problem(item)

    table: dict[str, Callable[[dict[str, str]], Answer]] = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/openapi.json": openapi,
        "/docs": docs,
        "/problems": problems,
        "/problems/{slug}": problem,
    }
    return [Page(path, make) for path, make in table.items()]
