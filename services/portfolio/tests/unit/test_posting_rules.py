"""The table of posting rules in the README, row by row."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.model import Entry, TransactionType
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.posting_rules import entry_of

from .samples import asked, buy

_CASH: dict[str, Any] = {"amount": "12.50", "currency": "USD"}
_TRADE: dict[str, Any] = {"symbol": "AAPL", "quantity": "10", "price": "73.35", "currency": "USD", "fee": "1.00"}


def sides(entry: Entry) -> dict[tuple[str, str], Decimal]:
    return {(side.account, side.commodity): side.amount for side in entry.postings}


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("deposit", _CASH, {"assets:cash": "12.50", "equity:contributions": "-12.50"}),
        ("withdrawal", _CASH, {"assets:cash": "-12.50", "equity:contributions": "12.50"}),
        ("dividend", {**_CASH, "symbol": "AAPL"}, {"assets:cash": "12.50", "income:dividends": "-12.50"}),
        ("interest", _CASH, {"assets:cash": "12.50", "income:interest": "-12.50"}),
        ("fee", _CASH, {"assets:cash": "-12.50", "expenses:fees": "12.50"}),
    ],
)
def test_a_cash_transaction_moves_cash_against_its_account(
    kind: str, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    entry = entry_of(asked(kind, **fields), "USD")
    assert sides(entry) == {(account, "USD"): Decimal(amount) for account, amount in expected.items()}
    assert entry.cash_effect == Decimal(expected["assets:cash"])


def test_a_buy_exchanges_cash_for_units_and_expenses_its_fee() -> None:
    entry = entry_of(asked("buy", **_TRADE), "USD")
    assert sides(entry) == {
        ("assets:securities", "AAPL"): Decimal(10),
        ("trading:AAPL", "AAPL"): Decimal(-10),
        ("trading:AAPL", "USD"): Decimal("733.50"),
        ("assets:cash", "USD"): Decimal("-734.50"),
        ("expenses:fees", "USD"): Decimal("1.00"),
    }


def test_a_sale_exchanges_units_for_cash_and_expenses_its_fee() -> None:
    entry = entry_of(asked("sell", **_TRADE), "USD")
    assert sides(entry) == {
        ("assets:securities", "AAPL"): Decimal(-10),
        ("trading:AAPL", "AAPL"): Decimal(10),
        ("trading:AAPL", "USD"): Decimal("-733.50"),
        ("assets:cash", "USD"): Decimal("732.50"),
        ("expenses:fees", "USD"): Decimal("1.00"),
    }


def test_a_split_adds_the_units_gained_and_moves_no_cash() -> None:
    entry = entry_of(asked("split", symbol="IBM", split_ratio="4"), "USD", held=Decimal(10))
    assert sides(entry) == {("assets:securities", "IBM"): Decimal(30), ("trading:IBM", "IBM"): Decimal(-30)}
    assert entry.cash_effect == 0


def test_every_type_has_a_rule() -> None:
    for kind in TransactionType:
        fields: dict[str, Any] = {"buy": _TRADE, "sell": _TRADE, "split": {"symbol": "IBM", "split_ratio": "2"}}.get(
            kind, _CASH
        )
        assert entry_of(asked(kind, **fields), "USD", held=Decimal(1)).postings


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
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for side in entry.postings:
        totals[side.commodity] += side.amount
    assert set(totals.values()) == {Decimal(0)}
