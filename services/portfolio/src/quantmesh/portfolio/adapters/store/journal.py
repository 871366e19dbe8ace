"""The journal's SQL for reading: balances, movements, cash and flows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.views import SEEN, bounds, instant
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.ports import DailyFlow, View
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS, FEES, SECURITIES
from quantmesh.portfolio.core.snapshots import Snapshot

_TYPES = {kind.value: kind for kind in TransactionType}

# Each transaction with its postings, looked up by key: OFFSET 0 keeps the planner from flattening this. Right after an
# import its statistics know nothing of the portfolio, and it would compare every transaction with every posting.
_WITH_POSTINGS = """
    CROSS JOIN LATERAL (
        SELECT account, commodity, amount
        FROM posting
        WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
        OFFSET 0
    ) AS p"""
# What a snapshot does not hold: recorded since, or executed since. The second is fenced as well, for its own index.
_SINCE = """(
        SELECT * FROM transaction WHERE portfolio_id = :portfolio_id AND seq > :folded_seq
        UNION ALL
        SELECT * FROM (
            SELECT * FROM transaction
            WHERE portfolio_id = :portfolio_id AND executed_at > CAST(:folded_until AS timestamptz)
              AND executed_at <= CAST(:as_of AS timestamptz)
            OFFSET 0
        ) AS executed_since
        WHERE seq <= :folded_seq
    ) AS t"""
_POSTED = f"transaction AS t {_WITH_POSTINGS}"
_POSTED_SINCE = f"{_SINCE} {_WITH_POSTINGS}"

_BOOKS = text(
    f"""
    WITH wanted AS (
        SELECT account, commodity
        FROM unnest(CAST(:accounts AS text[]), CAST(:commodities AS text[])) AS asked (account, commodity)
    )
    SELECT 'balance' AS kind, account, commodity, NULL::timestamptz AS executed_at, NULL::bigint AS seq, amount
    FROM holding NATURAL JOIN wanted
    WHERE portfolio_id = :portfolio_id
    UNION ALL
    SELECT 'later', p.account, p.commodity, t.executed_at, t.seq, p.amount
    FROM {_POSTED}
    JOIN wanted ON wanted.account = p.account AND wanted.commodity = p.commodity
    WHERE t.portfolio_id = :portfolio_id AND t.executed_at > :since
    UNION ALL
    SELECT 'split', '', t.symbol, max(t.executed_at), NULL, NULL
    FROM transaction AS t
    WHERE t.portfolio_id = :portfolio_id AND t.type = 'split'
      AND t.symbol IN (SELECT commodity FROM wanted WHERE account = :securities) AND t.symbol <> ''
    GROUP BY t.symbol
    ORDER BY executed_at, seq
    """  # noqa: S608  the fragment is our own
)
# What a trade paid or brought without its fee is what it moved in cash and fees together.
_MOVEMENTS = f"""
    SELECT t.type, t.symbol, t.currency, t.executed_at,
           sum(p.amount) FILTER (WHERE p.account = '{SECURITIES}') AS quantity,
           coalesce(abs(sum(p.amount) FILTER (WHERE p.account IN ('{CASH}', '{FEES}'))), 0) AS gross,
           t.split_ratio
    FROM {_POSTED_SINCE}
    WHERE {SEEN} AND t.type IN ('buy', 'sell', 'split')
"""  # noqa: S608  the accounts are our own constants
_MOVEMENTS_ORDER = (
    " GROUP BY t.id, t.type, t.symbol, t.currency, t.executed_at, t.split_ratio, t.seq ORDER BY t.executed_at, t.seq"
)
_ALL_MOVEMENTS = text(_MOVEMENTS + _MOVEMENTS_ORDER)
_MOVEMENTS_OF_SYMBOLS = text(
    _MOVEMENTS + " AND t.symbol = ANY(CAST(:symbols AS text[])) AND t.symbol <> ''" + _MOVEMENTS_ORDER
)
_CASH = text(
    f"""
    SELECT p.commodity, sum(p.amount) AS amount
    FROM {_POSTED_SINCE}
    WHERE {SEEN} AND p.account = '{CASH}'
    GROUP BY p.commodity
    ORDER BY p.commodity
    """  # noqa: S608  the accounts are our own constants
)
_DAILY_FLOWS = text(
    f"""
    SELECT (t.executed_at AT TIME ZONE 'UTC')::date AS day, p.commodity,
           coalesce(sum(p.amount) FILTER (WHERE p.account = '{CASH}'), 0) AS cash,
           coalesce(-sum(p.amount) FILTER (WHERE p.account = '{CONTRIBUTIONS}' AND p.amount < 0), 0) AS deposits,
           coalesce(sum(p.amount) FILTER (WHERE p.account = '{CONTRIBUTIONS}' AND p.amount > 0), 0) AS withdrawals
    FROM {_POSTED}
    WHERE {SEEN} AND p.account IN ('{CASH}', '{CONTRIBUTIONS}')
    GROUP BY 1, 2
    ORDER BY 1, 2
    """  # noqa: S608  the accounts are our own constants
)


class JournalStore(Owned):
    async def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        found = await self._session.execute(
            _BOOKS,
            {
                "portfolio_id": portfolio_id,
                "accounts": [account for account, _ in holdings],
                "commodities": [commodity for _, commodity in holdings],
                "securities": SECURITIES,
                "since": since,
            },
        )
        balances: dict[Holding, Decimal] = {}
        later: dict[Holding, list[tuple[datetime, Decimal]]] = {}
        splits: dict[str, datetime] = {}
        for row in found:
            match row.kind:
                case "balance":
                    balances[row.account, row.commodity] = row.amount
                case "later":
                    later.setdefault((row.account, row.commodity), []).append((row.executed_at, row.amount))
                case _:
                    splits[row.commodity] = row.executed_at
        histories = {
            holding: BalanceHistory(balances.get(holding, ZERO), later.get(holding, ())) for holding in holdings
        }
        return Books(histories, splits)

    async def movements(
        self, portfolio_id: UUID, view: View, symbols: Collection[str] = (), since: Snapshot | None = None
    ) -> Sequence[SecurityMovement]:
        parameters = _bounds_since(portfolio_id, view, since) | ({"symbols": list(symbols)} if symbols else {})
        found = await self._session.execute(_MOVEMENTS_OF_SYMBOLS if symbols else _ALL_MOVEMENTS, parameters)
        return [SecurityMovement(_TYPES[type_], *rest) for type_, *rest in found]

    async def cash(self, portfolio_id: UUID, view: View, since: Snapshot | None = None) -> Mapping[str, Decimal]:
        found = await self._session.execute(_CASH, _bounds_since(portfolio_id, view, since))
        return {row.commodity: row.amount for row in found}

    async def daily_flows(self, portfolio_id: UUID, view: View) -> Sequence[DailyFlow]:
        found = await self._session.execute(_DAILY_FLOWS, bounds(portfolio_id, view))
        return [DailyFlow(row.day, row.commodity, row.cash, row.deposits, row.withdrawals) for row in found]


def _bounds_since(portfolio_id: UUID, view: View, since: Snapshot | None) -> dict[str, Any]:
    """Without a snapshot everything has been recorded since number 0."""
    return bounds(portfolio_id, view) | {
        "folded_seq": 0 if since is None else since.seq,
        "folded_until": instant(None if since is None else since.executed_until),
    }
