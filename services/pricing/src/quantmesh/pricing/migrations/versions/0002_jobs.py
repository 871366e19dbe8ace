"""Long simulations as jobs."""

from quantmesh.chassis.migration import helpers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    helpers.create_jobs()
