"""The ledger against itself, across tenants: what cannot be where every entry was recorded by the rules.

Each statement tells of the first thing that is wrong within a range of the log, or of nothing.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from quantmesh.chassis.sql import Row, Session, text
from quantmesh.portfolio.adapters.store.lot_rows import read_folded
from quantmesh.portfolio.adapters.store.snapshots import rows_at
from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.snapshots import Snapshot, all_after, fold_name
from quantmesh.portfolio.core.verify_snapshots import KeptInstrument, LedgerBreak

_PORTFOLIOS = text(
    """
    SELECT id, owner_id, lot_method, seq FROM portfolio
    WHERE CAST(:portfolio_id AS uuid) IS NULL OR id = :portfolio_id ORDER BY id
    """
)
# Columns of every answer: account, commodity, seq, expected, found.
_LOG = """
    WITH event AS (
        SELECT seq, type, recorded_at FROM account_event
        WHERE portfolio_id = :portfolio_id AND seq >= :after AND seq <= :until
    ), recorded AS (
        SELECT seq FROM transaction WHERE portfolio_id = :portfolio_id AND seq > :after AND seq <= :until
    )
    SELECT 'account log' AS account, '' AS commodity, n AS seq,
           CASE WHEN recorded.seq IS NULL THEN 'an event' ELSE 'the event of a transaction' END AS expected,
           coalesce(event.type, 'none') AS found
    FROM generate_series(CAST(:after AS bigint) + 1, :until) AS n
    LEFT JOIN event ON event.seq = n
    LEFT JOIN recorded ON recorded.seq = n
    WHERE event.seq IS NULL OR (recorded.seq IS NOT NULL) <> (event.type = 'transaction.recorded')
    UNION ALL
    SELECT 'account log', '', seq, 'recorded at ' || earlier || ' or later', recorded_at::text
    FROM (SELECT seq, recorded_at, lag(recorded_at) OVER (ORDER BY seq) AS earlier FROM event) AS step
    WHERE recorded_at < earlier
    ORDER BY seq LIMIT 1
"""
_ENTRIES = """
    WITH entry AS (
        SELECT t.seq, t.postings, t.cash_effect, p.*
        FROM transaction AS t
        CROSS JOIN LATERAL (
            SELECT count(*) AS sides,
                   sum(amount) FILTER (WHERE account = 'assets:cash' AND commodity = t.currency) AS cash,
                   (SELECT commodity FROM posting AS side
                    WHERE side.portfolio_id = t.portfolio_id AND side.transaction_id = t.id
                    GROUP BY commodity HAVING sum(amount) <> 0 ORDER BY commodity LIMIT 1) AS unbalanced
            FROM posting WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
        ) AS p
        WHERE t.portfolio_id = :portfolio_id AND t.seq > :after AND t.seq <= :until
    )
    SELECT 'entry' AS account, coalesce(unbalanced, '') AS commodity, seq,
           CASE WHEN sides <> postings THEN postings || ' postings'
                WHEN unbalanced IS NOT NULL THEN 'a sum of zero' ELSE 'cash of ' || cash_effect END AS expected,
           CASE WHEN sides <> postings THEN sides::text
                WHEN unbalanced IS NOT NULL THEN 'another' ELSE coalesce(cash, 0)::text END AS found
    FROM entry
    WHERE sides <> postings OR unbalanced IS NOT NULL OR cash_effect <> coalesce(cash, 0)
    ORDER BY seq LIMIT 1
