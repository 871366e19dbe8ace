"""Volatility surfaces of raw SVI slices, fitted without static arbitrage, and how far from it they are.

A slice is Gatheral's `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`: total variance, volatility squared times
time, over log-moneyness `k = ln(strike / forward)`. Between expiries total variance is linear in time at constant
log-moneyness, and so it is from 0 at time 0 to the first expiry. Beyond the last it shifts in parallel, at the pace
that keeps the volatility at the money. Wings continue as SVI has them, straight lines far out. Volatilities are
fractions per root of a year, times are years.
"""

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import _svi_margins as margins
from quantmesh.quant._arguments import VOLATILITY, Domain, Floats
from quantmesh.quant._evaluation import Value
from quantmesh.quant._quotes import POSITIVE_FORWARD, POSITIVE_STRIKE, POSITIVE_TIME, quote_columns
from quantmesh.quant._ssvi import Quotes, fit_ssvi
from quantmesh.quant._student_intervals import check_confidence, half_width
from quantmesh.quant._svi_constrained import fit_without_arbitrage
from quantmesh.quant._svi_formulas import from_wings, raw_gradients, smile, to_wings
from quantmesh.quant._svi_interpolation import forward_at, interpolate
from quantmesh.quant.errors import DomainError

_LEAST_STRIKES = 5
_SPREAD = Domain("spread", 1e-12, 1e6, "a positive number")
_QUOTED_VOLATILITY = VOLATILITY._replace(minimum=1e-6, maximum=100.0, requirement="a number from 1e-6 to 100")
_LEVEL = Domain("a", -1e6, 1e6, "a number")
_SLOPE = Domain("b", 0.0, 1e6, "a number from 0")
_CORRELATION = Domain("rho", -1.0, 1.0, "between -1 and 1")
_CENTRE = Domain("m", -1e12, 1e12, "a log-moneyness")
_BEND = Domain("sigma", 1e-12, 1e12, "a positive number")
_TIME = Domain("time_to_expiry", 0.0, POSITIVE_TIME.maximum, "a number of years from 0 to 1e6")


class Margin(NamedTuple):
    """The least of a quantity that arbitrage makes negative, and where; the wings end at strike 0 and infinity."""

    value: float
    log_moneyness: float
    strike: float
    time_to_expiry: float


