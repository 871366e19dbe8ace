"""What was handled of the events of others."""

from quantmesh.chassis.migration import helpers

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    helpers.create_inbox()
