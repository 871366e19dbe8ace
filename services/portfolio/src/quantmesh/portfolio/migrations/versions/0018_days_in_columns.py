"""What was held and earned day by day lies beside the snapshots as numbers in a row, which are read at once."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    # Quarters and days are counted as date.toordinal does, as arrays have them; `days` from the quarter's first on.
    # Columns of bytes are those of adapters/store/packing.py. `snapshot_days` and `snapshot_flow` are left to the code
    # before, which reads them beside its own snapshots: nobody begins from those any more.
    op.execute(
        """
        CREATE TABLE held_quarter (
            portfolio_id uuid NOT NULL,
            symbol text NOT NULL,
            quarter integer NOT NULL,
            from_number bigint NOT NULL,
            until_number bigint NOT NULL DEFAULT 9223372036854775807 CHECK (until_number > from_number),
            owner_id uuid NOT NULL,
            first_day integer NOT NULL,
            days bytea NOT NULL,
            quantities bytea NOT NULL,
            costs bytea NOT NULL,
            realized bytea NOT NULL,
            paid bytea NOT NULL,
            PRIMARY KEY (portfolio_id, symbol, quarter, from_number)
        )
        """
    )
    # NULL where nothing was earned; `last_day` is that of what was.
    op.execute(
        """
        CREATE TABLE daily_flow (
            portfolio_id uuid NOT NULL,
            from_number bigint NOT NULL,
            until_number bigint NOT NULL DEFAULT 9223372036854775807 CHECK (until_number > from_number),
            owner_id uuid NOT NULL,
            flows text NOT NULL,
            earners text,
            owners bytea,
            days bytea,
            income bytea,
            fees bytea,
            last_day date,
            PRIMARY KEY (portfolio_id, from_number)
        )
        """
    )
    for table in ("held_quarter", "daily_flow"):
        helpers.enable_row_level_security(table)
        helpers.grant(table, app="SELECT", system="SELECT, INSERT, UPDATE, DELETE")
