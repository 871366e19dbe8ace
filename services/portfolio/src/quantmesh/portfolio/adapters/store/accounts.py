"""An account as it was recorded, in one statement, so that all of it is of the same instant."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.portfolio.core.account_state import OpenOrder, RecordedAccount
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS, SECURITIES

# The changes by key, whatever the planner knows of the portfolio: see the journal's reads.
_READ = text(
    """
    SELECT 'portfolio' AS kind, base_currency AS account, '' AS commodity, seq::numeric AS amount
    FROM portfolio WHERE id = :portfolio_id AND deleted_at IS NULL
    UNION ALL
    SELECT 'holding', account, commodity, amount FROM holding WHERE portfolio_id = :portfolio_id AND amount <> 0
    UNION ALL
    SELECT 'change', p.account, p.commodity, sum(p.amount)
    FROM transaction AS t
    CROSS JOIN LATERAL (
        SELECT account, commodity, amount FROM posting
        WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
        OFFSET 0
    ) AS p
    WHERE t.portfolio_id = :portfolio_id AND t.executed_at >= :since
    GROUP BY p.account, p.commodity
    UNION ALL
    SELECT 'order', side, symbol, quantity - filled_quantity
    FROM placed_order WHERE portfolio_id = :portfolio_id AND status IN ('accepted', 'partially_filled')
    """
)


async def read_account(session: AsyncSession, portfolio_id: UUID, since: datetime) -> RecordedAccount:
    """With what changed since an instant of market time. Raises PortfolioNotFound."""
    found: dict[str, list[tuple[str, str, Decimal]]] = defaultdict(list)
    for row in await session.execute(_READ, {"portfolio_id": portfolio_id, "since": since}):
        found[row.kind].append((row.account, row.commodity, row.amount))
    if not found["portfolio"]:
        raise PortfolioNotFound(portfolio_id)
    ((base_currency, _, seq),) = found["portfolio"]
    held, changed = found["holding"], found["change"]
    return RecordedAccount(
        portfolio_id=portfolio_id,
        base_currency=base_currency,
        seq=int(seq),
        cash=_of(held, CASH),
        units=_of(held, SECURITIES),
        cash_since=_of(changed, CASH),
        units_since=_of(changed, SECURITIES),
        paid_in={currency: -amount for currency, amount in _of(changed, CONTRIBUTIONS).items()},
        open_orders=[OpenOrder(symbol, OrderSide(side), quantity) for side, symbol, quantity in found["order"]],
    )


def _of(rows: list[tuple[str, str, Decimal]], account: str) -> dict[str, Decimal]:
    return {commodity: amount for name, commodity, amount in rows if name == account}
