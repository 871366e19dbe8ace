"""What can be priced: a model with an exercise style, its arguments by name, and the functions that price it.

Every function takes the option type, the contract's values and the model's parameters in the order of `arguments`, each
a number or an array. They raise quant's DomainError, which names an argument.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from quantmesh.pricing.core.errors import InvalidArgument, UnsupportedGreeks, UnsupportedModel
from quantmesh.pricing.core.model import GreekOrders
from quantmesh.quant import american, bachelier, bates, black_76, black_scholes, heston, sabr
from quantmesh.quant.black_scholes import PriceAndGreeks
from quantmesh.quant.errors import DomainError

Functions = Callable[..., Any]

SPOT_CONTRACT = ("spot", "strike", "time_to_expiry", "rate", "dividend_yield")
FORWARD_CONTRACT = ("forward", "strike", "time_to_expiry", "rate")
VOLATILITY = ("volatility",)
_HESTON = ("v0", "kappa", "theta", "sigma", "rho")
_BATES = (*_HESTON, "jump_intensity", "jump_mean", "jump_volatility")
_SABR = ("alpha", "beta", "rho", "nu", "shift")
# Beyond it no price of a European option rises any more.
_BOUNDLESS_VOLATILITY = 1e6


@dataclass(frozen=True, slots=True)
class Inverse:
    """From prices to volatilities, for models that have one."""

    volatility: Functions
    """Of a price, the option type and the contract's values; raises DomainError."""
    volatilities: Functions
    """The same with a status per row."""
    requirements: Mapping[int, tuple[str, str]]
    """By status: which argument is wrong, and what it must be."""
    price_range: Callable[..., tuple[float, float]]
    """The lowest price of a contract that has a volatility, and the one that all lie below."""
    is_slow: bool = False
    """One volatility takes milliseconds."""


@dataclass(frozen=True, slots=True)
class HigherOrders:
    """The Greeks to the third order, of models that have them."""

    names: tuple[str, ...]
    greeks: Functions


@dataclass(frozen=True, slots=True)
class PricingModel:
    name: str
    style: Literal["european", "american"]
    engine: str
    contract: tuple[str, ...]
    parameters: tuple[str, ...]
    price: Functions
    price_and_greeks: Functions
    inverse: Inverse | None = None
    higher_orders: HigherOrders | None = None
    is_slow: bool = False
    """One price takes milliseconds."""

    def outputs(self, orders: GreekOrders) -> tuple[str, ...]:
        """The names of what is answered. Raises UnsupportedGreeks."""
        match orders:
            case "none":
                return ("price",)
            case "first":
                return PriceAndGreeks._fields
            case "all":
                return ("price", *self._to_third_order().names)

    def evaluate(self, orders: GreekOrders, option_type: Any, *values: Any) -> tuple[Any, ...]:
        """In the order of `outputs`. Raises UnsupportedGreeks, and quant's DomainError."""
        match orders:
            case "none":
                return (self.price(option_type, *values),)
            case "first":
                return tuple(self.price_and_greeks(option_type, *values))
            case "all":
                greeks = self._to_third_order().greeks
                return (self.price(option_type, *values), *greeks(option_type, *values))

    def _to_third_order(self) -> HigherOrders:
        if self.higher_orders is None:
            raise UnsupportedGreeks(self.name, self.style)
        return self.higher_orders

    @property
    def arguments(self) -> tuple[str, ...]:
        return (*self.contract, *self.parameters)

    def place(self, argument: str) -> str:
        """Where a request has an argument of this name."""
        if argument in self.contract or argument == "option_type" or argument.startswith("dividends"):
            return f"contract.{argument}"
        return f"{self.name}.{argument}" if self.parameters != VOLATILITY and argument in self.parameters else argument


def _named(function: Functions, names: tuple[str, ...]) -> Functions:
    """`function`, whose last arguments go by their names, with all of them in order."""

    def in_order(option_type: Any, *values: Any) -> Any:
        return function(option_type, *values[: -len(names)], **dict(zip(names, values[-len(names) :], strict=True)))

    return in_order


def _range_between_limits(price: Functions, *contract: float) -> tuple[float, float]:
    return float(price(*contract, 0.0)), float(price(*contract, _BOUNDLESS_VOLATILITY))


def _range_without_bound(price: Functions, *contract: float) -> tuple[float, float]:
    return float(price(*contract, 0.0)), math.inf


def _range_of_american(
    sign: int, spot: float, strike: float, time: float, rate: float, dividend_yield: float
) -> tuple[float, float]:
    """Above, the payoff's own bound, carried to expiry where that is more."""
    lowest = american.price(sign, spot, strike, time, rate, dividend_yield, 0.0)
    amount, carry = (spot, dividend_yield) if sign == 1 else (strike, rate)
    return float(lowest), amount * max(math.exp(-carry * time), 1.0)


_MODELS: dict[tuple[str, str, str], PricingModel] = {}


