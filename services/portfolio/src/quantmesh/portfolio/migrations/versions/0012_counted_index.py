"""What was made out of what was held is found without reading all that ever happened to an instrument."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX transaction_counted ON transaction (portfolio_id, symbol, executed_at)"
        " WHERE type IN ('split', 'option_exercise', 'option_assignment')"
    )
