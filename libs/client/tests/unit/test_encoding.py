"""Values as they stand in a request."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest

from quantmesh.client import Unsendable
from quantmesh.client.encoding import encoded, parameters
from quantmesh.client.models.risk import Holding


def test_a_body_has_decimals_as_digits_and_times_as_rfc_3339_has_them() -> None:
    body = {
        "positions": (Holding(symbol="AAPL", quantity=Decimal("1E+2")),),
        "weights": MappingProxyType({"AAPL": Decimal("0.50")}),
        "as_of": datetime(2022, 1, 3, 21, tzinfo=UTC),
        "day": date(2022, 1, 3),
        "nothing": None,
    }
    assert json.loads(encoded(body)) == {
        "positions": [{"symbol": "AAPL", "quantity": "100", "option": None}],
        "weights": {"AAPL": "0.50"},
        "as_of": "2022-01-03T21:00:00+00:00",
        "day": "2022-01-03",
        "nothing": None,
    }


def test_what_is_no_number_of_json_is_not_sent() -> None:
    with pytest.raises(Unsendable, match="not JSON compliant"):
        encoded({"spot": [1.0, float("inf")]})


def test_an_address_has_no_parameter_that_is_none() -> None:
    asked = parameters({"as_of": datetime(2022, 1, 3, tzinfo=UTC), "known_at": None, "lots": False, "limit": 5})
    assert asked == {"as_of": "2022-01-03T00:00:00+00:00", "lots": False, "limit": 5}
