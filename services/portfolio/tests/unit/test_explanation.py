"""What explains a period: sums that are exact, figures by hand, contributions that add up to the return."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.daily_income import DailyIncome
from quantmesh.portfolio.core.explanation import Contribution, Reconciliation
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import TransactionType
from quantmesh.portfolio.core.numbers import ZERO

from .daily_books import book_of, day, explained, flow, moved


def sums(table: Reconciliation) -> bool:
    earned = table.income - table.fees + table.realized_gains + table.unrealized_gains + table.currency_gains
    return table.start_value + table.deposits - table.withdrawals + earned == table.end_value


def test_a_table_by_hand() -> None:
    # 1000 in; 10 bought for 500 and a fee of 2; a dividend of 8; 4 sold at 60 with a fee of 1; the last close is 55.
    book = book_of(
        [moved(0, "AAPL", "10", "500"), moved(3, "AAPL", "-4", "240")],
        [flow(0, "498", deposits="1000"), flow(2, "8"), flow(3, "239"), flow(4, "-100", withdrawals="100")],
        [
            DailyIncome(day(0), "AAPL", "USD", ZERO, Decimal(2)),
            DailyIncome(day(2), "AAPL", "USD", Decimal(8), ZERO),
            DailyIncome(day(3), "AAPL", "USD", ZERO, Decimal(1)),
        ],
        {"AAPL": {0: "50", 1: "52", 3: "60", 4: "55"}},
    )
    performance, table, contributions = explained(book)
    assert table == Reconciliation(
        *(Decimal(number) for number in ("0", "1000", "100", "8", "3", "40", "30", "0", "975"))
    )
    assert sums(table)
    assert [(item.symbol, item.gain) for item in contributions] == [("AAPL", Decimal(75)), ("", Decimal(0))]
    assert sum(item.contribution for item in contributions) == pytest.approx(performance.time_weighted_return)
    assert contributions[1].contribution == pytest.approx(0.0, abs=1e-15)


def test_a_period_later_counts_what_was_earned_in_it_alone() -> None:
    book = book_of(
        [moved(0, "AAPL", "10", "500"), moved(3, "AAPL", "-4", "240")],
        [flow(0, "500", deposits="1000"), flow(3, "240")],
        [],
        {"AAPL": {0: "50", 2: "58", 3: "60"}},
    )
    _, table, _ = explained(book, first=3)
    # 580 of shares and 500 of cash before; 4 of the lots at 50 are realised: 40, of which 32 were unrealised before.
    assert (table.start_value, table.end_value) == (Decimal(1080), Decimal(1100))
    assert (table.realized_gains, table.unrealized_gains) == (Decimal(40), Decimal(-20))
    assert sums(table)


def test_what_a_currency_does_is_told_apart_from_what_an_instrument_does() -> None:
    # 100 EUR at 1.10 buy a share that rises to 120 EUR while the euro falls to 1.05.
    book = book_of(
        [moved(0, "SAP", "1", "100", "EUR")],
        [flow(0, "0", deposits="100", currency="EUR")],
        [],
        {"SAP": {0: "100", 1: "120"}},
        {0: "1.10", 1: "1.05"},
    )
    _, table, contributions = explained(book)
    assert (table.unrealized_gains, table.currency_gains) == (Decimal(21), Decimal(-5))
    assert (table.deposits, table.end_value) == (Decimal(110), Decimal(126))
    assert [(item.symbol, item.gain) for item in contributions] == [("SAP", Decimal(16)), ("", Decimal(0))]


def test_cash_in_a_foreign_currency_and_interest_are_the_cash_s_own() -> None:
    book = book_of(
        [],
        [flow(0, "100", deposits="100", currency="EUR"), flow(1, "2", currency="EUR")],
        [DailyIncome(day(1), "", "EUR", Decimal(2), ZERO)],
        {},
        {0: "1.10", 1: "1.20"},
    )
    performance, table, contributions = explained(book)
    assert (table.income, table.currency_gains) == (Decimal("2.40"), Decimal(10))
    assert contributions == [Contribution("", Decimal("12.40"), performance.time_weighted_return)]


def test_a_split_on_a_day_without_cash_is_no_gain() -> None:
    split = SecurityMovement(
        TransactionType.SPLIT, "IBM", "USD", moved(1, "IBM", "1", "0").executed_at, Decimal(30), ZERO, Decimal(4)
    )
    book = book_of(
        [moved(0, "IBM", "10", "1000"), split, moved(2, "IBM", "-20", "500")],
        [flow(0, "0", deposits="1000"), flow(2, "500")],
        [],
        {"IBM": {0: "100", 2: "25"}},
    )
    _, table, _ = explained(book)
    assert (table.realized_gains, table.unrealized_gains, table.end_value) == (ZERO, ZERO, Decimal(1000))


_days = st.lists(
    st.tuples(st.integers(-5, 9), st.integers(1, 400), st.integers(1, 300), st.integers(80, 130), st.integers(0, 50)),
    min_size=1,
    max_size=12,
)


@given(days=_days)
def test_the_table_always_sums_and_contributions_add_up(days: list[tuple[int, int, int, int, int]]) -> None:
    movements, flows, income, held = [], [], [], 0
    closes: dict[str, dict[int, str]] = {"SAP": {}}
    rates = {}
    for number, (units, price, paid, rate, earned) in enumerate(days):
        traded = max(units, -held)
        gross = abs(traded) * paid
        held += traded
        if traded:
            movements.append(moved(number, "SAP", str(traded), str(gross), "EUR"))
        cash = (gross if traded < 0 else -gross) + earned
        deposits = 5000 if number == 0 else 0
        flows.append(flow(number, str(cash + deposits), deposits=str(deposits), currency="EUR"))
        income.append(DailyIncome(day(number), "SAP", "EUR", Decimal(earned), ZERO))
        closes["SAP"][number] = str(price)
        rates[number] = str(Decimal(rate) / 100)
    book = book_of(movements, flows, income, closes, rates, last=len(days))
    performance, table, contributions = explained(book)
    assert sums(table)
    assert sum(item.contribution for item in contributions) == pytest.approx(performance.time_weighted_return)
    assert sum((item.gain for item in contributions), ZERO) == table.end_value - table.deposits
    # What rounding left is some cents, and the cash's own gain is its currency's.
    with_own = sum((item.gain for item in contributions if item.symbol), ZERO)
    balances = book.cash["EUR"].decimals()
    own = sum(
        (balances[index - 1] * (Decimal(rates[index]) - Decimal(rates[index - 1])) for index in range(1, len(days))),
        ZERO,
    )
    assert abs(table.end_value - table.deposits - with_own - own) <= Decimal("0.01") * len(days) + Decimal("0.02")