class Arbitrage(NamedTuple):
    """`butterfly`: the least of Durrleman's g (Gatheral and Jacquier, 2014, eq. 2.1), of which the risk-neutral density
    is a positive multiple, up to the last expiry, limits of the wings included. `calendar`: the least growth of total
    variance per year at constant log-moneyness; its time is the start of the interval between two expiries.
    """

    butterfly: Margin
    calendar: Margin

    @property
    def is_free(self) -> bool:
        return self.butterfly.value >= 0.0 and self.calendar.value >= 0.0


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Surface:
    """A slice per expiry, ascending. `spot` is the forward at time 0; without it the first two forwards tell.

    Raises `DomainError` for parameters that are no smile; arbitrage is allowed, and `arbitrage()` tells of it.
    """

    time_to_expiry: Floats
    forward: Floats
    a: Floats
    b: Floats
    rho: Floats
    m: Floats
    sigma: Floats
    spot: float | None

    def __init__(
        self,
        time_to_expiry: ArrayLike,
        forward: ArrayLike,
        a: ArrayLike,
        b: ArrayLike,
        rho: ArrayLike,
        m: ArrayLike,
        sigma: ArrayLike,
        spot: float | None = None,
    ) -> None:
        columns = quote_columns(
            (POSITIVE_TIME, time_to_expiry),
            (POSITIVE_FORWARD, forward),
            (_LEVEL, a),
            (_SLOPE, b),
            (_CORRELATION, rho),
            (_CENTRE, m),
            (_BEND, sigma),
        )
        times, _, level, slope, correlation, _, bend = columns
        _check_order(times)
        _check_level(level, level + slope * bend * np.sqrt(1.0 - correlation * correlation))
        if spot is not None and not 0.0 < spot <= POSITIVE_FORWARD.maximum:
            raise DomainError("spot", spot, POSITIVE_FORWARD.requirement)
        for field, value in zip(fields(self), (*columns, spot), strict=True):
            object.__setattr__(self, field.name, value)

    @property
    def wings(self) -> Floats:
        """A row per slice: a, the slopes b (1 - rho) and b (1 + rho) of the wings, m, sigma."""
        return to_wings(self.a, self.b, self.rho, self.m, self.sigma)

    def forward_at(self, time: ArrayLike) -> Value:
        """Linear in time in its logarithm; beyond the ends at the pace of the nearest interval."""
        times = np.asarray(time, np.float64)
        forward = forward_at(self.time_to_expiry, self.forward, self.spot, times)
        return float(forward) if times.ndim == 0 else forward

    def total_variance(self, strike: ArrayLike, time_to_expiry: ArrayLike) -> Value:
        strikes, times = _within(POSITIVE_STRIKE, strike), _within(_TIME, time_to_expiry)
        k = np.log(strikes / np.asarray(self.forward_at(times)))
        w = interpolate(self.time_to_expiry, self.wings, k, times).smile.w
        return float(w) if w.ndim == 0 else w

    def volatility(self, strike: ArrayLike, time_to_expiry: ArrayLike) -> Value:
        """At time 0 the limit from above."""
        times = np.maximum(_within(_TIME, time_to_expiry), 1e-9 * self.time_to_expiry[0])
        volatility = np.sqrt(np.asarray(self.total_variance(strike, times)) / times)
        return float(volatility) if volatility.ndim == 0 else volatility

    def arbitrage(self) -> Arbitrage:
        return Arbitrage(
            self._located(margins.butterfly_margin(self.time_to_expiry, self.wings)),
            self._located(margins.calendar_margin(self.time_to_expiry, self.wings)),
        )

    def _located(self, margin: margins.Margin) -> Margin:
        with np.errstate(over="ignore"):
            strike = float(np.exp(margin.log_moneyness)) * float(self.forward_at(margin.time_to_expiry))
        return Margin(margin.value, margin.log_moneyness, strike, margin.time_to_expiry)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """`residual` is the fitted less the quoted volatility, a row per quote.

    `parameter_interval` has the shape (expiries, 5, 2): lower and upper bounds of a, b, rho, m and sigma, Student's
    around the linearised fit of each expiry as if no condition held it; infinite where the quotes determine no bound.
    `parametrization` is "ssvi" where raw SVI was not asked for, or did not become free of arbitrage.
    """

    surface: Surface
    parametrization: Literal["svi", "ssvi"]
    residual: Floats
    rmse: float
    arbitrage: Arbitrage
    parameter_interval: Floats
    confidence: float
    iterations: int


def fit(
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    volatility: ArrayLike,
    forward: ArrayLike,
    *,
    spread: ArrayLike = 1.0,
    spot: float | None = None,
    parametrization: Literal["svi", "ssvi"] = "svi",
    confidence: float = 0.95,
) -> Fit:
    """A surface through implied volatilities, one row per quote in any order, without butterfly or calendar arbitrage.

    `spread` is the width between bid and ask volatility: a quote's weight is its inverse square. Prices become
    volatilities by `black_76.implied_volatility`, forwards come from `forwards.from_put_call_parity`.

    "svi": SSVI over all expiries (Gatheral and Jacquier, 2014), and from there the five parameters of each slice by
    least squares on volatilities, under the inequalities that leave no arbitrage; should the finest search still find
    some, SSVI is the answer. An expiry needs five strikes. "ssvi": three parameters for all and one for each expiry.
    """
    strikes, times, volatilities, forwards, spreads = quote_columns(
        (POSITIVE_STRIKE, strike),
        (POSITIVE_TIME, time_to_expiry),
        (_QUOTED_VOLATILITY, volatility),
        (POSITIVE_FORWARD, forward),
        (_SPREAD, spread),
    )
    if parametrization not in {"svi", "ssvi"}:
        raise DomainError("parametrization", repr(parametrization), '"svi" or "ssvi"')
    check_confidence(confidence)
    expiries, first, expiry = np.unique(times, return_index=True, return_inverse=True)
    differing = np.flatnonzero(np.abs(forwards / forwards[first][expiry] - 1.0) > 1e-9)
    if differing.size:
        row = int(differing[0])
        known = f"{forwards[first[expiry[row]]]:g} as in row {first[expiry[row]]}, of the same expiry"
        raise DomainError("forward", float(forwards[row]), known, row)
    _check_enough(strikes, expiries, expiry, parametrization)
    weights = spreads**-2.0
    quotes = Quotes(expiries, expiry, np.log(strikes / forwards), volatilities, weights / weights.mean())
    ssvi_rows, iterations = fit_ssvi(quotes)
    found: tuple[Surface, Arbitrage] | None = None
    if parametrization == "svi":
        rows, steps = fit_without_arbitrage(quotes, ssvi_rows)
        iterations += steps
        found = _without_arbitrage(expiries, forwards[first], rows, spot)
        if found is None:
            parametrization = "ssvi"
    if found is None:
        answer = _surface(expiries, forwards[first], ssvi_rows, spot)
        found = answer, answer.arbitrage()
    answer, arbitrage = found
    residual = quotes.volatility_error(answer.wings)
    return Fit(
        surface=answer,
        parametrization=parametrization,
        residual=residual,
        rmse=float(np.sqrt(np.mean(residual**2))),
        arbitrage=arbitrage,
        parameter_interval=_intervals(quotes, answer, confidence),
        confidence=confidence,
        iterations=iterations,
    )


