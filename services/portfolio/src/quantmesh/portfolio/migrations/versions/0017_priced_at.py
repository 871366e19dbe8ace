"""When, by the market's time, an order was last priced; of orders from before nobody knows it."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("ALTER TABLE placed_order ADD COLUMN priced_at timestamptz")
