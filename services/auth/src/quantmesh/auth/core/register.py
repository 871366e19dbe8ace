"""Register: a new account (AUTH-1)."""

from datetime import datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from quantmesh.auth.core.errors import EmailTaken, InvalidEmail, InvalidName
from quantmesh.auth.core.model import DEFAULT_ROLE, DEFAULT_TIER, User
from quantmesh.auth.core.passwords import check_password
from quantmesh.auth.core.ports import Users

_NAME_LIMIT = 200
_EMAIL_LIMIT = 254


def normalized_email(email: str) -> str:
    """The address under which the account is found again; raises InvalidEmail."""
    if len(email) > _EMAIL_LIMIT:
        raise InvalidEmail(f"it has {len(email)} characters, at most {_EMAIL_LIMIT} are possible.")
    try:
        # Reserved domains are accepted: whether mail arrives is not decided here.
        checked = validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidEmail(str(error)) from error
    return checked.normalized.lower()


def checked_name(field: str, name: str, limit: int = _NAME_LIMIT) -> str:
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= limit or not trimmed.isprintable():
        raise InvalidName(field, len(trimmed), limit)
    return trimmed


def new_user(user_id: UUID, email: str, password: str, full_name: str, now: datetime) -> User:
    """The account as it will be kept; raises on anything that would not be accepted."""
    address = normalized_email(email)
    name = checked_name("full_name", full_name)
    check_password(password, email=address, full_name=name)
    return User(user_id, address, name, frozenset({DEFAULT_ROLE}), DEFAULT_TIER, now)


async def register(users: Users, user: User, password_hash: str) -> User:
    """Raises EmailTaken."""
    if not await users.add_user(user, password_hash):
        raise EmailTaken(user.email)
    return user
