"""Snapshots of what the ledger came to, so that a read folds what is new alone; derived, and rebuildable."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # `whole`: nothing up to `seq` was executed after `executed_until`. `dropped_at`: not to be begun from any more.
    op.execute(
        """
        CREATE TABLE ledger_snapshot (
            portfolio_id uuid NOT NULL REFERENCES portfolio,
            number bigint NOT NULL CHECK (number > 0),
            owner_id uuid NOT NULL,
            fold text NOT NULL,
            seq bigint NOT NULL,
            executed_until timestamptz NOT NULL,
            recorded_until timestamptz NOT NULL,
            whole boolean NOT NULL,
            cash jsonb NOT NULL,
            made_at timestamptz NOT NULL DEFAULT now(),
            dropped_at timestamptz,
            PRIMARY KEY (portfolio_id, number)
        )
        """
    )
    # One row per instrument and change of it: true in the snapshots from `from_number` to before `until_number`.
    op.execute(
        """
        CREATE TABLE snapshot_position (
            portfolio_id uuid NOT NULL,
            symbol text NOT NULL,
            from_number bigint NOT NULL,
            until_number bigint NOT NULL DEFAULT 9223372036854775807 CHECK (until_number > from_number),
            owner_id uuid NOT NULL,
            currency text NOT NULL,
            quantity numeric NOT NULL,
            cost numeric NOT NULL,
            average_cost numeric NOT NULL,
            realized_pnl numeric NOT NULL,
            folded text NOT NULL,
            PRIMARY KEY (portfolio_id, symbol, from_number)
        )
        """
    )
    op.execute("CREATE INDEX snapshot_position_by_end ON snapshot_position (portfolio_id, until_number)")
    # Lots lie apart from the few numbers that most reads want.
    op.execute("ALTER TABLE snapshot_position SET (toast_tuple_target = 256)")
    for table in ("ledger_snapshot", "snapshot_position"):
        helpers.enable_row_level_security(table)
        helpers.grant(table, app="SELECT", system="SELECT, INSERT, UPDATE, DELETE")
