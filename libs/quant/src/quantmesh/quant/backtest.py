"""Whether forecasts of value at risk and expected shortfall held (RSK-2).

`profits` are what the book earned on each day, negative where it lost; a day is an exception where it lost more than
its `value_at_risk`. Forecasts are one per day, or one for all, and losses positive. A p-value is the probability of
a result at least as bad under a correct forecast.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._samples import Floats, check_finite
from quantmesh.quant._tail import check_confidence
from quantmesh.quant.errors import DomainError

# Basel Committee, Supervisory framework for the use of "backtesting" (1996), table 2: 250 days at 99 %.
_BASEL_DAYS, _BASEL_CONFIDENCE = 250, 0.99
_BASEL_INCREASES = (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00)
_YELLOW_FROM, _RED_FROM = 0.95, 0.9999


class LikelihoodRatio(NamedTuple):
    statistic: float
    p_value: float


class TrafficLight(NamedTuple):
    """`cumulative_probability` is that of so many exceptions or fewer. `multiplier_increase` adds to the capital
    multiplier of 3; None except for 250 days at 99 %, for which alone Basel has a table.
    """

    zone: Literal["green", "yellow", "red"]
    cumulative_probability: float
    multiplier_increase: float | None


class ShortfallTest(NamedTuple):
    """Expected to be 0, and negative where the shortfall was too low. `z1` is None without any exception."""

    z1: float | None
    z1_p_value: float | None
    z2: float
    z2_p_value: float


@dataclass(frozen=True, slots=True)
class Report:
    observations: int
    exceptions: int
    expected_exceptions: float
    confidence: float
    kupiec: LikelihoodRatio
    independence: LikelihoodRatio
    conditional_coverage: LikelihoodRatio
    traffic_light: TrafficLight
    shortfall: ShortfallTest | None


def report(
    profits: ArrayLike,
    value_at_risk: ArrayLike,
    expected_shortfall: ArrayLike | None = None,
    *,
    confidence: float = 0.99,
    seed: int = 0,
) -> Report:
    """All tests at once; those of the shortfall where it is given."""
    days = exceptions(profits, value_at_risk)
    count = int(days.sum())
    return Report(
        observations=days.size,
        exceptions=count,
        expected_exceptions=days.size * (1.0 - confidence),
        confidence=confidence,
        kupiec=kupiec(count, days.size, confidence=confidence),
        independence=independence(days),
        conditional_coverage=conditional_coverage(days, confidence=confidence),
        traffic_light=traffic_light(count, days.size, confidence=confidence),
        shortfall=(
            None
            if expected_shortfall is None
            else acerbi_szekely(profits, value_at_risk, expected_shortfall, confidence=confidence, seed=seed)
        ),
    )


def exceptions(profits: ArrayLike, value_at_risk: ArrayLike) -> NDArray[np.bool_]:
    """The days on which the loss exceeded the forecast."""
    earned = _series("profits", profits)
    days: NDArray[np.bool_] = earned < -_forecasts("value_at_risk", value_at_risk, earned.size)
    return days


def kupiec(exceptions: int, observations: int, *, confidence: float = 0.99) -> LikelihoodRatio:
    """Proportion of failures: is 1 - confidence the rate of exceptions?

    Kupiec, Techniques for verifying the accuracy of risk measurement models, 1995; chi-square with one degree.
    """
    _check_counts(exceptions, observations, confidence)
    expected = _log_likelihood(exceptions, observations, 1.0 - confidence)
    return _ratio(_log_likelihood(exceptions, observations, exceptions / observations) - expected, 1)


def independence(exceptions: ArrayLike) -> LikelihoodRatio:
    """Is an exception as likely after an exception as after another day?

    Christoffersen, Evaluating interval forecasts, 1998, 3.2: a first-order Markov chain; chi-square with one degree.
    """
    days = np.asarray(exceptions)
    if days.dtype != np.bool_ or days.ndim != 1 or days.size < 2:
        raise DomainError("exceptions", f"{days.dtype} of shape {days.shape}", "a vector of at least two truth values")
    before, after = days[:-1], days[1:]
    rates = [(int(after[before == state].sum()), int((before == state).sum())) for state in (False, True)]
    total = int(after.sum())
    chain = sum(_log_likelihood(hits, trials, hits / trials) for hits, trials in rates if trials)
    return _ratio(chain - _log_likelihood(total, after.size, total / after.size), 1)


def conditional_coverage(exceptions: ArrayLike, *, confidence: float = 0.99) -> LikelihoodRatio:
    """Both of the above: the sum of the statistics; chi-square with two degrees (Christoffersen, 1998, 3.3)."""
    ordered = independence(exceptions)
    days = np.asarray(exceptions)
    covered = kupiec(int(days.sum()), days.size, confidence=confidence)
    return _ratio(0.5 * (ordered.statistic + covered.statistic), 2)


def traffic_light(exceptions: int, observations: int = 250, *, confidence: float = 0.99) -> TrafficLight:
    """Yellow from where so many exceptions or fewer have a probability of 95 %, red from 99.99 % (Basel, 1996)."""
    _check_counts(exceptions, observations, confidence)
    from scipy.special import bdtr

    probability = float(bdtr(float(exceptions), observations, 1.0 - confidence))
    zone: Literal["green", "yellow", "red"] = (
        "red" if probability >= _RED_FROM else "yellow" if probability >= _YELLOW_FROM else "green"
    )
    in_table = observations == _BASEL_DAYS and confidence == _BASEL_CONFIDENCE
    return TrafficLight(zone, probability, _BASEL_INCREASES[min(exceptions, 10)] if in_table else None)


def acerbi_szekely(
    profits: ArrayLike,
    value_at_risk: ArrayLike,
    expected_shortfall: ArrayLike,
    *,
    confidence: float = 0.975,
    degrees_of_freedom: float = math.inf,
    simulations: int = 20_000,
    seed: int = 0,
) -> ShortfallTest:
    """Tests 1 and 2 of Acerbi and Szekely, Backtesting expected shortfall, 2014.

    Test 1 looks at the size of exceptions, test 2 at size and number. Their p-values are simulated under profits that
    are normal, or Student's t with `degrees_of_freedom`, of any scale: that of a day drops out.
    """
    earned = _series("profits", profits)
    quantiles = _forecasts("value_at_risk", value_at_risk, earned.size)
    shortfalls = _forecasts("expected_shortfall", expected_shortfall, earned.size)
    check_confidence(confidence)
    low = np.flatnonzero(shortfalls < quantiles)
    if low.size:
        raise DomainError("expected_shortfall", shortfalls[low[0]], "at least the value at risk", int(low[0]))
    if not degrees_of_freedom > 1.0:
        raise DomainError("degrees_of_freedom", degrees_of_freedom, "above 1, where the shortfall is finite")
    if not simulations >= 1:
        raise DomainError("simulations", simulations, "at least 1")
    exceeded = earned < -quantiles
    sizes = earned[exceeded] / shortfalls[exceeded]
    z2 = float(sizes.sum()) / (earned.size * (1.0 - confidence)) + 1.0
    nulls = _shortfall_nulls(earned.size, confidence, degrees_of_freedom, simulations, seed)
    z2_p_value = float((nulls[1] <= z2).mean())
    if not sizes.size:
        return ShortfallTest(None, None, z2, z2_p_value)
    z1 = float(sizes.mean()) + 1.0
    defined = nulls[0][np.isfinite(nulls[0])]
    return ShortfallTest(z1, float((defined <= z1).mean()) if defined.size else None, z2, z2_p_value)


def _shortfall_nulls(
    days: int, confidence: float, degrees_of_freedom: float, simulations: int, seed: int
) -> tuple[Floats, Floats]:
    """Z1 (NaN without exceptions) and Z2 of simulated samples, from profits below the quantile over the shortfall."""
    from scipy import stats

    law = stats.norm() if degrees_of_freedom == math.inf else stats.t(degrees_of_freedom)
    quantile = float(law.ppf(1.0 - confidence))
    density = float(law.pdf(quantile))
    if degrees_of_freedom < math.inf:  # McNeil, Frey, Embrechts, example 2.15
        density *= (degrees_of_freedom + quantile * quantile) / (degrees_of_freedom - 1.0)
    shortfall = density / (1.0 - confidence)
    generator = np.random.default_rng(seed)
    counts = generator.binomial(days, 1.0 - confidence, simulations)
    sizes = law.ppf(generator.uniform(0.0, 1.0 - confidence, int(counts.sum()))) / shortfall
    sums = np.bincount(np.repeat(np.arange(simulations), counts), sizes, simulations)
    means = np.divide(sums, counts, out=np.full(simulations, math.nan), where=counts > 0)
    return means + 1.0, sums / (days * (1.0 - confidence)) + 1.0


def _series(name: str, values: ArrayLike) -> Floats:
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or series.size < 2:
        raise DomainError(name, f"shape {series.shape}", "a vector of at least two")
    check_finite(name, series)
    return series


def _forecasts(name: str, values: ArrayLike, size: int) -> Floats:
    forecasts = np.asarray(values, dtype=np.float64)
    if forecasts.shape not in {(), (size,)}:
        raise DomainError(name, f"shape {forecasts.shape}", f"one for all, or a vector of {size}")
    wrong = np.flatnonzero(~(np.isfinite(forecasts) & (forecasts > 0.0)))
    if wrong.size:
        row = int(wrong[0]) if forecasts.ndim else None
        raise DomainError(name, forecasts.flat[wrong[0]], "positive and finite", row)
    return np.broadcast_to(forecasts, (size,))


def _check_counts(exceptions: int, observations: int, confidence: float) -> None:
    check_confidence(confidence)
    if not observations >= 1:
        raise DomainError("observations", observations, "at least 1")
    if not 0 <= exceptions <= observations:
        raise DomainError("exceptions", exceptions, f"from 0 to {observations}")


def _log_likelihood(hits: int, trials: int, rate: float) -> float:
    """Of a Bernoulli sample; 0 ln 0 is 0."""
    hit = hits * math.log(rate) if hits else 0.0
    return hit + ((trials - hits) * math.log1p(-rate) if trials > hits else 0.0)


def _ratio(log_ratio: float, degrees: int) -> LikelihoodRatio:
    from scipy.special import chdtrc

    statistic = max(2.0 * log_ratio, 0.0)
    return LikelihoodRatio(statistic, float(chdtrc(degrees, statistic)))
