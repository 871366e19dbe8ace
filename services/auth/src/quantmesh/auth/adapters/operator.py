"""The first operator, from the settings: nobody could otherwise give anyone a role."""

from quantmesh.auth.adapters.hashing import Argon2Hasher
from quantmesh.auth.adapters.store import Store
from quantmesh.auth.core import register
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.ids import uuid7

_ROLES = frozenset({"operator"})


async def ensure_operator(database: Database, hasher: Argon2Hasher, clock: Clock, email: str, password: str) -> None:
    """Create the account, or bring its password to what the settings say. Raises where they break the rules."""
    user = register.new_user(uuid7(), email, password, "Operator", clock.now())
    async with database.system_transaction() as transaction:
        found = await Store(transaction).find_credentials(user.email)
    if found is not None and found.user.roles == _ROLES and await hasher.verify(found.password_hash, password):
        return
    password_hash = await hasher.hash(password)
    async with database.system_transaction() as transaction:
        store = Store(transaction)
        if found is None:
            await store.add_user(user, password_hash)
        else:
            await store.set_password_hash(found.user.id, password_hash)
        await store.set_roles(user.email, _ROLES)
