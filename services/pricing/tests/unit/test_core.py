"""The core, with nothing around it."""

import math
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.pricing.core.errors import (
    InvalidArgument,
    NoImpliedVolatility,
    NoInverse,
    NoPrice,
    QuoteNotFound,
    UnsupportedGreeks,
    UnsupportedModel,
)
from quantmesh.pricing.core.explain_quote import explain_quote
from quantmesh.pricing.core.imply_volatility import imply_volatility, inverse_of
from quantmesh.pricing.core.model import Column, OptionColumns
from quantmesh.pricing.core.models import find_model, with_cash_dividends
from quantmesh.pricing.core.price_columns import imply_columns, price_columns
from quantmesh.pricing.core.price_option import price_option
from quantmesh.quant.errors import DomainError

EUROPEAN = find_model("black_scholes", "european")
CONTRACT = (100.0, 100.0, 1.0, 0.05, 0.0)
FIRST = ("delta", "gamma", "vega", "theta", "rho")


def test_call_less_put_is_the_forward() -> None:
    difference = price_option(EUROPEAN, 1, (*CONTRACT, 0.2)).price - price_option(EUROPEAN, -1, (*CONTRACT, 0.2)).price
    assert difference == pytest.approx(100 - 100 * math.exp(-0.05), abs=1e-12)


def test_an_expired_option_is_worth_its_intrinsic_value() -> None:
    assert price_option(EUROPEAN, 1, (110.0, 100.0, 0.0, 0.05, 0.0, 0.2)).price == 10.0


def test_a_bad_argument_is_named_where_the_request_has_it() -> None:
    with pytest.raises(InvalidArgument, match=r"^contract\.strike must be .* got -1"):
        price_option(EUROPEAN, 1, (100.0, -1.0, 1.0, 0.0, 0.0, 0.2))
    with pytest.raises(InvalidArgument, match=r"^volatility must be .* got nan"):
        price_option(EUROPEAN, 1, (*CONTRACT, math.nan))
    with pytest.raises(InvalidArgument, match=r"^price must be .* got -2"):
        imply_volatility(EUROPEAN, 1, CONTRACT, -2.0)
    with pytest.raises(InvalidArgument, match=r"^contract\.time_to_expiry must be a positive"):
        imply_volatility(EUROPEAN, 1, (100.0, 100.0, 0.0, 0.0, 0.0), 5.0)


def test_the_range_of_prices_is_told_for_either_kind() -> None:
    with pytest.raises(NoImpliedVolatility) as call:
        imply_volatility(EUROPEAN, 1, CONTRACT, 200.0)
    assert call.value.lowest == pytest.approx(100 - 100 * math.exp(-0.05))
    assert call.value.bound == 100.0
    with pytest.raises(NoImpliedVolatility) as put:
        imply_volatility(EUROPEAN, -1, CONTRACT, 99.0)
    assert put.value.lowest == 0.0
    assert put.value.bound == pytest.approx(100 * math.exp(-0.05))


def columns(value: Column, sign: NDArray[np.int8] | int = 1) -> OptionColumns:
    return OptionColumns(3, sign, (np.array([90.0, 100.0, 110.0]), 100.0, 1.0, 0.05, 0.0, value))


def test_columns_and_constants_are_priced_alike() -> None:
    constant = price_columns(EUROPEAN, columns(0.2), "first")
    column = price_columns(EUROPEAN, columns(np.full(3, 0.2), np.ones(3, np.int8)), "first")
    assert list(constant) == ["price", *FIRST]
    single = price_option(EUROPEAN, 1, (*CONTRACT, 0.2))
    for name, values in constant.items():
        np.testing.assert_array_equal(values, column[name])
        assert values[1] == pytest.approx({"price": single.price, **single.greeks}[name], rel=1e-13)


