"""Answers already given."""

from quantmesh.chassis.migration import helpers

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    helpers.create_idempotency()
    # Registration comes before there is anyone whose rows it could be among.
    helpers.grant("idempotency", system="INSERT")
