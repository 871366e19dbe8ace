"""Refresh: a token for its successor, once (AUTH-1; RFC 9700, 4.14)."""

from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from quantmesh.auth.core.errors import InvalidRefreshToken
from quantmesh.auth.core.model import REUSE_GRACE, RefreshToken, Session
from quantmesh.auth.core.ports import Sessions
from quantmesh.auth.core.secrets import hash_of, successor_of


class Verdict(Enum):
    ROTATE = auto()
    SAME_SUCCESSOR = auto()
    REUSED = auto()


def judge(token: RefreshToken, now: datetime) -> Verdict:
    """Raises InvalidRefreshToken for a session that is over."""
    if token.session_revoked or token.session.expires_at <= now:
        raise InvalidRefreshToken
    if token.used_at is None:
        return Verdict.ROTATE
    if now - token.used_at <= REUSE_GRACE and not token.successor_used:
        return Verdict.SAME_SUCCESSOR
    return Verdict.REUSED


async def refresh(sessions: Sessions, refresh_token: str, key: bytes, now: datetime) -> tuple[Session, str] | None:
    """The session and the successor token; None where the token was reused, and so the session revoked.

    The caller raises RefreshTokenReused only after the commit: raising inside would undo the revocation.
    """
    token_hash = hash_of(refresh_token)
    token = await sessions.lock_refresh_token(token_hash)
    if token is None:
        raise InvalidRefreshToken
    successor = successor_of(refresh_token, key)
    session = replace(token.session, last_used_at=now)
    verdict = judge(token, now)
    if verdict is Verdict.REUSED:
        await sessions.revoke_session(session.id, now)
        return None
    if verdict is Verdict.ROTATE:
        await sessions.rotate(token_hash, hash_of(successor), session, now)
    return session, successor
