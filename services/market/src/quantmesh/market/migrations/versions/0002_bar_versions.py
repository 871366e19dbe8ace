"""Bars keep every version that was recorded of them, so that a read can tell what was known at some time."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # What was there before versions were kept counts as known from the beginning.
    op.execute("ALTER TABLE bar ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT 'epoch'")
    op.execute("ALTER TABLE bar ALTER COLUMN recorded_at DROP DEFAULT")
    op.execute("ALTER TABLE bar DROP CONSTRAINT bar_pkey")
    op.execute("ALTER TABLE bar ADD PRIMARY KEY (series, time, recorded_at)")
    op.execute(f"REVOKE UPDATE ON {helpers.schema()}.bar FROM {helpers.system_role()}")
    op.execute("ALTER TABLE asset ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT 'epoch'")
