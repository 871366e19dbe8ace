"""The venue's book: who fills first, for how much, on which quotes; and always the same."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.venue.book import Book
from quantmesh.portfolio.core.venue.model import Action, Proposal, RestingOrder

from .venue_oracle import OPEN, Done, NaiveVenue, RandomDay, random_day

NOTHING = Decimal(0)


def order(number: int, price: str | None = None, side: str = "buy", **changes: object) -> RestingOrder:
    base = RestingOrder(
        id=UUID(int=number),
        portfolio_id=UUID(int=1),
        owner_id=UUID(int=2),
        symbol="AAPL",
        side=OrderSide(side),
        open_quantity=Decimal(10),
        limit_price=None if price is None else Decimal(price),
        stop_price=None,
        priority_at=OPEN,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name


def quote(bid: str | None, ask: str | None, size: str | None = "100", seconds: int = 0, **changes: object) -> Quote:
    sizes = None if size is None else Decimal(size)
    sides = [None if side is None else Decimal(side) for side in (bid, ask)]
    price = next(side for side in (*sides, Decimal(1)) if side is not None)
    base = Quote("AAPL", price, sides[0], sides[1], OPEN + timedelta(seconds=seconds), False, "USD", sizes, sizes)
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name


def book_of(*orders: RestingOrder) -> Book:
    book = Book()
    for one in orders:
        book.put(one)
    return book


def done(proposals: Iterable[Proposal]) -> list[Done]:
    return [(proposal.action, proposal.order.id, proposal.quantity) for proposal in proposals]


def fills(book: Book, seen: Quote) -> list[tuple[int, int]]:
    return [
        (proposal.order.id.int, int(proposal.quantity))
        for proposal in book.on_quote(seen)
        if proposal.action is Action.FILL
    ]


def test_the_best_price_fills_first_then_the_earliest_then_the_lowest_id() -> None:
    later = OPEN + timedelta(seconds=1)
    buys = book_of(
        order(1, "100"), order(2, "102", priority_at=later), order(5, "102"), order(4, "102"), order(3, "103")
    )
    assert fills(buys, quote("99", "100")) == [(3, 10), (4, 10), (5, 10), (2, 10), (1, 10)]
    sells = book_of(
        order(1, "100", "sell"),
        order(2, "98", "sell"),
        order(3, None, "sell", priority_at=later),
        order(4, "99.5", "sell"),
    )
    assert fills(sells, quote("99.5", "101")) == [(3, 10), (2, 10), (4, 10)]


def test_fills_take_no_more_than_the_quote_is_good_for_and_the_rest_waits_for_a_newer_one() -> None:
    book = book_of(order(1, "101"), order(2, "100"))
    assert fills(book, quote("99", "100", "14")) == [(1, 10), (2, 4)]
    assert fills(book, quote("99", "100", "14")) == [], "the same quote has nothing left"
    assert fills(book, quote("99", "100", "14", seconds=1)) == [(2, 6)]
    assert len(book) == 0


def test_what_one_side_takes_leaves_the_other_side_alone() -> None:
    book = book_of(order(1, "101"), order(2, "99", "sell"))
    assert fills(book, quote("99", "100", "10")) == [(1, 10), (2, 10)]


def test_a_quote_without_sizes_is_good_for_any_quantity() -> None:
    assert fills(book_of(order(1, "100", open_quantity=Decimal(10) ** 9)), quote("99", "100", None)) == [(1, 10**9)]


@pytest.mark.parametrize(
    "bad",
    [
        quote("99", "100", stale=True),
        quote("101", "100"),
        quote(None, "100"),
        quote("99", None),
        quote("0", "100"),
        quote("99", "100", "0"),
        quote("99", "100.01"),
    ],
    ids=["stale", "crossed", "no bid", "no ask", "worthless bid", "no size", "out of reach"],
)
def test_nothing_fills_on_a_quote_that_is_not_good(bad: Quote) -> None:
    book = book_of(order(1, "100"), order(2, "101", "sell"), order(3, None, stop_price=Decimal(120)))
    assert book.on_quote(bad) == []
    assert len(book) == 3


def test_a_quote_older_than_the_last_is_not_matched() -> None:
    book = book_of(order(1, "95"))
    assert fills(book, quote("99", "100", seconds=5)) == []
    assert fills(book, quote("90", "91", seconds=4)) == []


def test_a_feed_that_is_rewound_trades_on_since_it_is_newer_by_the_time_of_its_sending() -> None:
    book = book_of(order(1, "95"))
    sent = OPEN + timedelta(days=900)
    assert fills(book, quote("99", "100", seconds=5, received_at=sent)) == []
    assert fills(book, quote("90", "91", seconds=-3600, received_at=sent - timedelta(seconds=1))) == []
    assert fills(book, quote("90", "91", seconds=-3600, received_at=sent + timedelta(seconds=1))) == [(1, 10)]


@pytest.mark.parametrize(
    ("side", "stop", "calm", "through"), [("buy", "105", "104.99", "105"), ("sell", "95", "95.01", "94")]
)
def test_a_stop_waits_for_the_last_price_and_then_trades(side: str, stop: str, calm: str, through: str) -> None:
    stop_order = order(1, None, side, stop_price=Decimal(stop))
    book = book_of(stop_order)
    assert book.on_quote(quote("10", "200", price=Decimal(calm))) == []
    assert done(book.on_quote(quote("10", "200", seconds=1, price=Decimal(through)))) == [
        (Action.TRIGGER, stop_order.id, NOTHING),
        (Action.FILL, stop_order.id, Decimal(10)),
    ]


def test_a_triggered_stop_limit_rests_until_its_limit_is_met_and_keeps_its_place() -> None:
    book = book_of(order(1, "100", stop_price=Decimal(105)), order(2, "100", priority_at=OPEN + timedelta(seconds=1)))
    triggered = book.on_quote(quote("104", "106", price=Decimal(105)))
    assert [proposal.action for proposal in triggered] == [Action.TRIGGER]
    assert book.on_quote(quote("103", "104", seconds=1)) == []
    assert fills(book, quote("99", "100", seconds=2)) == [(1, 10), (2, 10)]


def test_day_orders_expire_at_their_time_before_anything_fills_and_also_without_a_quote() -> None:
    closing = OPEN + timedelta(seconds=10)
    book = book_of(
        order(1, "100", expires_at=closing), order(2, "100", symbol="MSFT", expires_at=closing), order(3, "100")
    )
    assert book.on_time(OPEN + timedelta(seconds=9)) == []
    assert done(book.on_quote(quote("99", "100", seconds=10))) == [
        (Action.EXPIRE, UUID(int=1), NOTHING),
        (Action.FILL, UUID(int=3), Decimal(10)),
    ]
    assert done(book.on_time(closing)) == [(Action.EXPIRE, UUID(int=2), NOTHING)]
    assert len(book) == 0


def test_an_order_that_is_put_again_stands_as_it_says() -> None:
    book = book_of(order(1, "101"), order(2, "100"))
    book.put(order(1, "90", version=2))
    assert fills(book, quote("99", "100", "10")) == [(2, 10)]
    book.put(order(1, "101", version=3, open_quantity=Decimal(3)))
    assert fills(book, quote("99", "100", seconds=1)) == [(1, 3)]
    book.put(order(1, "101", version=3))
    assert fills(book, quote("99", "100", seconds=2)) == [(1, 10)], "the ledger had not filled it"


def test_a_cancelled_order_is_gone_and_an_unknown_one_is_none() -> None:
    book = book_of(order(1, "101"), order(2, None, stop_price=Decimal(1), expires_at=OPEN))
    for number in (1, 2, 3):
        book.remove(UUID(int=number))
    assert len(book) == 0
    assert book.on_quote(quote("99", "100")) == []
    assert book.on_time(OPEN) == []


def test_amounts_beyond_the_usual_precision_are_kept_to_the_last_place() -> None:
    whole = Decimal("999999999999.000000000000000001")
    book = book_of(order(1, "101", open_quantity=whole))
    (first,) = book.on_quote(quote("99", "100", "999999999998"))
    (second,) = book.on_quote(quote("99", "100", "10", seconds=1))
    assert (first.quantity, second.quantity) == (Decimal(999999999998), Decimal("1.000000000000000001"))


def played(day: RandomDay, quotes: Iterable[Quote]) -> list[Done]:
    book, happened = Book(), []
    for place, seen in enumerate(quotes):
        for arrival in day.arrivals.get(place, []):
            if isinstance(arrival, UUID):
                book.remove(arrival)
            else:
                book.put(arrival)
        happened += done(book.on_quote(seen))
    return happened


def played_naively(day: RandomDay) -> list[Done]:
    venue, happened = NaiveVenue(), []
    for place, seen in enumerate(day.quotes):
        for arrival in day.arrivals.get(place, []):
            if isinstance(arrival, UUID):
                venue.orders.pop(arrival, None)
            else:
                venue.orders[arrival.id] = arrival
        happened += list(venue.on_quote(seen))
    return happened


@pytest.mark.parametrize("seed", range(12))
def test_any_day_ends_as_with_a_venue_that_looks_at_every_order(seed: int) -> None:
    day = random_day(seed, ticks=400, orders=120)
    expected = played_naively(day)
    assert played(day, day.quotes) == expected
    counts = Counter(action for action, _, _ in expected)
    assert min(counts[action] for action in Action) > 3, "every kind of proposal occurs"


def recorded(quotes: Iterable[Quote], path: Path) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            (q.symbol, q.price, q.bid, q.ask, q.time.isoformat(), int(q.stale), q.bid_size, q.ask_size) for q in quotes
        )


def read_back(path: Path) -> list[Quote]:
    def number(text: str) -> Decimal | None:
        return Decimal(text) if text else None

    with path.open(newline="") as file:
        return [
            Quote(
                row[0],
                Decimal(row[1]),
                number(row[2]),
                number(row[3]),
                datetime.fromisoformat(row[4]),
                row[5] == "1",
                "USD",
                number(row[6]),
                number(row[7]),
            )
            for row in csv.reader(file)
        ]


def test_the_same_tick_file_gives_the_same_fills_in_whatever_order_the_book_was_loaded(tmp_path: Path) -> None:
    day = random_day(seed=99, ticks=5_000, orders=1_500)
    recorded(day.quotes, tmp_path / "ticks.csv")
    first = played(day, read_back(tmp_path / "ticks.csv"))
    turned = RandomDay(
        day.quotes,
        {
            # Orders of one moment by their ids; a cancellation stays behind the order that it is of.
            place: sorted(arrivals, key=lambda one: (1, one) if isinstance(one, UUID) else (0, one.id))
            for place, arrivals in day.arrivals.items()
        },
    )
    assert played(turned, read_back(tmp_path / "ticks.csv")) == first
    assert sum(action is Action.FILL for action, _, _ in first) > 1_000
