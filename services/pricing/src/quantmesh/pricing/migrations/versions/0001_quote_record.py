"""Every quote that was given."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE quote_record (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            request bytea NOT NULL,
            response bytea NOT NULL,
            input_hash bytea NOT NULL CHECK (length(input_hash) = 32),
            code_version text NOT NULL,
            recorded_at timestamptz NOT NULL
        )
        """
    )
    helpers.enable_row_level_security("quote_record")
    helpers.append_only("quote_record")
