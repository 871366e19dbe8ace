"""Who a request comes from: bearer tokens verified here, API keys exchanged at auth, both forgotten when revoked."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.message import DecodeError

from quantmesh.api.auth.v1.auth_pb2 import ExchangeApiKeyRequest
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub
from quantmesh.api.auth.v1.events_pb2 import CredentialRevoked
from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import Unauthenticated
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

SUBJECT = "qm.auth.credential.revoked"
# Where auth marks ended sessions and revoked keys in Redis, for as long as one of their tokens may live.
ENDED_SESSIONS = "auth:revoked"
MAXIMUM_KEY_LENGTH = 256
_KEY_MARK = "qmk_"
_SESSION_OF_KEY = "key:"
# An access token lives five minutes: what was revoked longer ago has expired by itself.
REVOKED_FOR = timedelta(minutes=6)
# Renewed while it still has this long to live, so that it does not expire on the way through the mesh.
_MARGIN_SECONDS = 10.0
# A revocation reaches every edge within this, also while the broker is away.
_LOOK_AGAIN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class _Exchanged:
    token: str
    api_key_id: str
    good_until: float


class Credentials:
    """`on_revoked` is told the session that has ended, so that its open connections end too."""

    def __init__(
        self, verifier: TokenVerifier, auth: Peer, ended_sessions: Cache, *, maximum_keys: int = 10_000
    ) -> None:
        self._verifier = verifier
        self._ended_sessions = ended_sessions
        self._looked_up: OrderedDict[str, float] = OrderedDict()
        self._auth = auth
        self._stub = AuthServiceStub(auth.channel)
        self._keys: OrderedDict[bytes, _Exchanged] = OrderedDict()
        self._maximum_keys = maximum_keys
        self._revoked: dict[str, float] = {}
        self.on_revoked: Callable[[str], None] = lambda _: None

    async def of_bearer(self, token: str) -> Caller:
        """Raises Unauthenticated; Unavailable where auth's keys cannot be had."""
        caller = await self._verifier.verify(token)
        # Services call each other, not the edge.
        if caller.is_service or self._is_revoked(caller.session_id) or await self._has_ended(caller.session_id):
            msg = "The access token is not valid."
            raise Unauthenticated(msg)
        return caller

    async def of_api_key(self, secret: str) -> Caller:
        digest = hashlib.blake2b(secret.encode("latin-1", "replace"), digest_size=16).digest()
        known = self._keys.get(digest)
        if known is None or known.good_until < time.monotonic():
            if not 0 < len(secret) <= MAXIMUM_KEY_LENGTH or not secret.isascii():
                msg = "The API key is not valid."
                raise Unauthenticated(msg)
            answer = await self._auth.call(self._stub.ExchangeApiKey, ExchangeApiKeyRequest(secret=secret))
            good_for = max(answer.expires_in - _MARGIN_SECONDS, 0.0)
            known = _Exchanged(answer.token, answer.api_key_id, time.monotonic() + good_for)
            self._keys[digest] = known
            self._keys.move_to_end(digest)
            while len(self._keys) > self._maximum_keys:
                self._keys.popitem(last=False)
        session_id = _session_of_key(known.api_key_id)
        if self._is_revoked(session_id) or await self._has_ended(session_id):
            msg = "The API key is not valid."
            raise Unauthenticated(msg)
        return await self._verifier.verify(known.token)

    def is_known_key(self, secret: str) -> bool:
        """Whether the key was exchanged before, so that nobody has to be asked."""
        return hashlib.blake2b(secret.encode("latin-1", "replace"), digest_size=16).digest() in self._keys

    async def of_text(self, text: str) -> Caller:
        """An API key or a token, told apart by the key's prefix."""
        return await (self.of_api_key(text) if is_api_key(text) else self.of_bearer(text))

    async def handle(self, envelope: EventEnvelope) -> None:
        """One revocation, as auth announced it."""
        try:
            message = CredentialRevoked.FromString(envelope.payload)
        except DecodeError:
            log.error("an event does not match its type", event_id=envelope.event_id, type=envelope.type)
            return
        now = time.monotonic()
        self._revoked = {name: until for name, until in self._revoked.items() if until > now}
        for name in (message.session_id, _session_of_key(message.api_key_id)):
            if name:
                self._revoked[name] = now + REVOKED_FOR.total_seconds()
                self._verifier.forget_session(name)
                self.on_revoked(name)
        self._keys = OrderedDict(
            (digest, known) for digest, known in self._keys.items() if known.api_key_id != message.api_key_id
        )

    async def _has_ended(self, session_id: str) -> bool:
        """What auth noted of a session or key, asked every few seconds; while Redis is away the broker still tells."""
        now = time.monotonic()
        if self._looked_up.get(session_id, 0.0) > now:
            return False
        if await self._ended_sessions.get(session_id) is not None:
            return True
        self._looked_up[session_id] = now + _LOOK_AGAIN_SECONDS
        self._looked_up.move_to_end(session_id)
        while len(self._looked_up) > self._maximum_keys:
            self._looked_up.popitem(last=False)
        return False

    def _is_revoked(self, name: str) -> bool:
        until = self._revoked.get(name)
        return until is not None and until > time.monotonic()


def is_api_key(text: str) -> bool:
    return text.startswith(_KEY_MARK)


def _session_of_key(api_key_id: str) -> str:
    """What auth writes as the session into the tokens of a key."""
    return f"{_SESSION_OF_KEY}{api_key_id}" if api_key_id else ""


def is_session_of_key(session_id: str) -> bool:
    return session_id.startswith(_SESSION_OF_KEY)
