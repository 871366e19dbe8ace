"""Change a recorded transaction in the database itself, past every rule of the service that owns it.

The demo shows with this that the proof of an altered row no longer holds. It takes the superuser, whom no row-level
security binds, and the mode of a replica, in which the triggers that keep the ledger append-only do not fire.
"""

from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from quantmesh.chassis.provision import DATABASE
from quantmesh.local.errors import LocalError

_ADD = """
UPDATE portfolio.transaction
SET amount = amount + %(difference)s, price = CASE WHEN amount IS NULL THEN price + %(difference)s ELSE price END
WHERE id = %(transaction)s
"""


def alter(admin_url: str, transaction: UUID, difference: Decimal) -> None:
    """Add to the amount of a transaction, or to its price where it has no amount."""
    try:
        changed = _altered(make_conninfo(admin_url, dbname=DATABASE), transaction, difference)
    except psycopg.OperationalError as error:
        raise LocalError("Postgres does not answer. `make up` starts the mesh.") from error
    if not changed:
        raise LocalError(f"There is no transaction {transaction}.")


def _altered(database: str, transaction: UUID, difference: Decimal) -> int:
    with psycopg.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(_ADD, {"difference": difference, "transaction": transaction}).rowcount
