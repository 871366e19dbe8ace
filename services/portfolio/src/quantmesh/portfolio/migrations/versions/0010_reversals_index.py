"""The index of reversals holds reversals alone."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # With a row per transaction it looked as good as the primary key to a planner without statistics, which then read
    # the whole portfolio for each posting of an import.
    op.execute("DROP INDEX transaction_reversed_once")
    op.execute(
        "CREATE UNIQUE INDEX transaction_reversed_once ON transaction (portfolio_id, reverses)"
        " WHERE reverses IS NOT NULL"
    )
