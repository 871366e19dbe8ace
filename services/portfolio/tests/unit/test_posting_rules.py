"""The table of posting rules in the README, row by row."""

from collections import defaultdict
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.model import Entry, PositionSide, TransactionType
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.posting_rules import entry_of

from .samples import CALL, INDEX_CALL, OPTIONS, PUT, asked, buy

_CASH: dict[str, Any] = {"amount": "12.50", "currency": "USD"}
_TRADE: dict[str, Any] = {"symbol": "AAPL", "quantity": "10", "price": "73.35", "currency": "USD", "fee": "1.00"}


def sides(entry: Entry) -> dict[tuple[str, str], Decimal]:
    return {(side.account, side.commodity): side.amount for side in entry.postings}


def totals(entry: Entry) -> dict[str, Decimal]:
    """Per commodity."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for side in entry.postings:
        found[side.commodity] += side.amount
    return found


_CONTRACTS: dict[str, Any] = {"symbol": CALL, "quantity": "2", "currency": "USD", "option": OPTIONS[CALL]}
_INDEX: dict[str, Any] = {"symbol": INDEX_CALL, "quantity": "3", "currency": "USD", "option": OPTIONS[INDEX_CALL]}
_PUTS: dict[str, Any] = {**_CONTRACTS, "symbol": PUT, "option": OPTIONS[PUT]}
UNITS, MONEY = "assets:securities", "assets:cash"


class Rule(NamedTuple):
    """A row of the README's table by a case that is computed by hand: sides are (account, commodity, amount)."""

    kind: str
    fields: dict[str, Any]
    sides: list[tuple[str, str, str]]
    held: int = 0
    carried: str = "0"


