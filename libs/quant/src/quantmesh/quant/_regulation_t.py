"""Margin by fixed rules: what covers what, and how much the rest requires.

Rules are those of Regulation T (12 CFR 220.12) and FINRA Rule 4210(c) and (f)(2), as in the Cboe Margin Manual, for
stocks and for listed options of up to nine months. Pairs are formed greedily in this order: stock with short options
that it covers, short options with long ones that expire no earlier where that requires less, short calls with short
puts. Another pairing may require less.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.revaluation import present_values

Rule = Literal[
    "long stock",
    "short stock",
    "covered call",
    "covered put",
    "call spread",
    "put spread",
    "straddle",
    "uncovered call",
    "uncovered put",
    "long option",
]

_INITIAL_STOCK = 0.50  # 220.12(a), (c); of a short sale beside its proceeds, together 150 %
_LONG_STOCK = 0.25  # 4210(c)(1)
_SHORT_STOCK, _SHORT_STOCK_PER_SHARE = 0.30, 5.0  # 4210(c)(3)
_LOW_PRICE, _LOW_PRICED_PER_SHARE = 5.0, 2.5  # 4210(c)(2): below, the whole value
_UNCOVERED, _UNCOVERED_INDEX, _UNCOVERED_LEAST = 0.20, 0.15, 0.10  # 4210(f)(2)(D)
_DUST = 1e-9


class Line(NamedTuple):
    """What `units` of the underlying in one or two positions (indices into the book) require together."""

    rule: Rule
    positions: tuple[int, ...]
    units: float
    initial: float
    maintenance: float


class _Holdings:
    """Units that no line covers yet."""

    def __init__(self, book: Book, broad_indices: Collection[str], prices: Floats) -> None:
        self.book = book
        self.left = np.abs(book.units)
        self.price = prices
        self.spot = book.spots
        self._broad = np.array([name in broad_indices for name in book.underlyings], bool)
        # In the money for each position.
        self.intrinsic = np.where(book.sign == 0, 0.0, np.maximum(book.sign * (self.spot - book.strike), 0.0))

    def of(self, underlying: int, sign: int, *, is_long: bool) -> list[int]:
        book = self.book
        held = book.units > 0.0 if is_long else book.units < 0.0
        return np.flatnonzero((book.underlying == underlying) & (book.sign == sign) & held).tolist()

    def paired(self, firsts: Iterable[int], seconds: Iterable[int]) -> Iterator[tuple[int, int, float]]:
        """Units of each pair, in the order given; they are covered then."""
        others = list(seconds)
        for first in firsts:
            for second in others:
                units = float(min(self.left[first], self.left[second]))
                if units > _DUST:
                    self.left[first] -= units
                    self.left[second] -= units
                    yield first, second, units

    def stock(self, position: int) -> tuple[float, float]:
        """Initial and maintenance margin per share."""
        spot = float(self.spot[position])
        if self.book.units[position] > 0.0:
            return _INITIAL_STOCK * spot, _LONG_STOCK * spot
        least = (
            max(_SHORT_STOCK * spot, _SHORT_STOCK_PER_SHARE) if spot >= _LOW_PRICE else max(spot, _LOW_PRICED_PER_SHARE)
        )
        return max(_INITIAL_STOCK * spot, least), least

    def uncovered(self, position: int) -> float:
        """Beside the option's own value."""
        book = self.book
        spot, strike, sign = float(self.spot[position]), float(book.strike[position]), int(book.sign[position])
        share = _UNCOVERED_INDEX if self._broad[book.underlying[position]] else _UNCOVERED
        out_of_the_money = max(sign * (strike - spot), 0.0)
        return max(share * spot - out_of_the_money, _UNCOVERED_LEAST * (spot if sign == 1 else strike))


def unit_prices(book: Book) -> Floats:
    """Per unit of the underlying, whatever the quantities."""
    one = np.ones(book.size)
    return present_values(replace(book, quantity=one, multiplier=one))


def lines_of(book: Book, broad_indices: Collection[str], prices: Floats) -> list[Line]:
    """`prices` are the book's `unit_prices`."""
    holdings = _Holdings(book, broad_indices, prices)
    rules: tuple[Callable[[_Holdings, int], Iterator[Line]], ...] = (_covered, _spreads, _straddles, _single)
    return [
        line for underlying in range(len(book.underlyings)) for rule in rules for line in rule(holdings, underlying)
    ]


def _covered(holdings: _Holdings, underlying: int) -> Iterator[Line]:
    """The stock's own margin; the option adds none, but what it is in the money is no value of the stock."""
    for sign in (1, -1):
        stocks = holdings.of(underlying, 0, is_long=sign == 1)
        shorts = sorted(holdings.of(underlying, sign, is_long=False), key=lambda short: -holdings.intrinsic[short])
        for stock, short, units in holdings.paired(stocks, shorts):
            time_value = float(holdings.price[short] - holdings.intrinsic[short])
            initial, maintenance = holdings.stock(stock)
            yield Line(
                "covered call" if sign == 1 else "covered put",
                (stock, short),
                units,
                units * (initial - time_value),
                units * (maintenance - time_value),
            )


def _spreads(holdings: _Holdings, underlying: int) -> Iterator[Line]:
    """The most that the pair can lose at expiry, beside its own value; pairs that lose the least come first."""
    book = holdings.book
    for sign in (1, -1):
        shorts, longs = (holdings.of(underlying, sign, is_long=is_long) for is_long in (False, True))
        pairs = [
            (max(sign * float(book.strike[long] - book.strike[short]), 0.0), short, long)
            for short in shorts
            for long in longs
            if book.time_to_expiry[long] >= book.time_to_expiry[short]
        ]
        for width, short, long in sorted(pairs):
            if width - float(holdings.price[short]) >= holdings.uncovered(short):
                continue
            for _, _, units in holdings.paired([short], [long]):
                net = float(holdings.price[long] - holdings.price[short])
                margin = units * (width + net)
                yield Line("call spread" if sign == 1 else "put spread", (short, long), units, margin, margin)


def _straddles(holdings: _Holdings, underlying: int) -> Iterator[Line]:
    """The side that requires more, and the value of the other."""
    calls, puts = (holdings.of(underlying, sign, is_long=False) for sign in (1, -1))
    for call, put, units in holdings.paired(calls, puts):
        sides = [(float(holdings.price[side]) + holdings.uncovered(side), side) for side in (call, put)]
        margin = units * holdings.uncovered(max(sides)[1])
        yield Line("straddle", (call, put), units, margin, margin)


def _single(holdings: _Holdings, underlying: int) -> Iterator[Line]:
    book = holdings.book
    for position in np.flatnonzero((book.underlying == underlying) & (holdings.left > _DUST)).tolist():
        units, is_long = float(holdings.left[position]), bool(book.units[position] > 0.0)
        if book.instrument[position] == Instrument.STOCK:
            initial, maintenance = holdings.stock(position)
            yield Line(
                "long stock" if is_long else "short stock", (position,), units, units * initial, units * maintenance
            )
        elif is_long:
            margin = units * float(holdings.price[position])
            yield Line("long option", (position,), units, margin, margin)
        else:
            margin = units * holdings.uncovered(position)
            rule: Rule = "uncovered call" if book.sign[position] == 1 else "uncovered put"
            yield Line(rule, (position,), units, margin, margin)
