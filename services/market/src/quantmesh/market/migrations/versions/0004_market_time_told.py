"""The feed remembers of which market time it was told last, so that no move of it goes untold."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # NULL until it is told for the first time; code before tells without it.
    op.execute("ALTER TABLE feed ADD COLUMN told timestamptz")
