"""Which fields a transaction takes, and what they may hold."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.fields import REQUIRED
from quantmesh.portfolio.core.model import LotChoice, PositionSide

from .samples import asked

_GOOD: dict[str, Any] = {
    "symbol": "AAPL",
    "quantity": "1",
    "price": "2",
    "amount": "3",
    "currency": "USD",
    "split_ratio": "2",
    "side": PositionSide.SHORT,
}
_OPTIONAL: dict[str, set[str]] = {
    "dividend": {"side"},
    "option_open": {"side"},
    "option_exercise": {"price"},
    "option_assignment": {"price"},
}


def _a(kind: str) -> str:
    return f"an {kind}" if kind.startswith("option") else f"a {kind}"


def fields_of(kind: str) -> dict[str, Any]:
    return {name: _GOOD[name] for name in REQUIRED[kind]}


def problems(kind: str, fields: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidTransaction) as refused:
        asked(kind, **fields).checked()
    return {violation.field: violation.description for violation in refused.value.violations}


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_type_is_content_with_its_required_fields(kind: str) -> None:
    assert asked(kind, **fields_of(kind)).checked().type == kind


@pytest.mark.parametrize("kind", REQUIRED)
def test_each_required_field_is_named_when_missing(kind: str) -> None:
    for missing in REQUIRED[kind]:
        rest = {name: value for name, value in fields_of(kind).items() if name != missing}
        assert problems(kind, rest) == {missing: f"is required for {_a(kind)}"}


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_field_that_the_type_does_not_take_is_refused(kind: str) -> None:
    for field in set(_GOOD) - REQUIRED[kind] - {"currency"} - _OPTIONAL.get(kind, set()):
        assert problems(kind, fields_of(kind) | {field: _GOOD[field]}) == {field: f"is not taken by {_a(kind)}"}


@pytest.mark.parametrize("kind", _OPTIONAL)
def test_what_is_optional_may_be_there(kind: str) -> None:
    for field in _OPTIONAL[kind]:
        assert asked(kind, **fields_of(kind), **{field: _GOOD[field]}).checked().type == kind


def test_a_reversal_is_not_asked_for_as_such() -> None:
    assert problems("reversal", {"symbol": "AAPL"}) == {
        "type": "a reversal is not recorded by itself: reverse the transaction that was wrong"
    }


def test_named_lots_come_to_the_quantity_that_is_sold() -> None:
    one, other = LotChoice(uuid4(), Decimal(2)), LotChoice(uuid4(), Decimal(3))
    sale: dict[str, Any] = {"symbol": "AAPL", "quantity": "5", "price": "2"}
    assert asked("sell", **sale, lots=(one, other)).checked().lots == (one, other)
    assert problems("sell", {**sale, "lots": (one,)}) == {"lots": "come to 2, where the quantity is 5"}
    assert problems("sell", {**sale, "lots": (one, one)})["lots"] == "names a lot twice"
    none = LotChoice(uuid4(), Decimal(0))
    assert problems("sell", {**sale, "lots": (one, none)}) == {"lots.1.quantity": "0 must be more than zero"}
    assert problems("deposit", {"amount": "1", "lots": (one,)}) == {"lots": "is not taken by a deposit"}


def test_named_lots_of_thirty_digits_are_added_to_the_last_one() -> None:
    lots = [LotChoice(uuid4(), Decimal(taken)) for taken in ("99999999999", "0.123456789012345678")]
    sale: dict[str, Any] = {"symbol": "AAPL", "quantity": "99999999999.123456789012345678", "price": "2"}
    assert asked("sell", **sale, lots=tuple(lots)).checked()
    assert problems("sell", {**sale, "lots": tuple(lots[:1])}) == {
        "lots": "come to 99999999999, where the quantity is 99999999999.123456789012345678"
    }


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("0", "0 must be more than zero"),
        ("-1", "-1 must be more than zero"),
        ("NaN", "must be a finite number"),
        ("Infinity", "must be a finite number"),
        ("1000000000000000", "1000000000000000 must be less than 1000000000000000"),
        ("0.0000000000000000001", "1E-19 has more than 18 decimal places"),
    ],
)
def test_numbers_out_of_range_are_refused(value: str, problem: str) -> None:
    assert problems("deposit", {"amount": value, "currency": "USD"}) == {"amount": problem}


def test_a_fee_may_be_zero_but_not_negative() -> None:
    trade = fields_of("buy")
    assert asked("buy", **trade, fee="0").checked().fee == Decimal(0)
    assert problems("buy", trade | {"fee": "-1"}) == {"fee": "-1 must not be negative"}
    # As some exports write that there was none.
    assert str(asked("buy", **trade, fee="-0.00").checked().fee) == "0.00"


def test_a_split_of_one_is_refused() -> None:
    assert problems("split", {"symbol": "IBM", "split_ratio": "1.00"}) == {"split_ratio": "1 would change nothing"}


@pytest.mark.parametrize("symbol", ["aapl", "A B", "-A", "A" * 33, "ÄPFEL"])
def test_a_symbol_is_in_the_market_s_alphabet(symbol: str) -> None:
    assert list(problems("buy", fields_of("buy") | {"symbol": symbol})) == ["symbol"]


@pytest.mark.parametrize("currency", ["usd", "XXX", "US", "BTC"])
def test_a_currency_is_an_active_iso_code(currency: str) -> None:
    assert list(problems("deposit", {"amount": "1", "currency": currency})) == ["currency"]


@pytest.mark.parametrize("note", ["x" * 501, "a\nb", "a\x00b", "\ud800"])
def test_a_note_is_short_and_printable(note: str) -> None:
    assert list(problems("deposit", {"amount": "1", "currency": "USD", "note": note})) == ["note"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert set(problems("buy", {"symbol": "aapl", "quantity": "0", "amount": "1"})) == {
        "symbol",
        "quantity",
        "price",
        "amount",
    }
