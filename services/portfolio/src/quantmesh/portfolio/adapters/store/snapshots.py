"""Snapshots of the ledger, and reads from them; a row per instrument for as long as that stayed the same."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Row, text
from quantmesh.portfolio.adapters.store.lot_rows import read_folded
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.views import bounds, instant
from quantmesh.portfolio.core.lots import FoldedLots, Position
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import Snapshot, merged

# In characters: longer texts of lots are read beside the event loop.
_READ_AT_ONCE = 100_000
# Of the log after a snapshot: where something was executed by its end, as each making told of what had been recorded
# since the one before it; and what is after the last making.
_FIND = text(
    """
    SELECT s.number, s.first_seq, s.seq, s.executed_until, s.cash, ARRAY(
        SELECT ARRAY[greatest(later.after_seq, s.seq), later.seq] FROM ledger_snapshot AS later
        WHERE later.portfolio_id = s.portfolio_id AND later.fold = s.fold AND later.dropped_at IS NULL
          AND later.seq > s.seq AND later.executed_from <= s.executed_until
        UNION ALL
        SELECT ARRAY[max(made.seq), 9223372036854775807] FROM ledger_snapshot AS made
        WHERE made.portfolio_id = s.portfolio_id AND made.fold = s.fold AND made.dropped_at IS NULL
    ) AS late
    FROM (
        SELECT * FROM ledger_snapshot
        WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL AND first_seq <= :seq
          AND executed_until <= CAST(:as_of AS timestamptz) AND executed_until < CAST(:before AS timestamptz)
        ORDER BY number DESC
        LIMIT 1
    ) AS s
    """
)
# The log's times never run backwards, and its numbers have no gap: some twenty looks at its key, fenced so that no
# planner would rather read them all, find the last that was known then. Where a snapshot has all that was recorded
# until a later number, none of it was executed after that one.
_KNOWN = text(
    """
    WITH RECURSIVE search (low, high) AS (
        SELECT CAST(0 AS bigint), CAST(:seq AS bigint)
        UNION ALL
        SELECT CASE WHEN known THEN middle ELSE low END, CASE WHEN known THEN high ELSE middle - 1 END
        FROM search
        CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS halved
        CROSS JOIN LATERAL (
            SELECT recorded_at <= CAST(:known_at AS timestamptz) AS known FROM account_event
            WHERE portfolio_id = :portfolio_id AND seq = middle
            OFFSET 0
        ) AS looked
        WHERE low < high
    )
    SELECT low AS seq, (
        SELECT min(executed_until) FROM ledger_snapshot
        WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL
          AND first_seq >= low AND (whole OR first_seq < seq)
    ) AS executed_until
    FROM search WHERE low = high
    """
)


# The row of the instrument `wanted.symbol`, by its key.
_BY_KEY = """(
            SELECT * FROM snapshot_position AS p
            WHERE p.portfolio_id = :portfolio_id AND p.symbol = wanted.symbol AND p.from_number <= :number
            ORDER BY p.from_number DESC LIMIT 1
        )"""


def rows_at(condition: str = "true") -> str:
    """The row of each instrument at a snapshot, where a condition on its symbol holds.

    Every instrument that ever moved has a row that ends nowhere or, until a pass that makes all anew has come to it,
    one that ended where that pass began. These serve what did not move since; most that did have a row that ends with
    the next snapshot, which lie side by side. The others' are found by their key, one by one.
    """
    last = f"""snapshot_position
            WHERE portfolio_id = :portfolio_id AND {condition} AND until_number = ANY (
                ARRAY(SELECT number FROM ledger_snapshot WHERE portfolio_id = :portfolio_id AND after_seq = 0)
                || 9223372036854775807 || CAST(:number + 1 AS bigint)
            )"""  # noqa: S608  the condition is our own
    serves = "from_number <= :number AND until_number > :number"
    return f"""(
        SELECT * FROM {last} AND {serves}
        UNION ALL
        SELECT newest.* FROM (
            SELECT symbol FROM {last}
            GROUP BY symbol HAVING NOT bool_or({serves})
        ) AS wanted
        CROSS JOIN LATERAL {_BY_KEY} AS newest
        WHERE newest.until_number > :number
    ) AS held"""  # noqa: S608  our own fragments


_POSITIONS = text(
    f"""
    SELECT symbol, currency, quantity, cost, average_cost, realized_pnl
    FROM {rows_at("symbol NOT IN (SELECT unnest(CAST(:moved AS text[])))")}
    WHERE quantity <> 0
    """  # noqa: S608  our own subquery
)
# What moved after a snapshot has mostly a row that ends with the next one, and those lie side by side; the others are
# found by their key. IS TRUE keeps the symbols a hash: a plan for all values takes them for ten, and would join each
# with each.
_LOTS = text(
    f"""
    WITH ended AS MATERIALIZED (
        SELECT symbol, currency, folded, lots_between FROM snapshot_position
        WHERE portfolio_id = :portfolio_id AND until_number = :number + 1
          AND (symbol IN (SELECT unnest(CAST(:symbols AS text[])))) IS TRUE
    ), goes_on AS (
        SELECT held.symbol, currency, folded, lots_between
        FROM (SELECT unnest(CAST(:symbols AS text[])) EXCEPT SELECT symbol FROM ended) AS wanted (symbol)
        CROSS JOIN LATERAL {_BY_KEY} AS held
        WHERE until_number > :number
    )
    SELECT symbol, currency, folded, CASE WHEN :whole THEN lots_between ELSE '' END AS lots_between
    FROM (TABLE ended UNION ALL TABLE goes_on) AS found
    """  # noqa: S608  our own subquery
)


class SnapshotStore(Owned):
    async def snapshot(
        self, portfolio_id: UUID, view: View, fold: str, before: datetime | None = None
    ) -> Snapshot | None:
        found = await self._session.execute(
            _FIND, bounds(portfolio_id, view) | {"fold": fold, "before": instant(before)}
        )
        row = found.one_or_none()
        if row is None:
            return None
        cash = {currency: Decimal(amount) for currency, amount in row.cash.items()}
        late = merged((after, until) for after, until in row.late)
        return Snapshot(row.number, row.first_seq, row.seq, row.executed_until, cash, late)

    async def known(self, portfolio_id: UUID, view: View, fold: str) -> View:
        row = (await self._session.execute(_KNOWN, bounds(portfolio_id, view) | {"fold": fold})).one()
        ends = [moment for moment in (view.as_of, row.executed_until) if moment is not None]
        return View(min(ends, default=None), view.known_at, row.seq)

    async def snapshot_positions(
        self, portfolio_id: UUID, snapshot: Snapshot, moved: Collection[str]
    ) -> list[Position]:
        found = await self._session.execute(
            _POSITIONS, {"portfolio_id": portfolio_id, "number": snapshot.number, "moved": list(moved)}
        )
        return [Position(*row) for row in found.all()]

    async def snapshot_lots(
        self, portfolio_id: UUID, snapshot: Snapshot, symbols: Collection[str], *, whole: bool = False
    ) -> dict[str, FoldedLots]:
        found = await self._session.execute(
            _LOTS, {"portfolio_id": portfolio_id, "number": snapshot.number, "symbols": list(symbols), "whole": whole}
        )
        if whole and sum(len(row.lots_between) for row in found) > _READ_AT_ONCE:
            return await asyncio.to_thread(_folded, found.all())
        return _folded(found.all())


def _folded(rows: Iterable[Row]) -> dict[str, FoldedLots]:
    return {row.symbol: read_folded(*row) for row in rows}
