"""Performance is the same from what lies beside snapshots as from a fold of everything, exactly."""

import random
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.translate import LOT_METHODS
from quantmesh.portfolio.adapters.verifier import Verifier
from quantmesh.portfolio.core.daily_book import History
from quantmesh.portfolio.core.get_performance import MeasuredHistory, PerformanceQuestion, get_performance
from quantmesh.portfolio.core.held_days import HeldDay, changes
from quantmesh.portfolio.core.market import Closes
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.read_history import Span, read_history, summed_income

from .fakes import NO_CONTEXT, FakeMarket, Service, User
from .ledger_views import Counting, WithoutSnapshots
from .random_entries import random_trade, record_or_take_back
from .test_corrections import reverse

FIRST_DAY = datetime(2019, 12, 20, tzinfo=UTC)
DAYS = 150
SYMBOLS = {"AAPL": "USD", "MSFT": "USD", "IBM": "USD", "SAP": "EUR"}
# Of all days those that have a close, or a rate; in sparse markets none may be in or for weeks before a period.
DENSE, SPARSE = (0.65, 0.7), [(0.02, 0.02), (0.05, 0.02), (0.15, 0.05)]


class CountingMarket(FakeMarket):
    """Knows of what closes were asked, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_closes: list[set[str]] = []

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        self.asked_closes.append({*symbols})
        return await super().closes(symbols, start, end, as_of, known_at)


def arrange(market: FakeMarket, chance: random.Random, closing: float, publishing: float) -> None:
    """Closes and rates with holes; two instruments have their first close late, and one none at all."""
    days = [(FIRST_DAY + timedelta(days=number)).date() for number in range(DAYS + 10)]
    published = [day for day in days if day == days[0] or chance.random() < publishing]
    market.rates["EUR", "USD"] = {day: Decimal(chance.randrange(100, 130)) / 100 for day in published}
    for symbol, since in (("AAPL", 0), ("SAP", 20), ("MSFT", 60)):
        of_symbol = [day for day in days[since:] if chance.random() < closing]
        market.history[symbol] = {day: Decimal(chance.randrange(5000, 15000)) / 100 for day in of_symbol}


async def record_something(
    service: Service, user: User, portfolio_id: str, done: list[str], chance: random.Random
) -> None:
    """Often late; what the books refuse is left out."""
    service.clock.time += timedelta(minutes=1)
    newest = chance.random() < 0.5
    day = len(done) * DAYS // 130 if newest else chance.randrange(1, DAYS)
    at = FIRST_DAY + timedelta(days=min(day, DAYS), hours=chance.choice([0, 9, 15, 23]))
    trade = random_trade(chance, [*SYMBOLS])
    symbol, quantity, price = trade.values()
    trade["fee"] = chance.choice(["0", "1.50"])
    currency = chance.choice(["USD", "EUR"])
    kinds: dict[str, dict[str, str]] = {
        "buy": trade,
        "sell": trade,
        "split": {"symbol": "IBM", "split_ratio": "2"},
        "dividend": {"symbol": symbol, "amount": price},
        "deposit": {"amount": price, "currency": currency},
        "withdrawal": {"amount": quantity, "currency": currency},
        "interest": {"amount": quantity, "currency": currency},
        "fee": {"amount": quantity, "currency": currency},
    }
    kind = chance.choice(["buy", "buy", "buy", "sell", "sell", "reversal", "reversal", *kinds])
    await record_or_take_back(user, portfolio_id, done, chance, kind, at, kinds.get(kind, {}))


def told(history: History, since: date) -> tuple[Any, ...]:
    """What it says from the end of `since` on, however it was put together."""
    held = days_of(history)
    currencies = dict(zip(history.held.symbols, history.held.currencies, strict=True))
    instruments = {}
    for symbol, days in held.items():
        begun = [each[1:] for each in days if each.day <= since]
        instruments[symbol] = currencies[symbol], begun[-1:], [each for each in days if each.day > since]
    moved = {symbol: each for symbol, each in instruments.items() if each[1:] != ([], [])}
    income = summed_income(history.income.items())
    return moved, history.flows.items(), [item for item in income if item.day >= since]


def days_of(history: History) -> dict[str, list[HeldDay]]:
    """By symbol, each day on which an amount changed."""
    held = history.held
    days = np.unique(held.steps.days)
    standing = held.steps.at(days)
    found = {}
    for place, symbol in enumerate(held.symbols):
        amounts = (
            column.taken(standing[place]).decimals()
            for column in (held.quantities, held.costs, held.realized, held.paid)
        )
        found[symbol] = changes(
            HeldDay(date.fromordinal(day), *of_day) for day, *of_day in zip(days.tolist(), *amounts, strict=True)
        )
    return found


async def read(
    service: Service, user: User, portfolio_id: str, view: View, store: type[Store], whole: bool, span: Span
) -> History:
    async with service.database.transaction(user.owner_id) as session:
        asked = Span(None, span.until, span.explained) if whole else span
        return await read_history(store(session, user.owner_id), UUID(portfolio_id), view, asked)


async def measured(
    service: Service, user: User, portfolio_id: str, asked: PerformanceQuestion, *, from_nothing: bool
) -> MeasuredHistory:
    """From nothing: without a snapshot, and with all of the portfolio's life before the period."""
    view = View(asked.as_of, asked.known_at)
    store = WithoutSnapshots if from_nothing else Store
    reading = partial(read, service, user, portfolio_id, view, store, from_nothing)
    return (await get_performance(reading, service.market, asked))[1]


