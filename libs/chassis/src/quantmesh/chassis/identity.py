"""Who calls: access rules on methods, and the verification of EdDSA access tokens (AUTH-1, AUTH-5)."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from quantmesh.chassis.context import Caller, current_caller
from quantmesh.chassis.errors import PermissionDenied, Unauthenticated

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "TOKEN_TYPE",
    "Access",
    "Caller",
    "KeySource",
    "TokenVerifier",
    "access_of",
    "current_caller",
    "public",
    "requires",
    "service_only",
]

ISSUER = "quantmesh-auth"
AUDIENCE = "quantmesh"
TOKEN_TYPE = "at+jwt"  # noqa: S105  the media type of RFC 9068, no secret
MAXIMUM_TOKEN_LENGTH = 4096
# By so much our clock may be behind the one that auth signs by.
_CLOCK_DIFFERENCE_SECONDS = 10.0

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a method asks of its caller; `scope` empty: any known caller."""

    public: bool = False
    scope: str = ""
    service_only: bool = False

    def check(self, caller: Caller) -> None:
        if self.service_only and not caller.is_service:
            msg = "Only a service of the mesh may call this."
            raise PermissionDenied(msg)
        if self.scope and self.scope not in caller.scopes and not caller.is_service:
            msg = f"The scope {self.scope} is needed; this token has {', '.join(sorted(caller.scopes)) or 'none'}."
            raise PermissionDenied(msg, metadata={"required_scope": self.scope})


def _declare(access: Access) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        method.__access__ = access  # type: ignore[attr-defined]  # read again by access_of
        return method

    return mark


def requires(scope: str) -> Callable[[Method], Method]:
    """The caller needs this scope (any verified caller where it is empty)."""
    return _declare(Access(scope=scope))


def public(method: Method) -> Method:
    """Callable without a token."""
    return _declare(Access(public=True))(method)


def service_only(method: Method) -> Method:
    """Callable with a service token alone."""
    return _declare(Access(service_only=True))(method)


def access_of(method: object) -> Access | None:
    """What was declared on a method; None where nothing was, which the server refuses."""
    return getattr(method, "__access__", None)


class KeySource(Protocol):
    """Where public keys come from: auth's JWKS, or auth's own table."""

    async def key(self, kid: str) -> Ed25519PublicKey | None: ...


class TokenVerifier:
    """Verifies access tokens, and remembers a verified one five seconds at most: verifying costs 0.1 ms."""

    def __init__(self, keys: KeySource, *, cache_seconds: float = 5.0, cache_size: int = 10_000) -> None:
        self._keys = keys
        self._cache_seconds = min(cache_seconds, 5.0)
        self._cache_size = cache_size
        self._cache: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def verify(self, token: str, *, owner_id: str = "") -> Caller:
        """The caller behind `token`; `owner_id` (metadata x-owner-id) counts for service tokens alone.

        Raises Unauthenticated with one same sentence per cause, never with the token in it.
        """
        if not token or len(token) > MAXIMUM_TOKEN_LENGTH:
            msg = "The bearer token is missing or too long."
            raise Unauthenticated(msg)
        digest = hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=16).digest()
        now = time.time()
        cached = self._cache.get(digest)
        if cached is not None and cached[0] > now and cached[1].expires_at > now:
            caller = cached[1]
        else:
            caller = await self._decode(token)
            self._cache[digest] = (now + self._cache_seconds, caller)
            self._cache.move_to_end(digest)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        if caller.is_service and owner_id:
            return replace(caller, owner_id=_uuid(owner_id))
        return caller

    def forget_session(self, session_id: str) -> None:
        """Drop what is cached of a revoked session, ahead of the five seconds."""
        stale = [digest for digest, (_, caller) in self._cache.items() if caller.session_id == session_id]
        for digest in stale:
            del self._cache[digest]

    async def _decode(self, token: str) -> Caller:
        try:
            header = jwt.get_unverified_header(token)
            # An embedded key or key address would let the sender choose what we verify with.
            if (
                header.get("alg") != "EdDSA"
                or header.get("typ") != TOKEN_TYPE
                or {"jwk", "jku", "x5u", "crit"} & set(header)
            ):
                raise jwt.InvalidTokenError
            kid = header.get("kid")
            key = await self._keys.key(kid) if isinstance(kid, str) and kid else None
            if key is None:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=0,
                # Of `iat` it would bear no difference of clocks: what was signed just now would be refused.
                options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_iat": False},
            )
            return _caller(claims, token)
        except jwt.ExpiredSignatureError as error:
            msg = "The access token has expired; refresh it."
            raise Unauthenticated(msg, metadata={"cause": "expired"}) from error
        except (jwt.InvalidTokenError, ValueError, TypeError, UnicodeError) as error:
            msg = "The access token is not valid."
            raise Unauthenticated(msg) from error


def _caller(claims: dict[str, Any], token: str) -> Caller:
    subject = claims["sub"]
    scope, roles, tier, session = (claims.get(name, "") for name in ("scope", "roles", "tier", "sid"))
    if not (isinstance(subject, str) and isinstance(scope, str) and isinstance(tier, str) and isinstance(session, str)):
        raise jwt.InvalidTokenError
    if not isinstance(claims["aud"], str) or (roles and not isinstance(roles, list)):
        raise jwt.InvalidTokenError
    if float(claims["iat"]) > time.time() + _CLOCK_DIFFERENCE_SECONDS:
        raise jwt.ImmatureSignatureError
    return Caller(
        subject=subject,
        scopes=frozenset(scope.split()),
        roles=frozenset(str(role) for role in roles),
        tier=tier,
        session_id=session,
        token=token,
        expires_at=float(claims["exp"]),
        owner_id=None if subject.startswith("svc:") else UUID(subject),
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        msg = "x-owner-id is not a UUID."
        raise Unauthenticated(msg) from error
