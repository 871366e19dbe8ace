"""All of auth's SQL, on one open transaction."""

from datetime import datetime
from uuid import UUID

from quantmesh.auth.core.model import ApiKey, Credentials, RefreshToken, Session, User
from quantmesh.chassis import sql
from quantmesh.chassis.sql import Row, text

_ADD_USER = text(
    "INSERT INTO user_account (id, email, full_name, password_hash, roles, tier, created_at)"
    " VALUES (:id, :email, :full_name, :password_hash, :roles, :tier, :created_at)"
    " ON CONFLICT (email) DO NOTHING RETURNING id"
)
_FIND_USER = text("SELECT * FROM user_account WHERE id = :id")
_FIND_CREDENTIALS = text("SELECT * FROM user_account WHERE email = :email")
_SET_PASSWORD = text("UPDATE user_account SET password_hash = :password_hash WHERE id = :id")
_REPLACE_PASSWORD = text(
    "UPDATE user_account SET password_hash = :password_hash WHERE id = :id AND password_hash = :former_hash"
)
_SET_ROLES = text("UPDATE user_account SET roles = :roles WHERE email = :email")

# Whoever changes the password meanwhile waits, and then finds this session among those to be ended.
_ADD_SESSION = text(
    "INSERT INTO session (id, owner_id, user_agent, ip_address, created_at, last_used_at, expires_at)"
    " SELECT :id, id, :user_agent, :ip_address, :created_at, :last_used_at, :expires_at FROM user_account"
    " WHERE id = :owner_id AND password_hash = :password_hash FOR SHARE RETURNING id"
)
_ADD_REFRESH = text(
    "INSERT INTO refresh_token (token_hash, session_id, owner_id, created_at)"
    " VALUES (:token_hash, :session_id, :owner_id, :created_at)"
)
_LOCK_REFRESH = text(
    """
    SELECT session.*, token.used_at, coalesce(successor.used_at IS NOT NULL, false) AS successor_used
    FROM refresh_token AS token
    JOIN session ON session.id = token.session_id
    LEFT JOIN refresh_token AS successor ON successor.token_hash = token.successor_hash
    WHERE token.token_hash = :token_hash
    FOR UPDATE OF session
    """
)
_USE_REFRESH = text(
    "UPDATE refresh_token SET used_at = :now, successor_hash = :successor_hash WHERE token_hash = :token_hash"
)
_TOUCH_SESSION = text("UPDATE session SET last_used_at = :now WHERE id = :id")
_REVOKE_SESSION = text("UPDATE session SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id")
_REVOKE_SESSIONS = text(
    "UPDATE session SET revoked_at = :now WHERE owner_id = :owner_id AND revoked_at IS NULL RETURNING id"
)
_HOLD_SESSION = text("SELECT id FROM session WHERE id = :id AND revoked_at IS NULL FOR SHARE")
_LIST_SESSIONS = text(
    "SELECT * FROM session WHERE revoked_at IS NULL AND expires_at > :now"
    " AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)) ORDER BY id DESC LIMIT :limit"
)

_ADD_KEY = text(
    "INSERT INTO api_key (id, owner_id, name, prefix, key_hash, scopes, created_at, expires_at)"
    " VALUES (:id, :owner_id, :name, :prefix, :key_hash, :scopes, :created_at, :expires_at)"
)
_FIND_KEY = text("SELECT * FROM api_key WHERE key_hash = :key_hash AND revoked_at IS NULL")
_TOUCH_KEY = text("UPDATE api_key SET last_used_at = :now WHERE id = :id")
_REVOKE_KEY = text("UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id")
_HOLD_KEY = text("SELECT id FROM api_key WHERE id = :id AND revoked_at IS NULL FOR SHARE")
_REVOKE_KEYS = text(
    "UPDATE api_key SET revoked_at = :now WHERE owner_id = :owner_id AND revoked_at IS NULL RETURNING id"
)
_LIST_KEYS = text(
    "SELECT * FROM api_key WHERE revoked_at IS NULL AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))"
    " ORDER BY id LIMIT :limit"
)