@pytest.mark.parametrize(("lots", "method"), LOT_METHODS.items())
async def test_performance_is_that_of_a_fold_from_nothing(service: Service, lots: int, method: LotMethod) -> None:
    chance = random.Random(lots)  # noqa: S311  a ledger that can be replayed, no secret
    user = service.user()
    portfolio = await user.create(lots=lots)
    for currency in ("USD", "EUR"):
        await user.record(portfolio.id, type="deposit", amount="100000", currency=currency, at=FIRST_DAY.isoformat())
    known: list[datetime | None] = [None]
    done: list[str] = []
    for number in range(130):
        await record_something(service, user, portfolio.id, done, chance)
        known.append(service.clock.now())
        if number % 8 == 7:
            await SnapshotMaker(service.database, due_events=1, step=chance.choice([2, 5, 12, 1000])).make_due()
    for number in range(80):
        if number % 20 == 0:
            arrange(service.market, chance, *(chance.choice(SPARSE) if number % 40 else DENSE))
        as_of = FIRST_DAY + timedelta(days=chance.randrange(1, DAYS + 9), hours=chance.choice([0, 12, 23]))
        start = None if number % 4 == 0 else as_of.date() - timedelta(chance.randrange(90))
        end = None if start is None or number % 3 else start + timedelta(chance.randrange(40))
        asked = PerformanceQuestion(as_of, chance.choice(known), start, end, explained=number % 2 == 0)
        quick = await measured(service, user, portfolio.id, asked, from_nothing=False)
        assert quick == await measured(service, user, portfolio.id, asked, from_nothing=True), asked
        span = Span(start, end, explained=True)
        view = View(as_of, asked.known_at)
        histories = [
            await read(service, user, portfolio.id, view, store, False, span) for store in (Store, WithoutSnapshots)
        ]
        since = start or date.min
        assert told(histories[0], since) == told(histories[1], since), (view, span)
    assert [broken async for broken in Verifier(service.database).verify()] == []


