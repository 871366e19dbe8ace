"""Snapshots lie close together and tell of how much of the log they are true, so that any view has one near by."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # `first_seq`: from this number of the log on until `seq` the snapshot is the same. `after_seq` and `executed_from`,
    # on the first snapshot of each making: since which number what was recorded is in it, and when the earliest of that
    # was executed. Those made before are folded by older rules, and not read any more.
    op.execute(
        """
        ALTER TABLE ledger_snapshot
            ADD COLUMN first_seq bigint,
            ADD COLUMN after_seq bigint,
            ADD COLUMN executed_from timestamptz
        """
    )
