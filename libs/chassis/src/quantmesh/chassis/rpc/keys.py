"""What every service asks of auth: the public keys of tokens, and a token of its own."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWK

from quantmesh.api.auth.v1.auth_pb2 import GetJwksRequest, IssueServiceTokenRequest
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub
from quantmesh.chassis.rpc.peer import Peer
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_RETRY_SECONDS = 1.0
# What a call may last that begins with the token, and what clocks may differ by.
_MARGIN_SECONDS = 10.0

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

    The last is done behind the callers, who go on with the keys they know, so that no valid token is refused while auth
    starts anew. Ten minutes after its last answer they are refused all the same: what auth signed before it fell silent
    has expired by then, since a token lives five minutes, and a key that it took back is not trusted for ever.
    A forged `kid` cannot be used to hammer auth: an unknown one is asked for once in `floor_seconds`.
    """

    def __init__(
        self,
        fetch: FetchJwks,
        *,
        refresh_seconds: float = 300.0,
        trusted_seconds: float = 600.0,
        floor_seconds: float = 2.0,
    ) -> None:
        self._fetch = fetch
        self._refresh_seconds = refresh_seconds
        self._trusted_seconds = trusted_seconds
        self._floor_seconds = floor_seconds
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._question = _Question(self._read, "the keys of tokens")

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """None where auth has no such key; raises what asking auth raises."""
        now = time.monotonic()
        age = now - self._fetched_at
        known = self._keys.get(kid)
        if known is not None and age < self._trusted_seconds:
            if age >= self._refresh_seconds and now - self._question.asked_at >= self._floor_seconds:
                self._question.ask()
            return known
        if known is None and age < self._floor_seconds:
            return None
        await asyncio.shield(self._question.ask())
        return self._keys.get(kid)

    async def _read(self) -> None:
        self._keys = parse_jwks(await self._fetch())
        self._fetched_at = time.monotonic()


class AuthKeys(JwksKeys):
    """The keys of the auth service, over gRPC."""

    def __init__(self, auth: Peer) -> None:
        stub = AuthServiceStub(auth.channel)

        async def fetch() -> str:
            return (await auth.call(stub.GetJwks, GetJwksRequest())).jwks

        super().__init__(fetch)


class ServiceTokens:
    """This service's own token, renewed a little before it expires."""

    def __init__(
        self, auth: Peer, service: str, secret: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._auth = auth
        self._stub = AuthServiceStub(auth.channel)
        self._request = IssueServiceTokenRequest(service=service, secret=secret)
        self._monotonic = monotonic
        self._token = ""
        self._renew_at = 0.0
        self._good_until = 0.0
        self._question = _Question(self._renew, "the service's own token")

    async def token(self) -> str:
        """The last one serves while it is good, and is renewed behind its callers: they wait for no silent auth."""
        now = self._monotonic()
        if now >= self._good_until:
            await asyncio.shield(self._question.ask())
        elif now >= self._renew_at:
            self._renew_at = now + _RETRY_SECONDS
            self._question.ask()
        return self._token

    async def _renew(self) -> None:
        answer = await self._auth.call(self._stub.IssueServiceToken, self._request)
        self._token = answer.token
        now = self._monotonic()
        self._renew_at = now + max(answer.expires_in - 30, answer.expires_in / 2)
        self._good_until = now + answer.expires_in - _MARGIN_SECONDS


class _Question:
    """Asked once for all who wait for its answer, with nobody's identity or deadline.

    An expired token must not keep its own key from being fetched, who happens to call decides nothing about the
    service's own token, and who leaves does not call it off for others.
    """

    def __init__(self, ask: Callable[[], Coroutine[None, None, None]], what: str) -> None:
        self._ask = ask
        self._what = what
        self.asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self.asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._ask(), context=Context())
            self._asking.add_done_callback(self._tell_failure)
        return self._asking

    def _tell_failure(self, asked: asyncio.Task[None]) -> None:
        """Of what was asked behind its callers nobody else hears."""
        if not asked.cancelled() and (error := asked.exception()) is not None:
            log.warning("auth cannot be asked", what=self._what, error=repr(error))
