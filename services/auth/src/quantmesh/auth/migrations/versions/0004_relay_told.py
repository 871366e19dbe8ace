"""The relay is told of events by those who write them, and not by the database."""

from quantmesh.chassis.migration import helpers

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    helpers.stop_waking_relay()
