"""Orders that were placed together name their basket."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE placed_order ADD COLUMN basket_id uuid")
