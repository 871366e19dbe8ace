"""Lots between the ends of a long queue lie apart: most reads from a snapshot need not see them."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE snapshot_position ADD COLUMN lots_between text NOT NULL DEFAULT ''")
