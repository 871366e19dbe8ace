"""Answers already given: a long simulation is queued once per key."""

from quantmesh.chassis.migration import helpers

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    helpers.create_idempotency()