@pytest.mark.parametrize("name", ["black_scholes", "black_76", "bachelier"])
def test_greeks_to_the_third_order_are_slopes_of_those_below(name: str) -> None:
    """By central differences; by time the other way round, since time to expiry falls."""
    model = find_model(name, "european")
    spot = 100.0
    volatility = 20.0 if name == "bachelier" else 0.2
    contract = {"spot": spot, "forward": spot, "strike": 95.0, "time_to_expiry": 0.8, "rate": 0.03}
    arguments = contract | {"dividend_yield": 0.01, "volatility": volatility}
    at = [arguments[argument] for argument in model.arguments]
    found = price_option(model, -1, tuple(at), "all").greeks
    assert tuple(found)[:5] == FIRST
    assert ("epsilon" in found) == (name == "black_scholes")

    def slope(greek: str, argument: str) -> float:
        index, step = model.arguments.index(argument), 1e-4 * arguments[argument]
        up, down = ((*at[:index], at[index] + move, *at[index + 1 :]) for move in (step, -step))
        ahead, behind = (price_option(model, -1, values, "all").greeks[greek] for values in (up, down))
        return (ahead - behind) / (2 * step)

    slopes = {"vanna": ("delta", "volatility"), "volga": ("vega", "volatility"), "vera": ("rho", "volatility")}
    slopes |= {
        "speed": ("gamma", model.contract[0]),
        "zomma": ("gamma", "volatility"),
        "ultima": ("volga", "volatility"),
    }
    for greek, (below, argument) in slopes.items():
        assert found[greek] == pytest.approx(slope(below, argument), rel=1e-5), greek
    for greek, below in {"charm": "delta", "veta": "vega", "color": "gamma"}.items():
        assert found[greek] == pytest.approx(-slope(below, "time_to_expiry"), rel=1e-5), greek


@pytest.mark.parametrize(("name", "style"), [("heston", "european"), ("black_scholes", "american")])
def test_models_without_a_closed_form_say_that_they_have_the_first_order_alone(name: str, style: str) -> None:
    model = find_model(name, style)
    with pytest.raises(UnsupportedGreeks, match=f"first order for {name} of {style} exercise"):
        model.outputs("all")


def test_greeks_that_nobody_asked_for_are_not_computed() -> None:
    assert price_option(EUROPEAN, 1, (*CONTRACT, 0.2), "none").greeks == {}
    assert list(price_columns(EUROPEAN, columns(0.2), "none")) == ["price"]


def test_a_bad_row_of_prices_is_an_error_and_of_volatilities_a_status() -> None:
    with pytest.raises(DomainError) as refused:
        price_columns(EUROPEAN, columns(np.array([0.2, -0.1, 0.3])), "none")
    assert (refused.value.argument, refused.value.index) == ("volatility", 1)
    implied = imply_columns(inverse_of(EUROPEAN), columns(np.array([5.0, 1.0, 20.0])))
    assert implied.status.tolist() == [0, 1, 0]
    assert np.isnan(implied.volatility).tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["black_76", "bachelier"])
def test_models_of_a_forward_name_it_and_imply_their_own_volatility(name: str) -> None:
    model = find_model(name, "european")
    volatility = 0.2 if name == "black_76" else 18.0
    price = price_option(model, 1, (100.0, 95.0, 1.0, 0.03, volatility)).price
    assert imply_volatility(model, 1, (100.0, 95.0, 1.0, 0.03), price) == pytest.approx(volatility, rel=1e-12)
    with pytest.raises(InvalidArgument, match=r"^contract\.forward must be"):
        price_option(model, 1, (math.nan, 95.0, 1.0, 0.03, volatility))


def test_heston_takes_its_parameters_in_order_and_has_no_volatility_to_imply() -> None:
    """The price is Lewis's (2000), as QuantLib's tests cite it."""
    model = find_model("heston", "european")
    priced = price_option(model, 1, (100.0, 100.0, 1.0, 0.01, 0.02, 0.04, 4.0, 0.25, 1.0, -0.5))
    assert priced.price == pytest.approx(16.070154917028834, abs=1e-10)
    with pytest.raises(InvalidArgument, match=r"^heston\.rho must be"):
        price_option(model, 1, (100.0, 100.0, 1.0, 0.01, 0.02, 0.04, 4.0, 0.25, 1.0, -1.5))
    with pytest.raises(NoInverse, match="heston has no volatility to imply"):
        imply_volatility(model, 1, CONTRACT, 10.0)


