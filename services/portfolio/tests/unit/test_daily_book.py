"""Days that are valued and explained in columns, against the same days one by one, in fractions."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.daily_book import (
    Prices,
    book_days,
    daily_book,
    daily_values,
    held_between,
    idle_days,
    unpriced,
)
from quantmesh.portfolio.core.daily_flows import DailyFlow
from quantmesh.portfolio.core.daily_income import DailyIncome
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.numbers import EXACT

from .daily_books import FIRST, day, explained, flow, history_of, moved, prices_of

CURRENCIES = {"AAPL": "USD", "IBM": "USD", "SAP": "EUR"}
_cents = st.integers(1, 20_000).map(lambda cents: Decimal(cents) / 100)
# From whole shares to what 64 bits do not hold.
_units = st.tuples(
    st.integers(-5, 9).filter(bool), st.sampled_from([Decimal(1), Decimal("0.003"), Decimal("123456789.000000000007")])
).map(lambda drawn: EXACT.multiply(Decimal(drawn[0]), drawn[1]))
_symbols = st.sampled_from([*CURRENCIES])


@dataclass
class Day:
    trades: list[tuple[str, Decimal, Decimal]]
    paid_in: dict[str, int]
    earned: list[tuple[str, str, int, int]]
    closes: dict[str, Decimal]
    rate: int | None


_days = st.lists(
    st.builds(
        Day,
        st.lists(st.tuples(_symbols, _units, _cents), max_size=2),
        st.dictionaries(st.sampled_from(["USD", "EUR"]), st.integers(-500, 900).filter(bool), max_size=1),
        # An instrument earns in its own currency or in another one, and without one it is the account that does.
        st.lists(
            st.tuples(
                st.sampled_from([*CURRENCIES, "MSFT", ""]),
                st.sampled_from(["USD", "EUR"]),
                st.integers(0, 40),
                st.integers(0, 9),
            ),
            max_size=2,
        ),
        st.dictionaries(_symbols, _cents, max_size=2),
        st.none() | st.integers(80, 130),
    ),
    min_size=1,
    max_size=9,
)


@dataclass
class Told:
    """Of one day, in the base currency: `gains` are by symbol; `held` is so at its end, `unpriced` before any close."""

    counts: bool
    value: Fraction
    deposits: Fraction
    withdrawals: Fraction
    gains: dict[str, Fraction]
    income: Fraction
    fees: Fraction
    by_currency: Fraction
    held: set[str]
    unpriced: set[str]


def one_by_one(days: Sequence[Day]) -> list[Told]:
    """By the formulas that daily_book, performance and explanation state."""
    held: defaultdict[str, Fraction] = defaultdict(Fraction)
    cash: defaultdict[str, Fraction] = defaultdict(Fraction)
    marks: defaultdict[str, Fraction] = defaultdict(Fraction)
    rates = {"USD": Fraction(1), "EUR": Fraction(0)}
    closed: set[str] = set()
    found = []
    for each in days:
        worth_before = {symbol: held[symbol] * marks[symbol] for symbol in CURRENCIES}
        cash_before, rates_before = dict(cash), dict(rates)
        gained: defaultdict[str, Fraction] = defaultdict(Fraction)
        earned, spent = [], []
        if each.rate is not None:
            rates["EUR"] = Fraction(each.rate, 100)
        for symbol, units, price in each.trades:
            held[symbol] += Fraction(units)
            cash[CURRENCIES[symbol]] -= Fraction(units) * Fraction(price)
            gained[symbol] -= Fraction(units) * Fraction(price) * rates[CURRENCIES[symbol]]
            if symbol not in closed:
                marks[symbol] = Fraction(price)
        for currency, amount in each.paid_in.items():
            cash[currency] += amount
        for symbol, currency, income, fees in each.earned:
            cash[currency] += income - fees
            gained[symbol] += (income - fees) * rates[currency]
            earned.append(income * rates[currency])
            spent.append(fees * rates[currency])
        marks |= {symbol: Fraction(close) for symbol, close in each.closes.items()}
        closed |= {*each.closes}
        moved_by_currency = {currency: rates[currency] - rates_before[currency] for currency in rates}
        for symbol, currency in CURRENCIES.items():
            worth = held[symbol] * marks[symbol]
            gained[symbol] += (worth - worth_before[symbol]) * rates[currency]
            gained[symbol] += worth_before[symbol] * moved_by_currency[currency]
        standing = {symbol for symbol in CURRENCIES if held[symbol]}
        foreign = cash["EUR"] != 0 or "SAP" in standing
        found.append(
            Told(
                bool(each.trades or each.paid_in or each.earned or standing & {*each.closes})
                or (each.rate is not None and foreign),
                sum((held[symbol] * marks[symbol] * rates[of] for symbol, of in CURRENCIES.items()), Fraction(0))
                + sum(amount * rates[currency] for currency, amount in cash.items()),
                sum((max(amount, 0) * rates[of] for of, amount in each.paid_in.items()), Fraction(0)),
                sum((max(-amount, 0) * rates[of] for of, amount in each.paid_in.items()), Fraction(0)),
                gained,
                sum(earned, Fraction(0)),
                sum(spent, Fraction(0)),
                sum((worth_before[symbol] * moved_by_currency[of] for symbol, of in CURRENCIES.items()), Fraction(0))
                + sum(amount * moved_by_currency[currency] for currency, amount in cash_before.items()),
                standing,
                standing - closed,
            )
        )
    return found


def flows_on(number: int, each: Day) -> list[DailyFlow]:
    found = []
    for currency in ("USD", "EUR"):
        bought = [units * price for symbol, units, price in each.trades if CURRENCIES[symbol] == currency]
        earned = [income - fees for _, of, income, fees in each.earned if of == currency]
        paid_in = each.paid_in.get(currency, 0)
        if bought or earned or paid_in:
            cash = paid_in + sum(earned) - sum(bought, Decimal(0))
            found.append(flow(number, str(cash), str(max(paid_in, 0)), str(max(-paid_in, 0)), currency))
    return found


def drawn(days: Sequence[Day]) -> tuple[list[SecurityMovement], list[DailyFlow], list[DailyIncome], Prices]:
    """What the book is made of. The first day has a rate, since a period before any rate is refused."""
    days[0].rate = days[0].rate or 110
    numbered = list(enumerate(days))
    return (
        [
            moved(number, symbol, str(units), str(abs(units * price)), CURRENCIES[symbol])
            for number, each in numbered
            for symbol, units, price in each.trades
        ],
        [told for number, each in numbered for told in flows_on(number, each)],
        [
            DailyIncome(day(number), symbol, currency, Decimal(income), Decimal(fees))
            for number, each in numbered
            for symbol, currency, income, fees in each.earned
        ],
        prices_of(
            {
                symbol: {number: str(each.closes[symbol]) for number, each in numbered if symbol in each.closes}
                for symbol in CURRENCIES
            },
            {number: str(Decimal(each.rate) / 100) for number, each in numbered if each.rate is not None},
        ),
    )


@given(days=_days, first=st.integers(0, 8))
def test_days_are_valued_as_one_by_one(days: list[Day], first: int) -> None:
    movements, flows, income, prices = drawn(days)
    history = history_of(movements, flows, income)
    begin, last = day(min(first, len(days) - 1)), day(len(days) - 1)
    every = [(day(number), told) for number, told in enumerate(one_by_one(days))]
    expected = [(on, told) for on, told in every if told.counts and on >= begin]
    marked = book_days(history, prices, begin, last)
    values = daily_values(daily_book(history, prices, marked))
    assert [each.day for each in values] == [on for on, _ in expected]
    for each, (_, told) in zip(values, expected, strict=True):
        amounts = each.value, each.deposits, each.withdrawals
        assert [*map(Fraction, amounts)] == [
            round(amount, 2) for amount in (told.value, told.deposits, told.withdrawals)
        ]
    assert {*unpriced(history, marked)} == set[str]().union(*(told.unpriced for _, told in expected))
    held = set[str]().union(*(told.held for on, told in every if on >= begin))
    assert {*held_between(history.held, begin, last)} == held


@given(days=_days, first=st.integers(0, 8))
def test_days_are_explained_as_one_by_one(days: list[Day], first: int) -> None:
    days[0].paid_in = {"USD": 5000}
    movements, flows, income, prices = drawn(days)
    every = one_by_one(days)
    first = min(first, max(number for number, told in enumerate(every) if told.counts))
    history = history_of(movements, flows, income)
    book = daily_book(history, prices, book_days(history, prices, FIRST, day(len(days) - 1)))
    performance, table, contributions = explained(book, first)
    period = [told for told in every[first:] if told.counts]
    assert (table.income, table.fees, table.currency_gains) == (
        round(sum(told.income for told in period), 2),
        round(sum(told.fees for told in period), 2),
        round(sum(told.by_currency for told in period), 2),
    )
    gains = {symbol: sum(told.gains[symbol] for told in period) for symbol in [*CURRENCIES, "MSFT"]}
    *of_symbols, of_cash = contributions
    assert [(each.symbol, each.gain) for each in of_symbols] == [
        (symbol, round(gains[symbol], 2)) for symbol in sorted(gains) if gains[symbol]
    ]
    gained = table.end_value - table.start_value - table.deposits + table.withdrawals
    assert (of_cash.symbol, of_cash.gain) == ("", gained - sum(each.gain for each in of_symbols))
    # Of each day the share of what was invested, linked by what one unit had become until then.
    linked = {symbol: [0.0] for symbol in gains}
    growth, before = 1.0, table.start_value
    for told, point in zip(period, performance.series, strict=True):
        invested = Fraction(before) + round(told.deposits, 2)
        for symbol in gains if invested > 0 else ():
            linked[symbol].append(growth * float(told.gains[symbol] / invested))
        growth, before = 1.0 + point.time_weighted_return, point.value
    for each in of_symbols:
        rounding = 1e-14 * sum(map(abs, linked[each.symbol]))
        assert each.contribution == pytest.approx(math.fsum(linked[each.symbol]), rel=0.0, abs=rounding)


def test_idle_are_weekdays_of_cash_alone_that_no_rate_moves() -> None:
    # From a Monday on: dollars, from Wednesday IBM too, from Friday none of it, on the second Tuesday euros beside it.
    flows = [flow(0, "900", "900"), flow(2, "-100"), flow(4, "100"), flow(8, "10", "10", currency="EUR")]
    movements = [moved(2, "IBM", "1", "100"), moved(4, "IBM", "-1", "100")]

    def idle(flows: Sequence[DailyFlow], first: int) -> list[int]:
        history, prices = history_of(movements, flows), prices_of({"IBM": {2: "100"}}, {8: "1.1"})
        marked = book_days(history, prices, FIRST, day(20))
        return [number - FIRST.toordinal() for number in idle_days(history, marked, day(first), day(13)).tolist()]

    assert idle(flows, 0) == [1, 7]
    assert idle(flows, 2) == [7]
    # The euros go again, which leaves dollars; and everything goes.
    assert idle([*flows, flow(10, "-10", "0", "10", currency="EUR")], 8) == [11]
    assert idle([*flows[:3], flow(8, "-900", "0", "900")], 0) == [1, 7]
