"""Sessions in Redis: the live one for an hour, an ended one for as long as its last access token lives (AUTH-7)."""

from quantmesh.auth.core.model import ACCESS_TOKEN_LIFETIME, Session, User
from quantmesh.chassis.cache import Cache

_LIVE_SECONDS = 3600
_ENDED_SECONDS = ACCESS_TOKEN_LIFETIME.total_seconds() + 30


class SessionCache:
    """`auth:session:<id>` holds the user's id, `auth:revoked:<id>` marks an ended session for every edge to see."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def opened(self, session: Session, user: User) -> None:
        await self._cache.set(f"session:{session.id}", str(user.id).encode(), _LIVE_SECONDS)

    async def ended(self, session_id: str) -> None:
        """Of a revoked key too, whose tokens name it as their session."""
        await self._cache.delete(f"session:{session_id}")
        await self._cache.set(f"revoked:{session_id}", b"1", _ENDED_SECONDS)
