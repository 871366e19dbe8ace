"""What the use cases need of the world."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from quantmesh.auth.core.model import ApiKey, Credentials, Grant, KycDecision, RefreshToken, Session, User


class Users(Protocol):
    """Accounts, inside one transaction."""

    async def add_user(self, user: User, password_hash: str) -> bool:
        """False where the e-mail is taken."""
        ...

    async def find_credentials(self, email: str) -> Credentials | None: ...
    async def find_user(self, user_id: UUID) -> User | None: ...
    async def replace_password_hash(self, user_id: UUID, former_hash: str, password_hash: str) -> None:
        """Where it is still the former one."""
        ...


class Sessions(Protocol):
    """Sessions and their refresh tokens, inside one transaction."""

    async def add_session(self, session: Session, token_hash: bytes, password_hash: str) -> bool:
        """False where the account's password hash is another by now; it stays this one until the transaction ends."""
        ...

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        """The token with its session, locked until the transaction ends."""
        ...

    async def rotate(self, token_hash: bytes, successor_hash: bytes, session: Session, now: datetime) -> None: ...
    async def revoke_session(self, session_id: UUID, now: datetime) -> bool: ...
    async def list_sessions(self, before: UUID | None, limit: int, now: datetime) -> list[Session]:
        """Those that are not over, the latest first."""
        ...


class ApiKeys(Protocol):
    """API keys, inside one transaction."""

    async def add_api_key(self, key: ApiKey, key_hash: bytes) -> None: ...
    async def find_api_key(self, key_hash: bytes) -> ApiKey | None: ...
    async def touch_api_key(self, key_id: UUID, now: datetime) -> None: ...
    async def revoke_api_key(self, key_id: UUID, now: datetime) -> bool: ...
    async def list_api_keys(self, after: UUID | None, limit: int) -> list[ApiKey]: ...


class KycDecisions(Protocol):
    """Decisions on who is known, inside one transaction."""

    async def latest_kyc(self, user_id: UUID) -> KycDecision | None: ...
    async def add_kyc(self, decision: KycDecision) -> None:
        """Raises KycDecidedMeanwhile where the user has a decision of this version."""
        ...


class PasswordHasher(Protocol):
    async def hash(self, password: str) -> str: ...
    async def verify(self, password_hash: str, password: str) -> bool: ...
    def is_outdated(self, password_hash: str) -> bool: ...


class Signer(Protocol):
    """Makes access tokens; `sign` gives the token and its lifetime in seconds."""

    def sign(self, grant: Grant, now: datetime) -> tuple[str, int]: ...


class Throttle(Protocol):
    """Counts failed attempts."""

    def attempt(self, account: str, address: str) -> AbstractAsyncContextManager[None]:
        """Around one look at a password. Raises TooManyLogins before it where too many have failed.

        What raises in it has failed, except Unavailable: nobody looked then. Otherwise the failures of this address at
        this account are forgotten, and what others fail at it elsewhere counts here no more.
        """
        ...
