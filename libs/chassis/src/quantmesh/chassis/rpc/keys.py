"""What every service asks of auth: the public keys of tokens, and a token of its own."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWK

from quantmesh.api.auth.v1.auth_pb2 import GetJwksRequest, IssueServiceTokenRequest
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub
from quantmesh.chassis.rpc.peer import Peer

Answer = TypeVar("Answer")
FetchJwks = Callable[[], Awaitable[str]]


def parse_jwks(document: str) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 signing keys of a JWKS (RFC 7517, RFC 8037) by `kid`; anything else in it is passed over."""
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in json.loads(document)["keys"]:
        if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519" and entry.get("kid"):
            key = PyJWK(entry, algorithm="EdDSA").key
            if isinstance(key, Ed25519PublicKey):
                keys[entry["kid"]] = key
    return keys


class JwksKeys:
    """Public keys as auth publishes them: fetched on first use, again on an unknown `kid`, and every five minutes.

    A forged `kid` cannot be used to hammer auth: an unknown one is asked for once in `floor_seconds`.
    """

    def __init__(self, fetch: FetchJwks, *, refresh_seconds: float = 300.0, floor_seconds: float = 2.0) -> None:
        self._fetch = fetch
        self._refresh_seconds = refresh_seconds
        self._floor_seconds = floor_seconds
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        age = time.monotonic() - self._fetched_at
        known = self._keys.get(kid)
        if (known is not None and age < self._refresh_seconds) or (known is None and age < self._floor_seconds):
            return known
        async with self._lock:
            if time.monotonic() - self._fetched_at >= self._floor_seconds:
                self._keys = parse_jwks(await self._fetch())
                self._fetched_at = time.monotonic()
        return self._keys.get(kid)


class AuthKeys(JwksKeys):
    """The keys of the auth service, over gRPC."""

    def __init__(self, auth: Peer) -> None:
        stub = AuthServiceStub(auth.channel)

        async def fetch() -> str:
            return (await _outside_call(lambda: auth.call(stub.GetJwks, GetJwksRequest()))).jwks

        super().__init__(fetch)


class ServiceTokens:
    """This service's own token, renewed a little before it expires."""

    def __init__(self, auth: Peer, service: str, secret: str) -> None:
        self._auth = auth
        self._stub = AuthServiceStub(auth.channel)
        self._request = IssueServiceTokenRequest(service=service, secret=secret)
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        async with self._lock:
            if time.monotonic() >= self._renew_at:
                answer = await _outside_call(lambda: self._auth.call(self._stub.IssueServiceToken, self._request))
                self._token = answer.token
                self._renew_at = time.monotonic() + max(answer.expires_in - 30, answer.expires_in / 2)
            return self._token


async def _outside_call(ask: Callable[[], Coroutine[None, None, Answer]]) -> Answer:
    """Ask without the current caller's identity: an expired token must not keep its own key from being fetched."""
    return await asyncio.create_task(ask(), context=Context())