def _offer(model: PricingModel, accuracy: str = "") -> None:
    _MODELS[model.name, model.style, accuracy] = model


def find_model(name: str, style: str, accuracy: str = "") -> PricingModel:
    """Raises UnsupportedModel with what there is."""
    model = _MODELS.get((name, style, accuracy))
    if model is None:
        raise UnsupportedModel(name, style, accuracy, [" ".join(filter(None, known)) for known in _MODELS])
    return model


_offer(
    PricingModel(
        "black_scholes",
        "european",
        "closed_form",
        SPOT_CONTRACT,
        VOLATILITY,
        black_scholes.price,
        black_scholes.price_and_greeks,
        Inverse(
            black_scholes.implied_volatility,
            black_scholes.implied_volatilities,
            black_scholes.REQUIREMENTS,
            partial(_range_between_limits, black_scholes.price),
        ),
        HigherOrders(black_scholes.HigherOrderGreeks._fields, partial(black_scholes.greeks, higher_orders=True)),
    )
)
_offer(
    PricingModel(
        "black_76",
        "european",
        "closed_form",
        FORWARD_CONTRACT,
        VOLATILITY,
        black_76.price,
        black_76.price_and_greeks,
        Inverse(
            black_76.implied_volatility,
            black_76.implied_volatilities,
            black_76.REQUIREMENTS,
            partial(_range_between_limits, black_76.price),
        ),
        HigherOrders(black_76.HigherOrderGreeks._fields, partial(black_76.greeks, higher_orders=True)),
    )
)
_offer(
    PricingModel(
        "bachelier",
        "european",
        "closed_form",
        FORWARD_CONTRACT,
        VOLATILITY,
        bachelier.price,
        bachelier.price_and_greeks,
        Inverse(
            bachelier.implied_volatility,
            bachelier.implied_volatilities,
            bachelier.REQUIREMENTS,
            partial(_range_without_bound, bachelier.price),
        ),
        HigherOrders(black_76.HigherOrderGreeks._fields, partial(bachelier.greeks, higher_orders=True)),
    )
)
for _model, _engine, _contract, _parameters, _price, _price_and_greeks in (
    ("heston", "quadrature", SPOT_CONTRACT, _HESTON, heston.price, heston.price_and_greeks),
    ("bates", "quadrature", SPOT_CONTRACT, _BATES, bates.price, bates.price_and_greeks),
    ("sabr", "expansion", FORWARD_CONTRACT, _SABR, sabr.price, sabr.price_and_greeks),
    ("sabr_normal", "expansion", FORWARD_CONTRACT, _SABR, sabr.normal_price, sabr.normal_price_and_greeks),
):
    _offer(
        PricingModel(
            _model,
            "european",
            _engine,
            _contract,
            _parameters,
            _named(_price, _parameters),
            _named(_price_and_greeks, _parameters),
        )
    )
# Where none is asked for, the one that is right to a hundredth of a cent and still takes half a millisecond.
_ACCURACIES: dict[str, Literal["fast", "accurate", "high_precision"]] = {
    "": "accurate",
    "fast": "fast",
    "accurate": "accurate",
    "high_precision": "high_precision",
}
for _name, _accuracy in _ACCURACIES.items():
    _offer(
        PricingModel(
            "black_scholes",
            "american",
            "spectral_collocation",
            SPOT_CONTRACT,
            VOLATILITY,
            partial(american.price, accuracy=_accuracy),
            partial(american.price_and_greeks, accuracy=_accuracy),
            Inverse(
                partial(american.implied_volatility, accuracy=_accuracy),
                partial(american.implied_volatilities, accuracy=_accuracy),
                american.REQUIREMENTS,
                _range_of_american,
                is_slow=True,
            ),
            is_slow=_accuracy == "high_precision",
        ),
        _name,
    )


_OF_DIVIDENDS = {"dividend_times": "time", "dividend_amounts": "amount"}


def with_cash_dividends(model: PricingModel, times: Sequence[float], amounts: Sequence[float]) -> PricingModel:
    """The model on a spot that falls by these amounts. Raises InvalidArgument where it has none."""
    if model.name != "black_scholes":
        raise InvalidArgument("contract.dividends", len(times), f"left out: {model.name} does not take them")

    def on_falling_spot(function: Functions) -> Functions:
        def answer(option_type: Any, *values: Any) -> Any:
            try:
                return function(
                    option_type, *values, dividend_times=times, dividend_amounts=amounts, exercise=model.style
                )
            except DomainError as error:
                if error.argument not in _OF_DIVIDENDS:
                    raise
                place = f"dividends[{error.index}].{_OF_DIVIDENDS[error.argument]}"
                raise DomainError(place, error.value, error.requirement) from error

        return answer

    return replace(
        model,
        engine="finite_differences",
        price=on_falling_spot(american.price_with_dividends),
        price_and_greeks=on_falling_spot(american.price_and_greeks_with_dividends),
        inverse=None,
        higher_orders=None,
        is_slow=True,
    )
