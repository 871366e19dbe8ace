"""Puts the edge together: the operations, their document, and the layers that every request passes."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from quantmesh.gateway.adapters.credentials import Credentials
from quantmesh.gateway.http import ops
from quantmesh.gateway.http.dispatch import Dispatch, Servant
from quantmesh.gateway.http.middleware.compression import Compression
from quantmesh.gateway.http.middleware.envelope import Envelope
from quantmesh.gateway.http.middleware.identity import Identity
from quantmesh.gateway.http.middleware.limits import Limits, RateLimiting
from quantmesh.gateway.http.middleware.problems import Problems
from quantmesh.gateway.http.models.base import Problem
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.stream.server import StreamServer

STREAM_PATH = "/api/v2/stream"
_DESCRIPTION = """Portfolios, option prices, risk, forecasts and on-chain proofs.

Money and quantities are decimal strings, model numbers are JSON numbers; rates, yields and volatilities are
fractions per year, times are RFC 3339 in UTC. Errors are problems (RFC 9457). Lists are pages: follow next_cursor.
Enumerations may grow: what this release has no name for yet is shown as unknown.

Send Authorization: Bearer with the access token of /api/v2/auth/login, or X-Api-Key. The WebSocket at
/api/v2/stream carries quotes, the account's log, jobs and forecasts."""


class Api(FastAPI):
    """Describes the operations; requests are found and bound without it."""

    def __init__(self, operations: Sequence[Operations]) -> None:
        super().__init__(
            title="quantmesh",
            version=version("quantmesh-gateway"),
            description=_DESCRIPTION,
        )
        for group in operations:
            self.router.routes.extend(group.routes)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _allow_empty(document)
            components = document.setdefault("components", {})
            components.setdefault("schemas", {}).update(_schema_of_problem())
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            }
            self.openapi_schema = document
        return self.openapi_schema


def _allow_empty(document: dict[str, Any]) -> None:
    """A query parameter whose text is empty where it is absent may be there without a value too; no other may."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query" and parameter["schema"].get("default") == "":
                    parameter["allowEmptyValue"] = True


def _schema_of_problem() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    definitions: dict[str, Any] = schema.pop("$defs", {})
    return {**definitions, "Problem": schema}


def build(
    operations: Sequence[Operations],
    *,
    stream: StreamServer,
    credentials: Credentials,
    limits: Limits,
    readiness: ops.Readiness,
) -> ASGIApp:
    """`operations` in the order in which they are looked through: the busiest first."""
    api = Api(operations)
    servants: list[Servant] = [route for group in operations for route in group.routes]
    servants += ops.pages_of(api, readiness)
    app: ASGIApp = Dispatch(servants, {STREAM_PATH: stream})
    app = RateLimiting(app, limits)
    app = Identity(app, credentials, limits)
    app = Compression(app)
    app = Problems(app)
    return Envelope(app)