class Store:
    """Users, Sessions and ApiKeys of the core's ports."""

    def __init__(self, session: sql.Session) -> None:
        self._session = session

    async def add_user(self, user: User, password_hash: str) -> bool:
        values = {
            "id": user.id,
            "email": user.email,
            "full_name": user.full_name,
            "password_hash": password_hash,
            "roles": sorted(user.roles),
            "tier": user.tier,
            "created_at": user.created_at,
        }
        return await self._session.scalar(_ADD_USER, values) is not None

    async def find_user(self, user_id: UUID) -> User | None:
        row = (await self._session.execute(_FIND_USER, {"id": user_id})).one_or_none()
        return None if row is None else _user(row)

    async def find_credentials(self, email: str) -> Credentials | None:
        row = (await self._session.execute(_FIND_CREDENTIALS, {"email": email})).one_or_none()
        return None if row is None else Credentials(_user(row), row.password_hash)

    async def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        await self._session.execute(_SET_PASSWORD, {"id": user_id, "password_hash": password_hash})

    async def replace_password_hash(self, user_id: UUID, former_hash: str, password_hash: str) -> None:
        values = {"id": user_id, "former_hash": former_hash, "password_hash": password_hash}
        await self._session.execute(_REPLACE_PASSWORD, values)

    async def set_roles(self, email: str, roles: frozenset[str]) -> None:
        await self._session.execute(_SET_ROLES, {"email": email, "roles": sorted(roles)})

    async def add_session(self, session: Session, token_hash: bytes, password_hash: str) -> bool:
        added = await self._session.scalar(
            _ADD_SESSION,
            {
                "id": session.id,
                "owner_id": session.owner_id,
                "user_agent": session.user_agent,
                "ip_address": session.ip_address,
                "created_at": session.created_at,
                "last_used_at": session.last_used_at,
                "expires_at": session.expires_at,
                "password_hash": password_hash,
            },
        )
        if added is None:
            return False
        await self._add_refresh(session, token_hash, session.created_at)
        return True

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        row = (await self._session.execute(_LOCK_REFRESH, {"token_hash": token_hash})).one_or_none()
        if row is None:
            return None
        # The lock may have waited for the twin's rotation: what it changed is read again.
        row = (await self._session.execute(_LOCK_REFRESH, {"token_hash": token_hash})).one()
        return RefreshToken(_session(row), row.revoked_at is not None, row.used_at, row.successor_used)

    async def rotate(self, token_hash: bytes, successor_hash: bytes, session: Session, now: datetime) -> None:
        used = {"token_hash": token_hash, "successor_hash": successor_hash, "now": now}
        await self._session.execute(_USE_REFRESH, used)
        await self._add_refresh(session, successor_hash, now)
        await self._session.execute(_TOUCH_SESSION, {"id": session.id, "now": now})

    async def revoke_session(self, session_id: UUID, now: datetime) -> bool:
        return await self._session.scalar(_REVOKE_SESSION, {"id": session_id, "now": now}) is not None

    async def revoke_sessions(self, owner_id: UUID, now: datetime) -> list[UUID]:
        return list(await self._session.scalars(_REVOKE_SESSIONS, {"owner_id": owner_id, "now": now}))

    async def hold_session(self, session_id: UUID) -> bool:
        """Whether it has not been revoked, nor will be before the transaction ends."""
        return await self._session.scalar(_HOLD_SESSION, {"id": session_id}) is not None

    async def list_sessions(self, before: UUID | None, limit: int, now: datetime) -> list[Session]:
        page = {"before": None if before is None else str(before), "limit": limit, "now": now}
        return [_session(row) for row in (await self._session.execute(_LIST_SESSIONS, page)).all()]

    async def add_api_key(self, key: ApiKey, key_hash: bytes) -> None:
        await self._session.execute(
            _ADD_KEY,
            {
                "id": key.id,
                "owner_id": key.owner_id,
                "name": key.name,
                "prefix": key.prefix,
                "key_hash": key_hash,
                "scopes": sorted(key.scopes),
                "created_at": key.created_at,
                "expires_at": key.expires_at,
            },
        )

    async def find_api_key(self, key_hash: bytes) -> ApiKey | None:
        row = (await self._session.execute(_FIND_KEY, {"key_hash": key_hash})).one_or_none()
        return None if row is None else _api_key(row)

    async def touch_api_key(self, key_id: UUID, now: datetime) -> None:
        await self._session.execute(_TOUCH_KEY, {"id": key_id, "now": now})

    async def revoke_api_key(self, key_id: UUID, now: datetime) -> bool:
        return await self._session.scalar(_REVOKE_KEY, {"id": key_id, "now": now}) is not None

    async def hold_api_key(self, key_id: UUID) -> bool:
        """Whether it has not been revoked, nor will be before the transaction ends."""
        return await self._session.scalar(_HOLD_KEY, {"id": key_id}) is not None

    async def revoke_api_keys(self, owner_id: UUID, now: datetime) -> list[UUID]:
        return list(await self._session.scalars(_REVOKE_KEYS, {"owner_id": owner_id, "now": now}))

    async def list_api_keys(self, after: UUID | None, limit: int) -> list[ApiKey]:
        page = {"after": None if after is None else str(after), "limit": limit}
        return [_api_key(row) for row in (await self._session.execute(_LIST_KEYS, page)).all()]

    async def _add_refresh(self, session: Session, token_hash: bytes, now: datetime) -> None:
        values = {"token_hash": token_hash, "session_id": session.id, "owner_id": session.owner_id, "created_at": now}
        await self._session.execute(_ADD_REFRESH, values)


def _user(row: Row) -> User:
    return User(row.id, row.email, row.full_name, frozenset(row.roles), row.tier, row.created_at)


def _session(row: Row) -> Session:
    return Session(
        id=row.id,
        owner_id=row.owner_id,
        user_agent=row.user_agent,
        ip_address=row.ip_address,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


def _api_key(row: Row) -> ApiKey:
    return ApiKey(
        id=row.id,
        owner_id=row.owner_id,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )
