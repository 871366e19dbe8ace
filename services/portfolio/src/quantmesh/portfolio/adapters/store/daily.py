"""What was held and what flowed day by day: from the rows beside a snapshot, and from the journal."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from quantmesh.chassis.sql import Row, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.packing import counts_of, unpacked
from quantmesh.portfolio.adapters.store.since import POSTED_SINCE, bounds_since
from quantmesh.portfolio.adapters.store.snapshots import rows_at
from quantmesh.portfolio.adapters.store.views import SEEN
from quantmesh.portfolio.core.daily_income import DailyIncome, Earner, IncomeTable, income_table
from quantmesh.portfolio.core.day_steps import DaySteps, steps_of
from quantmesh.portfolio.core.held_days import HeldDay, HeldDays, ordinals
from quantmesh.portfolio.core.held_table import HeldTable, held_table
from quantmesh.portfolio.core.ports import DailyFlow, View
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS, DIVIDENDS_PAID
from quantmesh.portfolio.core.scaled import zeros
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
    SELECT flows FROM daily_flow
    WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number AND until_number > :number
    """
)
_KEPT_INCOME = text(
    """
    SELECT earners, owners, days, income, fees FROM daily_flow
    WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number AND until_number > :number
      AND last_day >= :since
    """
)
_STATES = text(f"SELECT symbol, currency, quantity, cost, realized, paid FROM {rows_at()}")  # noqa: S608  our own
# Of each instrument, by its key, the quarters from the one on that has its last day by `since`; fenced, since a planner
# that sees one portfolio's rows alone would rather compare each of them with every instrument.
_DAYS = text(
    """
    SELECT wanted.place, d.quarter, d.days, d.quantities, d.paid, CASE WHEN :explained THEN d.costs END AS costs,
           CASE WHEN :explained THEN d.realized END AS realized
    FROM unnest(CAST(:symbols AS text[])) WITH ORDINALITY AS wanted (symbol, place)
    CROSS JOIN LATERAL (
        SELECT * FROM held_quarter
        WHERE portfolio_id = :portfolio_id AND symbol = wanted.symbol AND from_number <= :number
          AND until_number > :number AND quarter >= (SELECT coalesce((
            SELECT earlier.quarter FROM held_quarter AS earlier
            WHERE earlier.portfolio_id = :portfolio_id AND earlier.symbol = wanted.symbol
              AND earlier.from_number <= :number AND earlier.until_number > :number
              AND earlier.quarter <= :since AND earlier.first_day <= :since
            ORDER BY earlier.quarter DESC LIMIT 1
        ), 0))
        OFFSET 0
    ) AS d
    ORDER BY wanted.place, d.quarter
    """
)


class DailyStore(Owned):
    async def snapshot_days(
        self, portfolio_id: UUID, snapshot: Snapshot, since: date, *, explained: bool
    ) -> Sequence[HeldTable]:
        keys = {"portfolio_id": portfolio_id, "number": snapshot.number}
        states = (await self._session.execute(_STATES, keys)).all()
        symbols, currencies = [row.symbol for row in states], [row.currency for row in states]
        wanted = {"symbols": symbols, "since": since.toordinal(), "explained": explained}
        found = (await self._session.execute(_DAYS, keys | wanted)).all()
        # A snapshot's own day is not over, and may have gone on in the rows beside it.
        today = snapshot.executed_until.date()
        now = held_table(
            ((symbol, currency, [HeldDay(today, *amounts)]) for symbol, currency, *amounts in states),
            explained=explained,
        )
        return _kept_days(symbols, currencies, found, explained=explained), now

    async def flows_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyFlow]:
        found = await self._session.execute(_FLOWS, bounds_since(portfolio_id, view, since))
        return [DailyFlow(*row) for row in found.all()]

    async def income_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyIncome]:
        found = await self._session.execute(_INCOME, bounds_since(portfolio_id, view, since))
        return [DailyIncome(*row) for row in found.all()]

    async def snapshot_flows(self, portfolio_id: UUID, number: int, after: int = 0) -> Sequence[DailyFlow]:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number}
        cells = chain.from_iterable(map(orjson.loads, await self._session.scalars(_KEPT_FLOWS, keys)))
        return [
            DailyFlow(date.fromisoformat(day), currency, Decimal(cash), Decimal(paid_in), Decimal(taken_out), entries)
            for day, currency, cash, paid_in, taken_out, entries in cells
        ]

    async def snapshot_income(
        self, portfolio_id: UUID, number: int, after: int = 0, since: date = date.min
    ) -> IncomeTable:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number, "since": since}
        return read_income((await self._session.execute(_KEPT_INCOME, keys)).all())


def read_income(rows: Sequence[Row]) -> IncomeTable:
    """Of `earners` (symbols and currencies), `owners`, `days`, `income` and `fees`."""
    if not rows:
        return income_table(())
    names, owners, days, income, fees = zip(*rows, strict=True)
    places: dict[str, int] = {}
    # Most snapshots have the same.
    known: dict[str, NDArray[np.intp]] = {}
    for told in names:
        if told not in known:
            of_told = [places.setdefault(name, len(places)) for name in told.split(",")]
            known[told] = np.array(of_told, dtype=np.intp)
    owned = zip(names, np.split(unpacked(owners).units, np.cumsum(counts_of(owners))[:-1]), strict=True)
    return IncomeTable(
        [Earner(*name.split(" ")) for name in places],
        np.concatenate([known[told][of_row] for told, of_row in owned]),
        unpacked(days).units,
        unpacked(income),
        unpacked(fees),
    )


def read_days(quarter: int, columns: Iterable[bytes]) -> HeldDays:
    """Of `days`, `quantities`, `costs`, `realized` and `paid`. Raises ValueError where they are not of one length."""
    days, *amounts = (unpacked([column]) for column in columns)
    if {len(days)} != {*map(len, amounts)}:
        msg = f"{len(days)} days have columns of {[*map(len, amounts)]} amounts"
        raise ValueError(msg)
    return HeldDays(quarter + days.units, *amounts)


def _kept_days(symbols: Sequence[str], currencies: Sequence[str], rows: Sequence[Row], *, explained: bool) -> HeldTable:
    """Of `place` among `symbols` (from one), `quarter`, and columns."""
    if not rows:
        return HeldTable(symbols, currencies, steps_of([ordinals(())] * len(symbols)), *(zeros(0) for _ in range(4)))
    places, quarters, days, quantities, paid, costs, realized = zip(*rows, strict=True)
    counts = counts_of(days)
    return HeldTable(
        symbols,
        currencies,
        DaySteps(
            len(symbols),
            np.repeat(np.array(places, dtype=np.intp) - 1, counts),
            np.repeat(np.array(quarters, dtype=np.int64), counts) + unpacked(days).units,
        ),
        unpacked(quantities),
        unpacked(paid),
        unpacked(costs if explained else ()),
        unpacked(realized if explained else ()),
    )
