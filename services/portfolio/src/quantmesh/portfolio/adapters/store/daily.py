"""What was held and what flowed day by day: from the rows beside a snapshot, and from the journal."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.since import POSTED_SINCE, bounds_since
from quantmesh.portfolio.adapters.store.snapshots import ROWS_AT
from quantmesh.portfolio.adapters.store.views import SEEN
from quantmesh.portfolio.core.held_days import NOTHING_HELD, Column, HeldDay, HeldDays, HeldInstrument, in_columns
from quantmesh.portfolio.core.ports import DailyFlow, DailyIncome, View
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS, DIVIDENDS_PAID
from quantmesh.portfolio.core.snapshots import Snapshot

DAY = "(t.executed_at AT TIME ZONE 'UTC')::date"
FLOWING = f"p.account IN ('{CASH}', '{CONTRIBUTIONS}')"
EARNING = "(p.account LIKE 'income:%' OR p.account LIKE 'expenses:%')"
# A reversal takes back what it reverses, from where that was counted.
FLOW_SUMS = f"""
    coalesce(sum(p.amount) FILTER (WHERE p.account = '{CASH}'), 0) AS cash,
    coalesce(-sum(p.amount) FILTER (
        WHERE p.account = '{CONTRIBUTIONS}' AND (p.amount < 0) <> (t.type = 'reversal')), 0) AS deposits,
    coalesce(sum(p.amount) FILTER (
        WHERE p.account = '{CONTRIBUTIONS}' AND (p.amount < 0) = (t.type = 'reversal')), 0) AS withdrawals,
    coalesce(sum(CASE t.type WHEN 'reversal' THEN -1 ELSE 1 END) FILTER (WHERE {FLOWING}), 0) AS entries"""
# What is paid on instruments that are owed is income turned.
INCOME_SUMS = f"""
    coalesce(-sum(p.amount) FILTER (WHERE p.account LIKE 'income:%' OR p.account = '{DIVIDENDS_PAID}'), 0) AS income,
    coalesce(sum(p.amount) FILTER (WHERE p.account LIKE 'expenses:%' AND p.account <> '{DIVIDENDS_PAID}'), 0) AS fees"""
_FLOWS = text(
    f"""
    SELECT {DAY} AS day, p.commodity, {FLOW_SUMS}
    FROM {POSTED_SINCE} WHERE {SEEN} AND {FLOWING} GROUP BY 1, 2
    """  # noqa: S608  the fragments are our own
)
_INCOME = text(
    f"""
    SELECT {DAY} AS day, t.symbol, p.commodity, {INCOME_SUMS}
    FROM {POSTED_SINCE} WHERE {SEEN} AND {EARNING} GROUP BY 1, 2, 3
    """  # noqa: S608  the fragments are our own
)
_KEPT_FLOWS = text(
    """
    SELECT flows FROM snapshot_flow
    WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number AND until_number > :number
    """
)
_KEPT_INCOME = text(
    """
    SELECT income FROM snapshot_flow
    WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number AND until_number > :number
      AND last_day >= :since
    """
)
_STATES = text(f"SELECT symbol, currency, quantity, cost, realized, paid FROM {ROWS_AT}")  # noqa: S608  our own
# Of each instrument the quarters from the one on that has its last day by `since`.
_DAYS = text(
    """
    SELECT wanted.symbol, string_agg(days, ',' ORDER BY quarter) AS days,
           string_agg(quantities, ',' ORDER BY quarter) AS quantities,
           string_agg(CASE WHEN :costs THEN costs END, ',' ORDER BY quarter) AS costs,
           string_agg(CASE WHEN :costs THEN realized END, ',' ORDER BY quarter) AS realized,
           string_agg(paid, ',' ORDER BY quarter) AS paid
    FROM unnest(CAST(:symbols AS text[])) AS wanted (symbol)
    JOIN snapshot_days AS d ON d.portfolio_id = :portfolio_id AND d.symbol = wanted.symbol
    WHERE from_number <= :number AND until_number > :number AND quarter >= coalesce((
        SELECT earlier.quarter FROM snapshot_days AS earlier
        WHERE earlier.portfolio_id = :portfolio_id AND earlier.symbol = wanted.symbol
          AND earlier.from_number <= :number AND earlier.until_number > :number AND earlier.first_day <= :since
        ORDER BY earlier.quarter DESC LIMIT 1
    ), '-infinity')
    GROUP BY wanted.symbol
    """
)


class DailyStore(Owned):
    async def snapshot_days(
        self, portfolio_id: UUID, snapshot: Snapshot, since: date, *, costs: bool
    ) -> dict[str, HeldInstrument]:
        keys = {"portfolio_id": portfolio_id, "number": snapshot.number}
        states = (await self._session.execute(_STATES, keys)).all()
        wanted = {"symbols": [row.symbol for row in states], "since": since, "costs": costs}
        found = await self._session.execute(_DAYS, keys | wanted)
        kept = {symbol: columns(row) for symbol, *row in found}
        # A snapshot's own day is not over, and may have gone on in the rows beside it.
        today = snapshot.executed_until.date()
        return {
            symbol: HeldInstrument(
                currency, kept.get(symbol, NOTHING_HELD).then(in_columns([HeldDay(today, *amounts)]))
            )
            for symbol, currency, *amounts in states
        }

    async def flows_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyFlow]:
        found = await self._session.execute(_FLOWS, bounds_since(portfolio_id, view, since))
        return [DailyFlow(*row) for row in found.all()]

    async def income_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyIncome]:
        found = await self._session.execute(_INCOME, bounds_since(portfolio_id, view, since))
        return [DailyIncome(*row) for row in found.all()]

    async def snapshot_flows(self, portfolio_id: UUID, number: int, after: int = 0) -> Sequence[DailyFlow]:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number}
        cells = _cells(await self._session.scalars(_KEPT_FLOWS, keys))
        return [
            DailyFlow(date.fromisoformat(day), currency, Decimal(cash), Decimal(paid_in), Decimal(taken_out), entries)
            for day, currency, cash, paid_in, taken_out, entries in cells
        ]

    async def snapshot_income(
        self, portfolio_id: UUID, number: int, after: int = 0, since: date = date.min
    ) -> Sequence[DailyIncome]:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number, "since": since}
        cells = _cells(await self._session.scalars(_KEPT_INCOME, keys))
        return [
            DailyIncome(date.fromisoformat(day), symbol, currency, Decimal(income), Decimal(fees))
            for day, symbol, currency, income, fees in cells
        ]


def columns(texts: Iterable[str | None]) -> HeldDays:
    """What is parted by commas: days, then each of the amounts that were asked for."""
    told, *amounts = texts
    days = np.fromstring(told or "", dtype=np.int64, sep=",")
    return HeldDays(days, *(Column() if column is None else Column([(column, len(days))]) for column in amounts))


def _cells(texts: Iterable[str]) -> Iterable[list[Any]]:
    for each in texts:
        yield from orjson.loads(each)