def test_american_exercise_is_worth_more_and_its_accuracy_can_be_chosen() -> None:
    """QuantLib's QdFp engine with tanh-sinh quadrature gives 6.66068622."""
    european = price_option(EUROPEAN, -1, (100.0, 100.0, 1.0, 0.05, 0.02, 0.2)).price
    for accuracy, error in (("fast", 1e-4), ("", 1e-6), ("accurate", 1e-6)):
        model = find_model("black_scholes", "american", accuracy)
        priced = price_option(model, -1, (100.0, 100.0, 1.0, 0.05, 0.02, 0.2))
        assert priced.price == pytest.approx(6.66068622, abs=error)
        assert priced.price > european
    implied = imply_volatility(find_model("black_scholes", "american"), -1, (100.0, 100.0, 1.0, 0.05, 0.02), 6.66068622)
    assert implied == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(NoImpliedVolatility, match="worth from 10 to less than 110"):
        imply_volatility(find_model("black_scholes", "american"), -1, (100.0, 110.0, 1.0, 0.05, 0.02), 9.0)


def test_jumps_that_never_come_leave_heston() -> None:
    values = (100.0, 100.0, 1.0, 0.01, 0.02, 0.04, 4.0, 0.25, 1.0, -0.5)
    bates = price_option(find_model("bates", "european"), 1, (*values, 0.0, -0.1, 0.2))
    heston = price_option(find_model("heston", "european"), 1, values)
    assert bates.price == pytest.approx(heston.price, abs=1e-9)
    assert bates.greeks == pytest.approx(heston.greeks, abs=1e-9)


def test_a_cash_dividend_lowers_a_call_and_models_without_one_say_so() -> None:
    plain = price_option(EUROPEAN, 1, (*CONTRACT, 0.2)).price
    paying = price_option(with_cash_dividends(EUROPEAN, [0.5], [3.0]), 1, (*CONTRACT, 0.2))
    assert plain - 3.0 < paying.price < plain - 1.0
    after = price_option(with_cash_dividends(EUROPEAN, [0.5], [3.0]), 1, (101.0, *CONTRACT[1:], 0.2))
    assert paying.greeks["delta"] < after.price - paying.price < after.greeks["delta"]
    with pytest.raises(UnsupportedGreeks, match="without cash dividends"):
        with_cash_dividends(EUROPEAN, [0.5], [3.0]).outputs("all")
    with pytest.raises(InvalidArgument, match=r"^contract\.dividends must be left out: heston does not"):
        with_cash_dividends(find_model("heston", "european"), [0.5], [3.0])


def test_without_a_bound_the_lowest_price_is_told_alone() -> None:
    with pytest.raises(NoImpliedVolatility, match="This contract is worth at least 5"):
        imply_volatility(find_model("bachelier", "european"), 1, (105.0, 100.0, 1.0, 0.0), 4.0)


def test_an_unknown_model_is_answered_with_what_there_is() -> None:
    with pytest.raises(UnsupportedModel, match=r"no model heston for american exercise; there are black_scholes euro"):
        find_model("heston", "american")


class NoQuotes:
    async def find(self, owner_id: UUID, quote_id: UUID) -> None:
        return None


@pytest.mark.parametrize("quote_id", ["", "nonsense", "01930000-0000-7000-8000-00000000000a"])
async def test_what_is_no_quote_of_ones_own_is_not_found(quote_id: str) -> None:
    with pytest.raises(QuoteNotFound):
        await explain_quote(NoQuotes(), UUID(int=1), quote_id)


def test_a_bad_dividend_is_named_where_the_request_has_it() -> None:
    model = with_cash_dividends(EUROPEAN, (0.5, 0.0), (1.0, 1.0))
    with pytest.raises(InvalidArgument, match=r"^contract\.dividends\[1\]\.time must be a positive"):
        price_option(model, 1, (*CONTRACT, 0.2))


def test_a_price_that_is_not_finite_is_refused() -> None:
    broken = replace(EUROPEAN, price_and_greeks=lambda *_: (math.nan,) * 6)
    with pytest.raises(NoPrice, match="closed_form"):
        price_option(broken, 1, (*CONTRACT, 0.2))