async def test_what_was_taken_back_leaves_no_day_and_no_price(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    # There is no close of it: it is worth what was last paid.
    await user.buy(portfolio.id, "2", "10", "2020-01-02", "IBM")
    wrong = [
        await user.record(portfolio.id, type="deposit", amount="500", currency="USD", at="2020-01-06"),
        await user.buy(portfolio.id, "1", "99", "2020-01-07", "IBM"),
    ]

    async def told() -> list[tuple[str, str, str]]:
        user.call()
        answer = await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
        return [(point.date, point.value.value, point.net_flow.value) for point in answer.series]

    maker = SnapshotMaker(service.database, due_events=1, step=1)
    await maker.make_due()
    mistaken = ("2020-01-06", "1500.00", "500.00"), ("2020-01-07", "1678.00", "0.00")
    assert await told() == [("2020-01-02", "1000.00", "1000.00"), *mistaken]
    for answer in wrong:
        await reverse(user, portfolio.id, answer.transaction.id)
    assert await told() == [("2020-01-02", "1000.00", "1000.00")]
    await maker.make_due()
    assert await told() == [("2020-01-02", "1000.00", "1000.00")]


async def test_a_quarter_begins_later_once_its_first_day_was_taken_back(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id, at="2020-01-02")
    await user.buy(portfolio.id, "2", "10", "2020-03-02")
    wrong = await user.buy(portfolio.id, "3", "10", "2020-04-06")
    maker = SnapshotMaker(service.database, due_events=1)
    await maker.make_due()
    await reverse(user, portfolio.id, wrong.transaction.id)
    await user.buy(portfolio.id, "5", "10", "2020-04-20")
    await maker.make_due()
    history = await read(service, user, portfolio.id, View(), Store, False, Span(date(2020, 4, 10), explained=True))
    held = {each.day: each.quantity for each in days_of(history)["AAPL"]}
    assert held == {date(2020, 3, 2): Decimal(2), date(2020, 4, 20): Decimal(7)}


async def test_what_is_reversed_counts_neither_as_paid_in_nor_as_taken_out(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    recorded = {}
    for kind, amount in (("deposit", "500"), ("deposit", "300"), ("withdrawal", "40"), ("withdrawal", "70")):
        answer = await user.record(portfolio.id, type=kind, amount=amount, currency="USD", at="2020-01-06")
        recorded[amount] = answer.transaction.id

    async def flowed() -> set[tuple[str, ...]]:
        """Cash, deposits and withdrawals, with snapshots and without."""
        histories = [
            await read(service, user, portfolio.id, View(), store, False, Span()) for store in (Store, WithoutSnapshots)
        ]
        flows = [flow for history in histories for flow in history.flows.items() if flow.day == date(2020, 1, 6)]
        return {
            tuple(str(round(amount, 2)) for amount in (flow.cash, flow.deposits, flow.withdrawals)) for flow in flows
        }

    maker = SnapshotMaker(service.database, due_events=1, step=1)
    await maker.make_due()
    assert await flowed() == {("690.00", "800.00", "110.00")}
    for amount in ("500", "40"):
        await reverse(user, portfolio.id, recorded[amount])
    assert await flowed() == {("230.00", "300.00", "70.00")}
    await maker.make_due()
    assert await flowed() == {("230.00", "300.00", "70.00")}


async def test_closes_are_asked_of_what_was_held_in_the_period_alone(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, at="2020-01-02")
    trades = [
        ("buy", "AAPL", "2020-11-20"),
        ("buy", "IBM", "2020-01-03"),
        ("sell", "IBM", "2020-01-06"),
        ("buy", "MSFT", "2020-12-02"),
        ("sell", "MSFT", "2020-12-04"),
        ("buy", "AAPL", "2020-12-10"),
    ]
    for kind, symbol, day in trades:
        await user.record(portfolio.id, type=kind, symbol=symbol, quantity="1", price="10", currency="USD", at=day)
    market = CountingMarket()
    every_day = {date(2020, 11, 1) + timedelta(number): Decimal(10) for number in range(60)}
    market.history = {"AAPL": every_day, "IBM": every_day, "MSFT": every_day}
    asked = PerformanceQuestion(datetime(2020, 12, 20, tzinfo=UTC), None, date(2020, 12, 1))
    reading = partial(read, service, user, portfolio.id, View(asked.as_of), Store, False)
    await get_performance(reading, market, asked)
    await SnapshotMaker(service.database, due_events=1).make_due()
    await get_performance(reading, market, asked)
    assert market.asked_closes == 2 * [{"AAPL", "MSFT"}]


async def test_a_read_of_a_period_takes_the_days_that_are_kept(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id, at="2020-01-02")
    rows = [f"buy,AAPL,1,10,2,2020-{month:02}-{day:02}T15:00:00Z" for month in range(2, 12) for day in range(1, 29)]
    await user.import_csv(portfolio.id, "type,symbol,quantity,price,fee,executed_at\n" + "\n".join(rows))
    await SnapshotMaker(service.database, due_events=1, step=10).make_due()
    await user.buy(portfolio.id, "1", "11", "2020-12-01")
    async with service.database.transaction(user.owner_id) as session:
        store = Counting(session, user.owner_id)
        span = Span(date(2020, 5, 15), date(2020, 12, 31), explained=True)
        history = await read_history(store, UUID(portfolio.id), View(), span)
    assert store.read == 1
    days = [each.day for each in days_of(history)["AAPL"]]
    # From the quarter on that begins before the period.
    assert (days[0], days[-1], len(days)) == (date(2020, 4, 1), date(2020, 12, 1), 8 * 28 + 1)
    # From the snapshot on that has the period's first day.
    earned = [item.day for item in summed_income(history.income.items())]
    assert (earned[0], earned[-1], len(earned)) == (date(2020, 5, 6), date(2020, 11, 28), 23 + 6 * 28)
