"""The venue's book with 10^5 resting orders: ticks matched a second, with the fills that they cause.

Limits and stops lie around the prices of twenty symbols, which walk at random; a quote is good for a few orders. What
fills, is cancelled or expires is replaced at once, so that the book stays as full; the replacements count as work. The
peer is a book without structure, which looks at every order of the symbol on every tick, on the same quotes: it gives
the same fills, and fewer of its ticks are timed.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil

from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.venue.book import Book
from quantmesh.portfolio.core.venue.model import RestingOrder

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from services.portfolio.tests.unit.venue_oracle import NaiveVenue

ORDERS, SYMBOLS = 100_000, 20
TICKS, ROUNDS, NAIVE_TICKS = 20_000, 3, 20
GOAL_TICKS, GOAL_RATIO = 10_000.0, 100.0
OPEN = datetime(2022, 12, 20, 14, 30, tzinfo=UTC)
CENTS = Decimal("0.01")


@dataclass
class Flow:
    """Prices in cents that walk, and orders that lie around them."""

    random: np.random.Generator
    prices: list[int]
    placed: int = 0

    def quotes(self, count: int, begin: int) -> list[Quote]:
        symbols = self.random.integers(0, SYMBOLS, count).tolist()
        steps = self.random.integers(-3, 4, count).tolist()
        sizes = self.random.integers(1, 300, count).tolist()
        quotes = []
        for number, (symbol, step, size) in enumerate(zip(symbols, steps, sizes, strict=True)):
            self.prices[symbol] += step
            price, good_for = self.prices[symbol] * CENTS, Decimal(size)
            moment = OPEN + timedelta(milliseconds=begin + number)
            quotes.append(
                Quote(f"S{symbol}", price, price - CENTS, price + CENTS, moment, False, "USD", good_for, good_for)
            )
        return quotes

    def orders(self, count: int) -> Iterator[RestingOrder]:
        symbols = self.random.integers(0, SYMBOLS, count).tolist()
        distances = self.random.integers(2, 500, count).tolist()
        kinds = self.random.random((count, 2)).tolist()
        quantities = self.random.integers(1, 200, count).tolist()
        for symbol, distance, (which_side, kind), quantity in zip(symbols, distances, kinds, quantities, strict=True):
            self.placed += 1
            side, sign = (OrderSide.BUY, -1) if which_side < 0.5 else (OrderSide.SELL, 1)
            middle = self.prices[symbol]
            limit, stop = (middle + sign * distance) * CENTS, (middle - sign * distance) * CENTS
            is_stop = kind < 0.1
            yield RestingOrder(
                id=UUID(int=self.placed),
                portfolio_id=UUID(int=1),
                owner_id=UUID(int=2),
                symbol=f"S{symbol}",
                side=side,
                open_quantity=Decimal(quantity),
                limit_price=None if is_stop else limit,
                stop_price=stop if is_stop else None,
                priority_at=OPEN + timedelta(microseconds=self.placed),
                expires_at=OPEN + timedelta(hours=6) if kind > 0.5 else None,
            )


def same_fills(orders: list[RestingOrder], quotes: list[Quote]) -> float:
    """The naive venue's ticks a second; raises where it fills anything else."""
    book, naive = Book(), NaiveVenue()
    for order in orders:
        book.put(order)
        naive.orders[order.id] = order
    ours = [(one.action, one.order.id, one.quantity) for quote in quotes for one in book.on_quote(quote)]
    begin = time.perf_counter()
    theirs = [done for quote in quotes for done in naive.on_quote(quote)]
    seconds = time.perf_counter() - begin
    if ours != theirs:
        sys.exit("the book and the venue that looks at every order fill differently")
    return len(quotes) / seconds


def main() -> int:
    flow = Flow(np.random.default_rng(7), [10_000 + 500 * number for number in range(SYMBOLS)])
    orders = list(flow.orders(ORDERS))
    book = Book()
    for order in orders:
        book.put(order)
    naive = same_fills(orders, flow.quotes(NAIVE_TICKS, 0))
    rates, fills = [], 0
    for turn in range(ROUNDS):
        quotes = flow.quotes(TICKS, NAIVE_TICKS + turn * TICKS)
        replacements = flow.orders(ORDERS)
        fills = 0
        begin = time.perf_counter()
        for quote in quotes:
            fills += len(book.on_quote(quote))
            while len(book) < ORDERS:
                book.put(next(replacements))
        rates.append(TICKS / (time.perf_counter() - begin))
    rate = statistics.median(rates)
    memory = psutil.Process().memory_info().rss / 2**20
    sys.stdout.write(
        f"{ORDERS:,} resting orders: {rate:,.0f} ticks/s (goal {GOAL_TICKS:,.0f}) with {fills / TICKS:.2f} triggers and"
        f" fills a tick; looking at every order {naive:,.0f} ticks/s; ratio {rate / naive:,.0f} (goal {GOAL_RATIO:g});"
        f" memory of the process {memory:.0f} MiB\n"
    )
    return 0 if rate >= GOAL_TICKS and rate / naive >= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
