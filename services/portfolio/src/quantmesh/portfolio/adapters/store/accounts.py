"""An account as it was recorded, in one statement, so that all of it is of the same instant."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, Row, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.account_state import OpenOrder, RecordedAccount
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS, SECURITIES

# The changes by key, whatever the planner knows of the portfolio: see the journal's reads.
_READ = text(
    """
    SELECT 'portfolio' AS kind, base_currency AS account, '' AS commodity, seq::numeric AS amount,
           0::numeric AS reserved, NULL::uuid AS id
    FROM portfolio WHERE id = :portfolio_id AND deleted_at IS NULL
    UNION ALL
    SELECT 'margin', '', '', 0, 0, NULL FROM portfolio WHERE id = :portfolio_id AND margin_enabled
    UNION ALL
    SELECT 'holding', account, commodity, trim_scale(amount), trim_scale(reserved), NULL
    FROM holding WHERE portfolio_id = :portfolio_id AND amount <> 0
    UNION ALL
    SELECT 'change', p.account, p.commodity, trim_scale(sum(p.amount)), 0, NULL
    FROM transaction AS t
    CROSS JOIN LATERAL (
        SELECT account, commodity, amount FROM posting
        WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
        OFFSET 0
    ) AS p
    WHERE t.portfolio_id = :portfolio_id AND t.executed_at >= CAST(:since AS timestamptz)
    GROUP BY p.account, p.commodity
    UNION ALL
    SELECT 'order', side, symbol, trim_scale(quantity - filled_quantity), 0, id
    FROM placed_order WHERE portfolio_id = :portfolio_id AND status IN ('accepted', 'partially_filled')
    """
)
_HAS_MARGIN = text("SELECT 1 FROM portfolio WHERE id = :portfolio_id AND margin_enabled")


def margin_question(portfolio_id: UUID) -> Asked:
    """One row where it has."""
    return _HAS_MARGIN, {"portfolio_id": portfolio_id}


class AccountStore(Owned):
    async def account(self, portfolio_id: UUID, since: datetime | None = None) -> RecordedAccount:
        """With what changed since an instant of market time, where one is given. Raises PortfolioNotFound."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in await self._session.execute(_READ, {"portfolio_id": portfolio_id, "since": since}):
            found[row.kind].append(row)
        if not found["portfolio"]:
            raise PortfolioNotFound(portfolio_id)
        return _recorded(portfolio_id, found)


def _recorded(portfolio_id: UUID, found: Mapping[str, list[Row]]) -> RecordedAccount:
    (portfolio,) = found["portfolio"]
    held, changed = found["holding"], found["change"]
    return RecordedAccount(
        portfolio_id=portfolio_id,
        base_currency=portfolio.account,
        seq=int(portfolio.amount),
        cash=_of(held, CASH),
        units=_of(held, SECURITIES),
        reserved={(row.account, row.commodity): row.reserved for row in held if row.reserved},
        cash_since=_of(changed, CASH),
        units_since=_of(changed, SECURITIES),
        paid_in={currency: -amount for currency, amount in _of(changed, CONTRIBUTIONS).items()},
        open_orders=[OpenOrder(row.id, row.commodity, OrderSide(row.account), row.amount) for row in found["order"]],
        margin_enabled=bool(found["margin"]),
    )


def _of(rows: list[Row], account: str) -> dict[str, Decimal]:
    return {row.commodity: row.amount for row in rows if row.account == account}
