"""The first operator, from the settings: nobody could otherwise give anyone a role."""

from dataclasses import replace

from quantmesh.auth.adapters.hashing import Argon2Hasher
from quantmesh.auth.adapters.revocations import tell_key_revoked, tell_session_ended
from quantmesh.auth.adapters.session_cache import SessionCache
from quantmesh.auth.adapters.store import Store
from quantmesh.auth.core import register
from quantmesh.auth.core.model import User, session_of_key
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import Session

_ROLES = frozenset({"operator"})


async def ensure_operator(
    database: Database, hasher: Argon2Hasher, cache: SessionCache, clock: Clock, email: str, password: str
) -> None:
    """Create the account, or bring its password to what the settings say. Raises where they break the rules.

    Whoever is in the account by another password is out of it then; and where it was no operator's, anybody may have
    opened it in advance, so that its API keys end too.
    """
    user = replace(register.new_user(uuid7(), email, password, "Operator", clock.now()), roles=_ROLES)
    async with database.system_transaction() as transaction:
        found = await Store(transaction).find_credentials(user.email)
    if found is not None and found.user.roles == _ROLES and await hasher.verify(found.password_hash, password):
        return
    password_hash = await hasher.hash(password)
    ended: list[str] = []
    async with database.system_transaction() as transaction:
        store = Store(transaction)
        if await store.add_user(user, password_hash):
            return
        found = await store.find_credentials(user.email)
        if found is not None:
            await store.set_password_hash(found.user.id, password_hash)
            await store.set_roles(user.email, _ROLES)
            ended = await _shut_out(transaction, found.user, clock)
    for session_id in ended:
        await cache.ended(session_id)


async def _shut_out(transaction: Session, former: User, clock: Clock) -> list[str]:
    """What tokens name as the sessions that have ended."""
    store, now, ended = Store(transaction), clock.now(), []
    for session_id in await store.revoke_sessions(former.id, now):
        await tell_session_ended(transaction, former.id, session_id, now)
        ended.append(str(session_id))
    if former.roles != _ROLES:
        for key_id in await store.revoke_api_keys(former.id, now):
            await tell_key_revoked(transaction, former.id, key_id, now)
            ended.append(session_of_key(key_id))
    return ended
