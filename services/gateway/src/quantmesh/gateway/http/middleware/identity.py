"""Who asks, by bearer token or API key. A bad credential is remembered, and refused by the paths that need one."""

from starlette.types import ASGIApp, Receive, Scope, Send

from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import QuantmeshError, Unauthenticated
from quantmesh.gateway.adapters.credentials import Credentials
from quantmesh.gateway.core.errors import RateLimited
from quantmesh.gateway.http.edge import Edge, edge_of
from quantmesh.gateway.http.middleware.limits import Limits


class Identity:
    def __init__(self, app: ASGIApp, credentials: Credentials, limits: Limits) -> None:
        self._app = app
        self._credentials = credentials
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            edge = edge_of(scope)
            try:
                edge.caller = await self._caller(edge)
            except RateLimited:
                raise
            except QuantmeshError as error:
                edge.refusal = error
        await self._app(scope, receive, send)

    async def _caller(self, edge: Edge) -> Caller | None:
        authorization = edge.header(b"authorization")
        if authorization:
            kind, _, token = authorization.partition(" ")
            if kind.lower() != "bearer" or not token:
                msg = "Authorization must be Bearer, then the access token."
                raise Unauthenticated(msg)
            return await self._credentials.of_bearer(token.strip())
        secret = edge.header(b"x-api-key")
        if secret:
            if not self._credentials.is_known_key(secret):
                # Guessing keys must not become a way to load auth.
                await self._limits.charge_stranger(edge)
            return await self._credentials.of_api_key(secret)
        return None