def _check_order(times: Floats) -> None:
    unordered = np.flatnonzero(np.diff(times) <= 0.0)
    if unordered.size:
        row = int(unordered[0]) + 1
        raise DomainError("time_to_expiry", float(times[row]), f"after the slice before, {times[row - 1]:g}", row)


def _check_level(a: Floats, least: Floats) -> None:
    """`least` is the bottom of each smile."""
    negative = np.flatnonzero(least < 0.0)
    if negative.size:
        row = int(negative[0])
        raise DomainError("a", float(a[row]), f"at least {a[row] - least[row]:g}: variance is not negative", row)


def _within(domain: Domain, values: ArrayLike) -> Floats:
    array = np.asarray(values, np.float64)
    if array.size:
        quote_columns((domain, array.reshape(-1)))
    return array


def _check_enough(strikes: Floats, expiries: Floats, expiry: NDArray[np.int_], parametrization: str) -> None:
    if parametrization == "ssvi":
        if strikes.size < expiries.size + 3:
            raise DomainError(
                "strike", f"{strikes.size} quotes", f"at least {expiries.size + 3} for as many parameters"
            )
        return
    for i, time in enumerate(expiries):
        distinct = np.unique(strikes[expiry == i]).size
        if distinct < _LEAST_STRIKES:
            place = f"{distinct} at {time:g} years"
            raise DomainError("strike", place, 'at least five different ones per expiry, or parametrization "ssvi"')


def _surface(expiries: Floats, forwards: Floats, rows: Floats, spot: float | None) -> Surface:
    return Surface(expiries, forwards, *from_wings(rows), spot=spot)


def _without_arbitrage(
    expiries: Floats, forwards: Floats, rows: Floats, spot: float | None
) -> tuple[Surface, Arbitrage] | None:
    """None also where the rows are no smiles: with a negative variance, or beyond their domain."""
    try:
        answer = _surface(expiries, forwards, rows, spot)
    except DomainError:
        return None
    arbitrage = answer.arbitrage()
    return (answer, arbitrage) if arbitrage.is_free else None


def _intervals(quotes: Quotes, surface: Surface, confidence: float) -> Floats:
    values = np.stack([surface.a, surface.b, surface.rho, surface.m, surface.sigma], -1)
    half = np.full(values.shape, np.inf)
    error = quotes.volatility_error(surface.wings)
    for i, time in enumerate(quotes.times):
        mine = quotes.expiry == i
        freedom = int(mine.sum()) - 5
        if freedom < 1:
            continue
        k, weight = quotes.k[mine], quotes.weight[mine]
        w = smile(surface.wings[i], k).w
        design = raw_gradients(values[i], k) * (0.5 * np.sqrt(weight / (w * time)))[:, None]
        norms = np.linalg.norm(design, axis=0)
        if not (norms > 0.0).all() or np.linalg.cond(design / norms) > 1e7:
            continue
        inverse = np.linalg.inv((design / norms).T @ (design / norms))
        variance = float(weight @ error[mine] ** 2) / freedom * np.diagonal(inverse) / norms**2
        half[i] = np.sqrt(variance) * half_width(freedom, confidence)
    return np.stack([values - half, values + half], -1)
