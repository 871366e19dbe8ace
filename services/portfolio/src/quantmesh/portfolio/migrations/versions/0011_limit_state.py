"""While a symbol's price is outside its band, nothing of its quote is for anyone: `limit_since`, market time."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE venue_symbol ADD COLUMN limit_since timestamptz")
