from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.api.common.v1 import common_pb2
from quantmesh.chassis.decimals import from_proto, from_text, to_proto, to_text
from quantmesh.chassis.errors import InvalidInput

fitting = st.decimals(
    min_value=Decimal(-(10**20) + 1), max_value=Decimal(10**20 - 1), places=18, allow_nan=False, allow_infinity=False
)


@settings(deadline=None)
@given(fitting)
def test_a_decimal_comes_back_from_the_wire_as_it_was(value: Decimal) -> None:
    back = from_proto(to_proto(value), "amount")
    assert back == value
    assert back.as_tuple().exponent == value.as_tuple().exponent


def test_cents_stay_cents() -> None:
    assert to_text(Decimal("1.50")) == "1.50"
    assert to_text(Decimal("1E+5")) == "100000"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1E+20", "1E-19", "0.1234567890123456789"])
def test_what_the_column_cannot_hold_is_never_sent(value: str) -> None:
    with pytest.raises(ValueError, match="is not a plain decimal"):
        to_proto(Decimal(value))


@pytest.mark.parametrize(
    "text",
    [
        *("", "1e5", "NaN", "Infinity", "+1", ".5", "5.", "1,000", " 1", "1 ", "1\n", "--1", "0x1", "\u0661", "1_0"),
        *("9" * 21, "0." + "1" * 19, "1" * 10_000),
    ],
)
def test_what_is_no_plain_decimal_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_text(text, "transaction.quantity")
    (violation,) = refused.value.violations
    assert violation.field == "transaction.quantity"
    assert "129.41" in violation.description
    assert len(refused.value.detail) < 250


def test_a_missing_decimal_says_so() -> None:
    with pytest.raises(InvalidInput, match="price is missing"):
        from_proto(common_pb2.Decimal(), "price")
