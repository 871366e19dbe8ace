"""What was held and what flowed day by day lies beside the snapshots, so that performance folds what is new alone."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # NULL where the fold is older, which nothing reads any more. The code before writes rows whole, and so gives NULL
    # for what it does not know, whatever the default.
    op.execute(
        """
        ALTER TABLE snapshot_position
            ADD COLUMN realized numeric,
            ADD COLUMN paid numeric
        """
    )
    # An instrument's days of one quarter, as numbers and amounts that are parted by commas; true in the snapshots from
    # `from_number` to before `until_number`, of each as far as its own day.
    op.execute(
        """
        CREATE TABLE snapshot_days (
            portfolio_id uuid NOT NULL,
            symbol text NOT NULL,
            quarter date NOT NULL,
            from_number bigint NOT NULL,
            until_number bigint NOT NULL DEFAULT 9223372036854775807 CHECK (until_number > from_number),
            owner_id uuid NOT NULL,
            first_day date NOT NULL,
            days text NOT NULL,
            quantities text NOT NULL,
            costs text NOT NULL,
            realized text NOT NULL,
            paid text NOT NULL,
            PRIMARY KEY (portfolio_id, symbol, quarter, from_number)
        )
        """
    )
    # What a snapshot has beside the one before it, by day; `last_day` is that of its income, NULL where it has none.
    op.execute(
        """
        CREATE TABLE snapshot_flow (
            portfolio_id uuid NOT NULL,
            from_number bigint NOT NULL,
            until_number bigint NOT NULL DEFAULT 9223372036854775807 CHECK (until_number > from_number),
            owner_id uuid NOT NULL,
            flows text NOT NULL,
            income text NOT NULL,
            last_day date,
            PRIMARY KEY (portfolio_id, from_number)
        )
        """
    )
    for table in ("snapshot_days", "snapshot_flow"):
        helpers.enable_row_level_security(table)
        helpers.grant(table, app="SELECT", system="SELECT, INSERT, UPDATE, DELETE")
