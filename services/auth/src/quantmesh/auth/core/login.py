"""Login: an e-mail and a password for a session (AUTH-1, AUTH-2)."""

from datetime import datetime
from uuid import UUID

from quantmesh.auth.core.errors import InvalidEmail, WrongCredentials
from quantmesh.auth.core.model import SESSION_LIFETIME, Credentials, Session, User
from quantmesh.auth.core.passwords import MAXIMUM_LENGTH
from quantmesh.auth.core.ports import PasswordHasher
from quantmesh.auth.core.register import normalized_email

_CLIENT_TEXT_LIMIT = 200


def login_name(email: str) -> str:
    """As registered; what could never be an account is simply an unknown one."""
    try:
        return normalized_email(email)
    except InvalidEmail:
        return ""


async def check_credentials(
    found: Credentials | None, password: str, hasher: PasswordHasher, decoy_hash: str
) -> Credentials:
    """Those found; raises WrongCredentials after the same work, whether the account exists or not."""
    usable = password if len(password) <= MAXIMUM_LENGTH else ""
    right = await hasher.verify(found.password_hash if found else decoy_hash, usable)
    if found is None or not right:
        raise WrongCredentials
    return found


def new_session(session_id: UUID, user: User, user_agent: str, ip_address: str, now: datetime) -> Session:
    return Session(
        id=session_id,
        owner_id=user.id,
        user_agent=_printable(user_agent),
        ip_address=_printable(ip_address),
        created_at=now,
        last_used_at=now,
        expires_at=now + SESSION_LIFETIME,
    )


def _printable(text: str) -> str:
    return "".join(character for character in text[:_CLIENT_TEXT_LIMIT] if character.isprintable())
