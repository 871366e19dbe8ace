"""API keys: scoped, shown once, exchanged for a short token (AUTH-6)."""

from datetime import datetime
from uuid import UUID

from quantmesh.auth.core.errors import InvalidApiKey, InvalidExpiry, InvalidScope, NoScopes
from quantmesh.auth.core.model import ApiKey, Grant, api_key_grant
from quantmesh.auth.core.ports import ApiKeys, Users
from quantmesh.auth.core.register import checked_name
from quantmesh.auth.core.secrets import API_KEY_MARK, hash_of

_NAME_LIMIT = 100


def new_key(
    key_id: UUID,
    owner_id: UUID,
    name: str,
    prefix: str,
    scopes: list[str] | None,
    own_scopes: frozenset[str],
    expires_at: datetime | None,
    now: datetime,
) -> ApiKey:
    """Where `scopes` is None the key may all that its maker may, except manage the account."""
    chosen = own_scopes - {"account:manage"} if scopes is None else frozenset(scopes)
    if not chosen:
        raise NoScopes
    for scope in scopes or ():
        if scope not in own_scopes:
            raise InvalidScope(scope, own_scopes)
    if expires_at is not None and expires_at <= now:
        raise InvalidExpiry
    return ApiKey(key_id, owner_id, checked_name("name", name, _NAME_LIMIT), prefix, chosen, now, None, expires_at)


async def exchange(keys: ApiKeys, users: Users, secret: str, now: datetime) -> tuple[ApiKey, Grant]:
    """What the bearer of `secret` may do; raises InvalidApiKey."""
    key = await keys.find_api_key(hash_of(secret)) if secret.startswith(API_KEY_MARK) else None
    if key is None or (key.expires_at is not None and key.expires_at <= now):
        raise InvalidApiKey
    user = await users.find_user(key.owner_id)
    if user is None:
        raise InvalidApiKey
    await keys.touch_api_key(key.id, now)
    return key, api_key_grant(key, user, now)