RULES = {
    "deposit": Rule("deposit", _CASH, [(MONEY, "USD", "12.50"), ("equity:contributions", "USD", "-12.50")]),
    "withdrawal": Rule("withdrawal", _CASH, [(MONEY, "USD", "-12.50"), ("equity:contributions", "USD", "12.50")]),
    "dividend": Rule(
        "dividend", {**_CASH, "symbol": "AAPL"}, [(MONEY, "USD", "12.50"), ("income:dividends", "USD", "-12.50")]
    ),
    "dividend on borrowed shares": Rule(
        "dividend",
        {**_CASH, "symbol": "AAPL", "side": PositionSide.SHORT},
        [(MONEY, "USD", "-12.50"), ("expenses:dividends", "USD", "12.50")],
    ),
    "interest": Rule("interest", _CASH, [(MONEY, "USD", "12.50"), ("income:interest", "USD", "-12.50")]),
    "fee": Rule("fee", _CASH, [(MONEY, "USD", "-12.50"), ("expenses:fees", "USD", "12.50")]),
    "buy": Rule(
        "buy",
        _TRADE,
        [
            (UNITS, "AAPL", "10"),
            ("trading:AAPL", "AAPL", "-10"),
            ("trading:AAPL", "USD", "733.50"),
            (MONEY, "USD", "-734.50"),
            ("expenses:fees", "USD", "1.00"),
        ],
    ),
    "sell": Rule(
        "sell",
        _TRADE,
        [
            (UNITS, "AAPL", "-10"),
            ("trading:AAPL", "AAPL", "10"),
            ("trading:AAPL", "USD", "-733.50"),
            (MONEY, "USD", "732.50"),
            ("expenses:fees", "USD", "1.00"),
        ],
    ),
    # 2 contracts x 4.30 x 100.
    "an order's buy of an option": Rule(
        "buy",
        {**_CONTRACTS, "price": "4.30"},
        [
            (UNITS, CALL, "2"),
            (f"trading:{CALL}", CALL, "-2"),
            (f"trading:{CALL}", "USD", "860"),
            (MONEY, "USD", "-860"),
        ],
    ),
    "split": Rule(
        "split", {"symbol": "IBM", "split_ratio": "4"}, [(UNITS, "IBM", "30"), ("trading:IBM", "IBM", "-30")], held=10
    ),
    "split of borrowed shares": Rule(
        "split", {"symbol": "IBM", "split_ratio": "4"}, [(UNITS, "IBM", "-30"), ("trading:IBM", "IBM", "30")], held=-10
    ),
    "option_open": Rule(
        "option_open",
        {**_CONTRACTS, "price": "4.30", "fee": "1.30"},
        [
            (UNITS, CALL, "2"),
            (f"trading:{CALL}", CALL, "-2"),
            (f"trading:{CALL}", "USD", "860"),
            (MONEY, "USD", "-861.30"),
            ("expenses:fees", "USD", "1.30"),
        ],
    ),
    "option_open, written": Rule(
        "option_open",
        {**_CONTRACTS, "price": "4.30", "side": PositionSide.SHORT},
        [
            (UNITS, CALL, "-2"),
            (f"trading:{CALL}", CALL, "2"),
            (f"trading:{CALL}", "USD", "-860"),
            (MONEY, "USD", "860"),
        ],
    ),
    "option_close": Rule(
        "option_close",
        {**_CONTRACTS, "price": "5"},
        [
            (UNITS, CALL, "-2"),
            (f"trading:{CALL}", CALL, "2"),
            (f"trading:{CALL}", "USD", "-1000"),
            (MONEY, "USD", "1000"),
        ],
        held=3,
    ),
    "option_close, written": Rule(
        "option_close",
        {**_CONTRACTS, "price": "5"},
        [
            (UNITS, CALL, "2"),
            (f"trading:{CALL}", CALL, "-2"),
            (f"trading:{CALL}", "USD", "1000"),
            (MONEY, "USD", "-1000"),
        ],
        held=-3,
    ),
    # 200 shares for 70 each; their cost is 14,000 and the 860 that the calls cost (Publication 550).
    "option_exercise of calls": Rule(
        "option_exercise",
        {**_CONTRACTS, "fee": "5"},
        [
            (UNITS, CALL, "-2"),
            (f"trading:{CALL}", CALL, "2"),
            (UNITS, "AAPL", "200"),
            ("trading:AAPL", "AAPL", "-200"),
            ("trading:AAPL", "USD", "14860"),
            (MONEY, "USD", "-14005"),
            (f"trading:{CALL}", "USD", "-860"),
            ("expenses:fees", "USD", "5"),
        ],
        carried="860",
    ),
    # 200 shares sold for 80 each, less the 500 that the puts cost.
    "option_exercise of puts": Rule(
        "option_exercise",
        _PUTS,
        [
            (UNITS, PUT, "-2"),
            (f"trading:{PUT}", PUT, "2"),
            (UNITS, "AAPL", "-200"),
            ("trading:AAPL", "AAPL", "200"),
            ("trading:AAPL", "USD", "-15500"),
            (MONEY, "USD", "16000"),
            (f"trading:{PUT}", "USD", "-500"),
        ],
        carried="500",
    ),
    # The writer sells 200 shares for 70 each, and keeps the 860.
    "option_assignment of calls": Rule(
        "option_assignment",
        _CONTRACTS,
        [
            (UNITS, CALL, "2"),
            (f"trading:{CALL}", CALL, "-2"),
            (UNITS, "AAPL", "-200"),
            ("trading:AAPL", "AAPL", "200"),
            ("trading:AAPL", "USD", "-14860"),
            (MONEY, "USD", "14000"),
            (f"trading:{CALL}", "USD", "860"),
        ],
        carried="-860",
    ),
    # The writer buys 200 shares for 80 each; the 500 lower their cost.
    "option_assignment of puts": Rule(
        "option_assignment",
        _PUTS,
        [
            (UNITS, PUT, "2"),
            (f"trading:{PUT}", PUT, "-2"),
            (UNITS, "AAPL", "200"),
            ("trading:AAPL", "AAPL", "-200"),
            ("trading:AAPL", "USD", "15500"),
            (MONEY, "USD", "-16000"),
            (f"trading:{PUT}", "USD", "500"),
        ],
        carried="-500",
    ),
    # 3 x (23.5 - 20) x 100.
    "option_exercise in cash": Rule(
        "option_exercise",
        {**_INDEX, "price": "23.5", "fee": "2"},
        [
            (UNITS, INDEX_CALL, "-3"),
            (f"trading:{INDEX_CALL}", INDEX_CALL, "3"),
            (f"trading:{INDEX_CALL}", "USD", "-1050"),
            (MONEY, "USD", "1048"),
            ("expenses:fees", "USD", "2"),
        ],
    ),
    "option_assignment in cash": Rule(
        "option_assignment",
        {**_INDEX, "price": "23.5"},
        [
            (UNITS, INDEX_CALL, "3"),
            (f"trading:{INDEX_CALL}", INDEX_CALL, "-3"),
            (f"trading:{INDEX_CALL}", "USD", "1050"),
            (MONEY, "USD", "-1050"),
        ],
    ),
    "option_expiry": Rule("option_expiry", _CONTRACTS, [(UNITS, CALL, "-2"), (f"trading:{CALL}", CALL, "2")], held=2),
    "option_expiry, written": Rule(
        "option_expiry", _CONTRACTS, [(UNITS, CALL, "2"), (f"trading:{CALL}", CALL, "-2")], held=-2
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_type_posts_by_its_rule(name: str) -> None:
    rule = RULES[name]
    entry = entry_of(asked(rule.kind, **rule.fields), "USD", Decimal(rule.held), Decimal(rule.carried))
    expected = {(account, commodity): Decimal(amount) for account, commodity, amount in rule.sides}
    assert sides(entry) == expected
    assert len(entry.postings) == len(expected)
    assert entry.cash_effect == expected.get((MONEY, "USD"), 0)
    assert set(totals(entry).values()) == {Decimal(0)}


def test_every_type_has_a_rule() -> None:
    assert {rule.kind for rule in RULES.values()} == set(TransactionType) - {TransactionType.REVERSAL}


def test_an_option_in_the_money_by_nothing_pays_nothing() -> None:
    with pytest.raises(InvalidTransaction, match="price: comes to 0 USD"):
        entry_of(asked("option_exercise", **_INDEX, price="20"), "USD")


@pytest.mark.parametrize(("amount", "cash"), [("0.125", "0.12"), ("0.135", "0.14"), ("2.345", "2.34")])
def test_cash_is_rounded_half_to_even_to_the_cent(amount: str, cash: str) -> None:
    assert entry_of(asked("deposit", amount=amount, currency="USD"), "USD").cash_effect == Decimal(cash)


@pytest.mark.parametrize(("currency", "cash"), [("JPY", "124"), ("KWD", "123.556"), ("USD", "123.56")])
def test_cash_has_the_places_of_its_currency(currency: str, cash: str) -> None:
    entry = entry_of(asked("deposit", amount="123.5555", currency=currency), currency)
    assert str(entry.cash_effect) == cash


def test_cash_that_rounds_to_nothing_is_refused() -> None:
    with pytest.raises(InvalidTransaction, match=r"amount: comes to 0\.004 USD"):
        entry_of(asked("deposit", amount="0.004", currency="USD"), "USD")


def test_a_trade_too_large_to_keep_is_refused() -> None:
    with pytest.raises(InvalidTransaction, match="must be less than"):
        entry_of(buy("999999999", "999999999"), "USD")


_positive = st.decimals(min_value="0.01", max_value="999999", places=18)


@exactly
@given(kind=st.sampled_from(["buy", "sell"]), quantity=_positive, price=_positive, fee=_positive)
def test_every_trade_balances_per_commodity_to_the_last_digit(
    kind: str, quantity: Decimal, price: Decimal, fee: Decimal
) -> None:
    entry = entry_of(asked(kind, symbol="AAPL", quantity=quantity, price=price + 1, fee=fee, currency="USD"), "USD")
    assert set(totals(entry).values()) == {Decimal(0)}