"""
_IN_RANGES = (text(_LOG), text(_ENTRIES))
_BEYOND = text(
    """
    SELECT 'account log' AS account, '' AS commodity, e.seq, 'no event after ' || p.seq AS expected, e.type AS found
    FROM portfolio AS p JOIN account_event AS e ON e.portfolio_id = p.id AND e.seq > p.seq
    WHERE p.id = :portfolio_id ORDER BY e.seq LIMIT 1
    """
)
_STRAY = text(
    """
    SELECT p.account, p.commodity, 0 AS seq, 'a transaction of its own' AS expected, p.transaction_id::text AS found
    FROM posting AS p
    WHERE p.portfolio_id = :portfolio_id AND NOT EXISTS (
        SELECT FROM transaction AS t WHERE t.portfolio_id = p.portfolio_id AND t.id = p.transaction_id
    )
    LIMIT 1
    """
)
# In one statement, so that what is recorded meanwhile is in both or in neither.
_HOLDINGS = text(
    """
    SELECT account, commodity, p.seq, coalesce(posted.amount, 0)::text AS expected,
           coalesce(holding.amount::text, 'none') AS found
    FROM (
        SELECT account, commodity, sum(amount) AS amount FROM posting
        WHERE portfolio_id = :portfolio_id AND account IN ('assets:cash', 'assets:securities')
        GROUP BY account, commodity
    ) AS posted
    FULL JOIN (SELECT account, commodity, amount FROM holding WHERE portfolio_id = :portfolio_id) AS holding
        USING (account, commodity)
    CROSS JOIN (SELECT seq FROM portfolio WHERE id = :portfolio_id) AS p
    WHERE coalesce(posted.amount, 0) <> coalesce(holding.amount, 0)
    ORDER BY account, commodity LIMIT 1
    """
)
_RESERVED = text(
    """
    SELECT account || ' reserved', commodity, p.seq, coalesce(open.reserved, 0)::text AS expected,
           coalesce(holding.reserved, 0)::text AS found
    FROM (
        SELECT CASE side WHEN 'buy' THEN 'assets:cash' ELSE 'assets:securities' END AS account,
               CASE side WHEN 'buy' THEN currency ELSE symbol END AS commodity, sum(reserved) AS reserved
        FROM placed_order WHERE portfolio_id = :portfolio_id GROUP BY 1, 2
    ) AS open
    FULL JOIN (SELECT account, commodity, reserved FROM holding WHERE portfolio_id = :portfolio_id) AS holding
        USING (account, commodity)
    CROSS JOIN (SELECT seq FROM portfolio WHERE id = :portfolio_id) AS p
    WHERE coalesce(open.reserved, 0) <> coalesce(holding.reserved, 0)
    ORDER BY account, commodity LIMIT 1
    """
)
# Whose they are not does not see them, and reads less than was recorded.
_OWNERS = tuple(
    text(
        f"""
        SELECT 'owner of {table}' AS account, '' AS commodity, p.seq, p.owner_id::text AS expected,
               derived.owner_id::text AS found
        FROM portfolio AS p JOIN {table} AS derived ON derived.portfolio_id = p.id AND derived.owner_id <> p.owner_id
        WHERE p.id = :portfolio_id LIMIT 1
        """  # noqa: S608  the tables are our own
    )
    for table in ("holding", "ledger_snapshot", "snapshot_position", "held_quarter", "daily_flow")
)
_AT_ONCE = (_BEYOND, _STRAY, _HOLDINGS, _RESERVED, *_OWNERS)
_SNAPSHOTS = text(
    """
    SELECT number, first_seq, seq, executed_until, cash, (
        SELECT min(until_number) FROM daily_flow AS f
        WHERE f.portfolio_id = s.portfolio_id AND from_number <= number AND until_number > number
    ) AS made_anew
    FROM ledger_snapshot AS s
    WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL AND seq <= :seq ORDER BY number
    """
)
_THERE = text(
    """
    SELECT EXISTS (
        SELECT FROM ledger_snapshot
        WHERE portfolio_id = :portfolio_id AND number = :number AND dropped_at IS NULL
    )
    """
)
_ROWS = text(
    f"""
    SELECT symbol, currency, quantity, cost, average_cost, realized_pnl, realized, paid,
           CASE WHEN from_number > :previous THEN folded END AS folded, lots_between
    FROM {rows_at()}
    """  # noqa: S608  our own subquery
)


class VerifiedPortfolio(NamedTuple):
    id: UUID
    owner_id: UUID
    lot_method: LotMethod
    seq: int


class Verification:
    """One open transaction in the system role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def portfolios(self, portfolio_id: UUID | None) -> Sequence[VerifiedPortfolio]:
        """Deleted ones too: their ledgers stay."""
        found = await self._session.execute(_PORTFOLIOS, {"portfolio_id": portfolio_id})
        return [VerifiedPortfolio(row.id, row.owner_id, LotMethod(row.lot_method), row.seq) for row in found]

    async def break_in_range(self, portfolio_id: UUID, after: int, until: int) -> LedgerBreak | None:
        return await self._first(_IN_RANGES, {"portfolio_id": portfolio_id, "after": after, "until": until})

    async def break_at_once(self, portfolio_id: UUID) -> LedgerBreak | None:
        return await self._first(_AT_ONCE, {"portfolio_id": portfolio_id})

    async def snapshots(self, portfolio: VerifiedPortfolio) -> Sequence[Sequence[Snapshot]]:
        """In series: the first of each follows from nothing, each of the others from the one before it."""
        found = await self._session.execute(
            _SNAPSHOTS,
            {"portfolio_id": portfolio.id, "fold": fold_name(portfolio.lot_method), "seq": portfolio.seq},
        )
        return [[_snapshot(row) for row in series] for _, series in groupby(found, key=lambda row: row.made_anew)]

    async def kept(self, portfolio_id: UUID, snapshot: Snapshot, previous: int) -> dict[str, KeptInstrument] | None:
        """By symbol; with lots where they were written after snapshot number `previous`.

        None where the snapshot has been dropped meanwhile, whose rows may go.
        """
        keys = {"portfolio_id": portfolio_id, "number": snapshot.number}
        if not await self._session.scalar(_THERE, keys):
            return None
        found = await self._session.execute(_ROWS, keys | {"previous": previous})
        return {
            symbol: KeptInstrument(
                Position(symbol, currency, *numbers),
                realized,
                paid,
                None if folded is None else read_folded(symbol, currency, folded, between),
            )
            for symbol, currency, *numbers, realized, paid, folded, between in found.all()
        }

    async def _first(self, statements: Sequence[Any], parameters: dict[str, Any]) -> LedgerBreak | None:
        for statement in statements:
            row = (await self._session.execute(statement, parameters)).one_or_none()
            if row is not None:
                return LedgerBreak(parameters["portfolio_id"], *row)
        return None


def _snapshot(row: Row) -> Snapshot:
    cash = {name: Decimal(amount) for name, amount in row.cash.items()}
    return Snapshot(row.number, row.first_seq, row.seq, row.executed_until, cash, all_after(row.seq))
