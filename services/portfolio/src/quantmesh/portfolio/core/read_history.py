"""What a portfolio held and what flowed, day by day: as kept with the newest snapshot, and what came on top."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.daily_book import History, held_between
from quantmesh.portfolio.core.daily_flows import FlowTable, flow_table, summed_flows
from quantmesh.portfolio.core.daily_income import DailyIncome, IncomeTable, all_income, income_table
from quantmesh.portfolio.core.fold_ledger import fold_since, newest_snapshot
from quantmesh.portfolio.core.get_positions import multipliers_of
from quantmesh.portfolio.core.held_table import HeldTable, held_table, tables_in_turn
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.option_terms import is_option_symbol
from quantmesh.portfolio.core.ports import Ledger, View


@dataclass(frozen=True, slots=True)
class Span:
    """The days that a history tells of, both included; None: from the beginning, to the view's end.

    `explained`: with costs, what was realised, income and fees too.
    """

    since: date | None = None
    until: date | None = None
    explained: bool = False


async def read_history(ledger: Ledger, portfolio_id: UUID, view: View, span: Span) -> History:
    """The same as the days of a fold of the whole journal."""
    portfolio, recorded_at = await ledger.recorded(portfolio_id)
    view = View(_earlier(view.as_of, span.until), view.known_at, portfolio.seq)
    view, snapshot = await newest_snapshot(ledger, portfolio_id, portfolio.lot_method, view)
    since = span.since or date.min

    async def held() -> HeldTable:
        folded = await fold_since(ledger, portfolio_id, portfolio.lot_method, view, snapshot)
        instruments = ((symbol, lots.currency, lots.days) for symbol, lots in folded.items())
        return held_table(instruments, explained=span.explained)

    async def held_before() -> Sequence[HeldTable]:
        if snapshot is None:
            return ()
        return await ledger.snapshot_days(portfolio_id, snapshot, since, explained=span.explained)

    async def flows() -> list[FlowTable]:
        before = flow_table(()) if snapshot is None else await ledger.snapshot_flows(portfolio_id, snapshot.number)
        return [before, flow_table(await ledger.flows_since(portfolio_id, view, snapshot))]

    async def income() -> list[IncomeTable]:
        if not span.explained:
            return []
        before = income_table(())
        if snapshot is not None:
            before = await ledger.snapshot_income(portfolio_id, snapshot.number, since=since)
        return [before, income_table(await ledger.income_since(portfolio_id, view, snapshot))]

    try:
        # What is large comes early, so that it is taken apart while Postgres answers the rest.
        async with asyncio.TaskGroup() as group:
            later = group.create_task(held())
            earned = group.create_task(income())
            before = group.create_task(held_before())
            flowed = group.create_task(flows())
    except ExceptionGroup as failed:
        # One of them: the others were ended, since they share a transaction.
        raise failed.exceptions[0] from None
    held_in_turn = tables_in_turn([*before.result(), later.result()])
    return History(
        portfolio,
        recorded_at,
        held_in_turn,
        summed_flows(flowed.result()),
        all_income(earned.result()),
        span.since,
        await _multipliers(ledger, portfolio_id, held_in_turn, span),
    )


async def _multipliers(ledger: Ledger, portfolio_id: UUID, held: HeldTable, span: Span) -> dict[str, Decimal]:
    """Of the options that were held on some of the days."""
    options = {symbol for symbol in held.symbols if is_option_symbol(symbol)}
    if options:
        options &= {*held_between(held, span.since or date.min, span.until or date.max)}
    return await multipliers_of(ledger, portfolio_id, options) if options else {}


@exactly
def summed_income(income: Iterable[DailyIncome]) -> list[DailyIncome]:
    """One per day, instrument and currency that earned or cost something, in their order."""
    found: dict[tuple[date, str, str], DailyIncome] = {}
    for item in income:
        key = item.day, item.symbol, item.currency
        before = found.get(key)
        if before is None:
            found[key] = item
        else:
            found[key] = DailyIncome(*key, before.income + item.income, before.fees + item.fees)
    return sorted(item for item in found.values() if item.income or item.fees)


def _earlier(as_of: datetime | None, until: date | None) -> datetime | None:
    if until is None or until == date.max:
        return as_of
    end = datetime.combine(until + timedelta(1), time(), UTC) - timedelta(microseconds=1)
    return end if as_of is None else min(as_of, end)
