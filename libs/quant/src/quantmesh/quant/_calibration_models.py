"""What `calibration` knows of a model: its parameters, where they may lie, and prices with their gradients.

A new model is an entry of MODELS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from quantmesh.quant import _sabr_formulas as sabr_formulas
from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import Floats
from quantmesh.quant._calibration_quotes import Quotes
from quantmesh.quant._heston_evaluation import evaluate_rows
from quantmesh.quant._limits import LARGEST_VOLATILITY

# Far from the money the expansion may pass below zero on the way, or rise beyond all volatilities.
_LEAST_VOLATILITY = 1e-6


class Parameter(NamedTuple):
    name: str
    lower: float
    upper: float
    """Bounds of the fit; a bound may be given otherwise."""
    least_start: float
    greatest_start: float
    """Where starts are drawn from, in equal ratios where both are positive."""


@dataclass(frozen=True, slots=True)
class Model:
    parameters: tuple[Parameter, ...]
    evaluate: Callable[[Quotes, Floats], tuple[Floats, Floats]]
    """The price of every quote, and its derivatives: parameters by quotes."""
    guess: Callable[[Quotes, Mapping[str, float]], Floats]
    """A start that the quotes themselves suggest, and the parameters that are fixed."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Parameters that are not fitted unless the caller frees them."""
    of_one_expiry: bool = False


def _flat_prices(quotes: Quotes, values: Floats) -> tuple[Floats, Floats]:
    answer = black_scholes.price_and_greeks(*quotes.contract, values[0])
    return np.asarray(answer.price), np.asarray(answer.vega)[None, :]


def _flat_guess(quotes: Quotes, _fixed: Mapping[str, float]) -> Floats:
    return np.array([np.median(quotes.implied_volatility)])


def _heston_prices(quotes: Quotes, values: Floats) -> tuple[Floats, Floats]:
    price, *rest = evaluate_rows(quotes.option_type, (*quotes.contract[1:], *values, 0.0, 0.0, 0.0), 11)
    return np.asarray(price), np.array(rest[5:])


def _bates_prices(quotes: Quotes, values: Floats) -> tuple[Floats, Floats]:
    price, *rest = evaluate_rows(quotes.option_type, (*quotes.contract[1:], *values), 14)
    return np.asarray(price), np.array(rest[5:])


def _heston_guess(quotes: Quotes, _fixed: Mapping[str, float]) -> Floats:
    """The variance at the money of the first expiry, and of the last in the long run."""
    near, far = (_volatility_at_the_money(quotes, expiry) ** 2 for expiry in (np.min, np.max))
    return np.array([near, 1.5, far, 0.5, -0.5])


def _bates_guess(quotes: Quotes, fixed: Mapping[str, float]) -> Floats:
    return np.concatenate((_heston_guess(quotes, fixed), [0.2, -0.1, 0.1]))


def _sabr_prices(quotes: Quotes, values: Floats) -> tuple[Floats, Floats]:
    volatility, *slopes = sabr_formulas.black_volatility_and_gradients(
        quotes.forward, quotes.strike, quotes.time_to_expiry, *np.broadcast_arrays(*values)
    )
    answer = black_scholes.price_and_greeks(
        *quotes.contract, np.clip(volatility, _LEAST_VOLATILITY, LARGEST_VOLATILITY)
    )
    return np.asarray(answer.price), np.asarray(answer.vega) * np.array(slopes)


def _sabr_guess(quotes: Quotes, fixed: Mapping[str, float]) -> Floats:
    """Lognormal at the money."""
    beta = fixed.get("beta", 1.0)
    alpha = _volatility_at_the_money(quotes, np.min) * float(np.mean(quotes.forward)) ** (1.0 - beta)
    return np.array([alpha, beta, -0.3, 0.5])


def _volatility_at_the_money(quotes: Quotes, choose: Callable[[Floats], float]) -> float:
    """Of the expiry chosen."""
    rows = np.flatnonzero(quotes.time_to_expiry == choose(quotes.time_to_expiry))
    nearest = rows[np.argmin(np.abs(quotes.strike[rows] - quotes.forward[rows]))]
    return float(quotes.implied_volatility[nearest])


_HESTON = (
    Parameter("v0", 1e-6, 4.0, 0.005, 0.3),
    Parameter("kappa", 1e-3, 20.0, 0.3, 6.0),
    Parameter("theta", 1e-6, 4.0, 0.005, 0.3),
    Parameter("sigma", 1e-2, 5.0, 0.15, 1.5),
    Parameter("rho", -0.99, 0.99, -0.9, 0.3),
)
_JUMPS = (
    Parameter("jump_intensity", 0.0, 20.0, 0.05, 2.0),
    Parameter("jump_mean", -1.0, 1.0, -0.3, 0.05),
    Parameter("jump_volatility", 0.0, 1.0, 0.02, 0.3),
)
_SABR = (
    Parameter("alpha", 1e-8, 1e6, 0.02, 2.0),
    Parameter("beta", 0.0, 1.0, 0.0, 1.0),
    Parameter("rho", -0.999, 0.999, -0.8, 0.8),
    Parameter("nu", 1e-4, 20.0, 0.1, 2.0),
)
MODELS: dict[str, Model] = {
    "black_scholes": Model((Parameter("volatility", 1e-4, 10.0, 0.05, 1.0),), _flat_prices, _flat_guess),
    "heston": Model(_HESTON, _heston_prices, _heston_guess),
    "bates": Model((*_HESTON, *_JUMPS), _bates_prices, _bates_guess),
    "sabr": Model(_SABR, _sabr_prices, _sabr_guess, fixed={"beta": 0.5}, of_one_expiry=True),
}
