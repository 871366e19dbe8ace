"""The performance of a large portfolio, read from its ledger and valued at closes at hand."""

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
from quantmesh.portfolio.core.market import Closes, closes_of
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
        closes = closes_of({day: Decimal("101.37") for day in every if day.weekday() < 5})
        return dict.fromkeys(symbols, closes)


async def measure_performance(database: Database, owner: UUID, portfolio: UUID, now: datetime) -> float:
    """The slowest answer about up to a year, in milliseconds."""

    async def read(view: View, span: Span) -> History:
        async with database.transaction(owner) as session:
            return await read_history(Store(session, owner), portfolio, view, span)

    async def answer(asked: PerformanceQuestion, read_span: Callable[[Span], Awaitable[History]]) -> MeasuredHistory:
        return (await get_performance(read_span, cast("Market", ClosesAtHand()), asked))[1]

    month, year, earlier = timedelta(30), timedelta(365), now - timedelta(400)
    questions = {
        "a month": PerformanceQuestion(now, start=(now - month).date()),
        "a month, explained": PerformanceQuestion(now, start=(now - month).date(), explained=True),
        "a year": PerformanceQuestion(now, start=(now - year).date()),
        "a year, explained": PerformanceQuestion(now, start=(now - year).date(), explained=True),
        "an earlier year, as it was known then": PerformanceQuestion(
            now, known_at=earlier, start=(earlier - year).date(), end=earlier.date()
        ),
        "all its life": PerformanceQuestion(now),
        "all its life, explained": PerformanceQuestion(now, explained=True),
    }
    slowest = 0.0
    for name, asked in questions.items():
        view = View(asked.as_of, asked.known_at)
        spans: list[Span] = []

        async def read_span(span: Span, view: View = view, spans: list[Span] = spans) -> History:
            spans.append(span)
            return await read(view, span)

        days = len((await answer(asked, read_span)).performance.series)
        reads = await median_ms(partial(read, view, spans[0]))
        whole = await median_ms(partial(answer, asked, read_span))
        sys.stdout.write(f"  performance of {name}: {whole:.1f} ms for {days} days, of which {reads:.1f} ms to read\n")
        if asked.start is not None:
            slowest = max(slowest, whole)
    return slowest
