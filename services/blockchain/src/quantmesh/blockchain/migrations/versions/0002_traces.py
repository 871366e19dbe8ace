"""Leaves know the trace that brought them, for its last span: the anchor on chain."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Empty for what came untraced, and for what older code adds.
    op.execute("ALTER TABLE leaf ADD COLUMN traceparent text NOT NULL DEFAULT ''")
