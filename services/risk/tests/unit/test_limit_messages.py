"""Limits and their readings as messages: exact where they can be, never an error for their size."""

from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import margin_pb2, risk_pb2
from quantmesh.chassis.errors import InvalidInput
from quantmesh.risk.adapters.limits.translate import limit_from, limit_to, number_to, order_from
from quantmesh.risk.core.errors import InvalidLimits
from quantmesh.risk.core.limits.definition import Rule
from quantmesh.risk.core.limits.measures import measure

from .limit_samples import account, closes, limit


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("141.284", "141.284"),
        ("1000.00", "1000.00"),
        # As a quantity of eighteen places times a price has it.
        ("141.284000000000000000000", "141.28400000"),
        ("0.123456785000000001", "0.12345679"),
        ("99999999999999999999", None),
        ("1E+30", None),
        ("Infinity", None),
    ],
)
def test_a_reading_is_told_to_eight_places(value: str, told: str | None) -> None:
    number = number_to(Decimal(value))
    assert (None if number is None else number.value) == told


@pytest.mark.parametrize("bound", ["99999999999999999999.999999999999999999", "0.000000000000000001", "1000.00"])
def test_a_limit_is_told_as_it_was_set(bound: str) -> None:
    asked = pb.Limit(rule=pb.LIMIT_RULE_GROSS_EXPOSURE, limit=common_pb2.Decimal(value=bound))
    assert limit_to(limit_from(asked, "limits[0]")).limit.value == bound


@pytest.mark.parametrize(
    ("rule", "given", "whose"),
    [
        (pb.LIMIT_RULE_LEVERAGE, {"confidence": 0.95}, "expected_shortfall and value_at_risk"),
        (pb.LIMIT_RULE_LEVERAGE, {"method": risk_pb2.VALUE_AT_RISK_METHOD_HISTORICAL}, "expected_shortfall"),
        (pb.LIMIT_RULE_VALUE_AT_RISK, {"margin_rule": margin_pb2.MARGIN_RULE_PORTFOLIO}, "margin_utilisation"),
    ],
)
def test_a_parameter_of_another_rule_is_refused(rule: Any, given: dict[str, Any], whose: str) -> None:
    asked = pb.Limit(rule=rule, limit=common_pb2.Decimal(value="1"), **given)
    with pytest.raises(InvalidLimits, match=f"is of {whose}") as refused:
        limit_from(asked, "limits[0]")
    assert [each.field for each in refused.value.violations] == [f"limits[0].{next(iter(given))}"]


@pytest.mark.parametrize("field", ["quantity", "price"])
@pytest.mark.parametrize("value", ["0", "1000000000000000", "99999999999999999999"])
def test_an_order_beyond_all_that_is_recorded_is_refused_by_name(field: str, value: str) -> None:
    asked = pb.CheckedOrder(symbol="AAPL", side=portfolio_pb2.ORDER_SIDE_BUY, quantity=common_pb2.Decimal(value="1"))
    getattr(asked, field).value = value
    with pytest.raises(InvalidInput, match=f"orders\\[0\\].{field} must be greater than zero and less than 10{{15}}"):
        order_from(asked, "orders[0]")


def test_the_tail_of_a_vast_position_is_measured() -> None:
    reading = measure(limit(Rule.VALUE_AT_RISK, "1"), account(AAPL="999999999999999999"), closes())
    assert reading.value is not None
    assert reading.value > Decimal(10) ** 15
