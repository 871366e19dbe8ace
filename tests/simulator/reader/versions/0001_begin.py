"""A service that keeps what it hears of others."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    helpers.create_inbox()
    op.execute(
        """
        CREATE TABLE arrival (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            subject text NOT NULL,
            aggregate_id text NOT NULL,
            version bigint NOT NULL,
            event_id text NOT NULL
        )
        """
    )
    helpers.grant("arrival", system="SELECT, INSERT")
