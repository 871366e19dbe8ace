"""The performance of a large portfolio: the read of its ledger, and the valuation of its days at closes at hand."""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import cast
from uuid import UUID

from quantmesh.chassis.database import Database
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.daily_book import History
from quantmesh.portfolio.core.get_performance import MeasuredHistory, PerformanceQuestion, get_performance
from quantmesh.portfolio.core.market import Closes
from quantmesh.portfolio.core.ports import Market, View
from quantmesh.portfolio.core.read_history import Span, read_history

ROUNDS = 11


async def median_ms(work: Callable[[], Awaitable[object]]) -> float:
    await work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


class ClosesAtHand:
    """Each weekday has a close of each instrument."""

    async def closes(self, symbols: Collection[str], start: date, end: date, *_: object) -> Mapping[str, Closes]:
        every = [start + timedelta(number) for number in range((end - start).days + 1)]
        closes = {day: Decimal("101.37") for day in every if day.weekday() < 5}
        return dict.fromkeys(symbols, closes)


async def measure_performance(database: Database, owner: UUID, portfolio: UUID, now: datetime) -> float:
    """The slowest read of up to a year, in milliseconds."""

    async def read(view: View, span: Span) -> History:
        async with database.transaction(owner) as session:
            return await read_history(Store(session, owner), portfolio, view, span)

    async def value(history: History, asked: PerformanceQuestion) -> MeasuredHistory:
        async def at_hand(_: Span) -> History:
            return history

        return (await get_performance(at_hand, cast("Market", ClosesAtHand()), asked))[1]

    month, year, earlier = timedelta(30), timedelta(365), now - timedelta(400)
    spans = {
        "a month": (View(now), Span((now - month).date(), now.date())),
        "a month, explained": (View(now), Span((now - month).date(), now.date(), explained=True)),
        "a year": (View(now), Span((now - year).date(), now.date())),
        "a year, explained": (View(now), Span((now - year).date(), now.date(), explained=True)),
        "an earlier year, as it was known then": (
            View(now, known_at=earlier), Span((earlier - year).date(), earlier.date())
        ),
        "all its life": (View(now), Span()),
    }  # fmt: skip
    slowest = 0.0
    for name, (view, span) in spans.items():
        history = await read(view, span)
        asked = PerformanceQuestion(now, view.known_at, span.since, span.until, explained=span.explained)
        took, valued = await median_ms(partial(read, view, span)), await median_ms(partial(value, history, asked))
        days = len((await value(history, asked)).performance.series)
        sys.stdout.write(f"  performance of {name}: {took:.1f} ms, then {valued:.1f} ms to value {days} days\n")
        if span.since is not None:
            slowest = max(slowest, took)
    return slowest
