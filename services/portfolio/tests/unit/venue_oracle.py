"""A venue without any structure: every order is looked at on every quote. And random days for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np

from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.venue.model import Action, RestingOrder

OPEN = datetime(2022, 12, 20, 14, 30, tzinfo=UTC)
# What happened: the action, the order's id, and the quantity of a fill.
Done = tuple[Action, UUID, Decimal]


class NaiveVenue:
    def __init__(self) -> None:
        self.orders: dict[UUID, RestingOrder] = {}
        self.last: dict[str, tuple[datetime, dict[OrderSide, Decimal]]] = {}

    def on_quote(self, quote: Quote) -> Iterator[Done]:
        last, used = self.last.get(quote.symbol, (quote.time, dict.fromkeys(OrderSide, Decimal(0))))
        if quote.time < last:
            return
        for order in sorted(self.of(quote.symbol), key=lambda one: (one.expires_at or OPEN, one.id)):
            if order.expires_at is not None and order.expires_at <= quote.time:
                yield Action.EXPIRE, self.orders.pop(order.id).id, Decimal(0)
        if quote.stale or not quote.bid or not quote.ask or quote.bid > quote.ask:
            return
        if quote.time > last:
            used = dict.fromkeys(OrderSide, Decimal(0))
        self.last[quote.symbol] = quote.time, used
        yield from self.triggers(quote)
        for side, price, size in (("buy", quote.ask, quote.ask_size), ("sell", quote.bid, quote.bid_size)):
            yield from self.fills(quote.symbol, OrderSide(side), price, size, used)

    def of(self, symbol: str) -> list[RestingOrder]:
        return [order for order in self.orders.values() if order.symbol == symbol]

    def triggers(self, quote: Quote) -> Iterator[Done]:
        for side, sign in ((OrderSide.BUY, 1), (OrderSide.SELL, -1)):
            waiting = [one for one in self.of(quote.symbol) if one.side is side]
            stops = [(sign * one.stop_price, one.priority_at, one.id) for one in waiting if one.stop_price is not None]
            for stop in sorted(stops):
                if stop[0] <= sign * quote.price:
                    self.orders[stop[2]] = replace(self.orders[stop[2]], stop_price=None)
                    yield Action.TRIGGER, stop[2], Decimal(0)

    def fills(
        self, symbol: str, side: OrderSide, price: Decimal, size: Decimal | None, used: dict[OrderSide, Decimal]
    ) -> Iterator[Done]:
        sign = 1 if side is OrderSide.BUY else -1
        ready = [one for one in self.of(symbol) if one.side is side and one.stop_price is None]
        any_price = [one for one in ready if one.limit_price is None]
        limited = [(-sign * one.limit_price, one) for one in ready if one.limit_price is not None]
        within = [(turned, one) for turned, one in limited if turned <= -sign * price]
        queue = sorted(any_price, key=lambda one: (one.priority_at, one.id))
        queue += [one for _, one in sorted(within, key=lambda pair: (pair[0], pair[1].priority_at, pair[1].id))]
        for order in queue:
            quantity = order.open_quantity if size is None else min(order.open_quantity, size - used[side])
            if quantity > 0:
                used[side] += quantity
                self.orders[order.id] = replace(order, open_quantity=order.open_quantity - quantity)
                if not self.orders[order.id].open_quantity:
                    del self.orders[order.id]
                yield Action.FILL, order.id, quantity


@dataclass(frozen=True)
class RandomDay:
    """Quotes in order, and before each of them (by its place) what arrives: orders, or ids of cancelled ones."""

    quotes: Sequence[Quote]
    arrivals: dict[int, list[RestingOrder | UUID]]


def random_day(seed: int, ticks: int, orders: int, symbols: Sequence[str] = ("AAPL", "MSFT")) -> RandomDay:
    """With bad quotes among the good ones, many orders at the same prices and times, and sizes that do not suffice."""
    random = np.random.default_rng(seed)
    prices = dict.fromkeys(symbols, 10_000)
    quotes, moment = [], OPEN
    for _ in range(ticks):
        symbol = str(random.choice(symbols))
        moment += timedelta(seconds=int(random.choice([0, 1, 5])))
        prices[symbol] = max(9_000, prices[symbol] + int(random.integers(-12, 13)))
        middle, half = Decimal(prices[symbol]) / 100, Decimal(int(random.integers(0, 4))) / 100
        trouble = random.choice(["", "", "", "", "", "", "", "stale", "crossed", "one-sided", "late", "sizeless"])
        size = None if trouble == "sizeless" else Decimal(int(random.integers(0, 40)))
        bid, ask = (middle + half, middle - half) if trouble == "crossed" and half else (middle - half, middle + half)
        late = timedelta(seconds=60 if trouble == "late" else 0)
        quotes.append(
            Quote(
                symbol,
                middle,
                None if trouble == "one-sided" else bid,
                ask,
                moment - late,
                trouble == "stale",
                "USD",
                size,
                size,
            )
        )
    arrivals: dict[int, list[RestingOrder | UUID]] = {}
    placed: list[UUID] = []
    for number, tick in enumerate(sorted(random.integers(0, ticks, orders).tolist())):
        if placed and random.random() < 0.15:
            arrivals.setdefault(tick, []).append(placed[int(random.integers(0, len(placed)))])
            continue
        kind = random.choice(["limit", "limit", "stop", "stop_limit"])
        limit, stop = (Decimal(10_000 + int(random.integers(-60, 61))) / 100 for _ in range(2))
        placed.append(UUID(int=int(random.integers(1, 2**62)) * 1000 + number))
        order = RestingOrder(
            id=placed[-1],
            portfolio_id=UUID(int=1),
            owner_id=UUID(int=2),
            symbol=str(random.choice(symbols)),
            side=OrderSide(str(random.choice(["buy", "sell"]))),
            open_quantity=Decimal(int(random.integers(1, 60))),
            limit_price=None if kind == "stop" else limit,
            stop_price=None if kind == "limit" else stop,
            priority_at=OPEN + timedelta(seconds=tick // 5),
            expires_at=quotes[-1].time - timedelta(seconds=int(random.integers(0, 400)))
            if random.random() < 0.3
            else None,
        )
        arrivals.setdefault(tick, []).append(order)
    return RandomDay(quotes, arrivals)
