"""Risk limits: definitions as they were set, which portfolios are watched, and the state of each limit."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE limit_definition (
            portfolio_id uuid NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            owner_id uuid NOT NULL,
            recorded_at timestamptz NOT NULL,
            limits jsonb NOT NULL,
            PRIMARY KEY (portfolio_id, version)
        )
        """
    )
    helpers.enable_row_level_security("limit_definition")
    helpers.append_only("limit_definition")
    # One row per portfolio with limits: when they have to be measured again, in system time.
    op.execute(
        """
        CREATE TABLE limit_watch (
            portfolio_id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            due_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX limit_watch_due ON limit_watch (due_at)")
    # `key` tells a limit from the others of its definition; one that was never measured has no row.
    op.execute(
        """
        CREATE TABLE limit_state (
            portfolio_id uuid NOT NULL REFERENCES limit_watch ON DELETE CASCADE,
            key text NOT NULL,
            owner_id uuid NOT NULL,
            state text NOT NULL CHECK (state IN ('ok', 'warning', 'breached', 'unknown')),
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (portfolio_id, key)
        )
        """
    )
    for table in ("limit_watch", "limit_state"):
        helpers.enable_row_level_security(table)
        helpers.grant(table, app="SELECT, INSERT, UPDATE, DELETE", system="SELECT, INSERT, UPDATE, DELETE")
    helpers.create_outbox()
    helpers.create_inbox()
