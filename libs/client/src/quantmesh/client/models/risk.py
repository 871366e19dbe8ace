"""Value at risk, stress, exposures and backtests; margin is next door."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer


class HeldOption(Answer):
    """On the position's symbol; `time_to_expiry` in years, `multiplier` units of the underlying in one contract."""

    option_type: str
    style: str = "european"
    strike: float
    time_to_expiry: float
    volatility: float
    multiplier: float = 1.0


class Holding(Answer):
    """A position as measures are asked of it, and as they suggest it."""

    symbol: str
    quantity: Decimal
    option: HeldOption | None = None


class Contribution(Answer):
    """`marginal` is the value's change for one unit of money more of the position, None where it is worth nothing;
    `incremental` is by how much the value falls without it."""

    symbol: str
    option: HeldOption | None
    market_value: float
    value_at_risk: float
    expected_shortfall: float
    marginal: float | None
    incremental: float


class ValueAtRisk(Answer):
    """Losses are positive, in `currency`; contributions add up to the totals. Standard errors are of simulations."""

    value_at_risk: float
    expected_shortfall: float
    contributions: tuple[Contribution, ...]
    observations: int
    as_of: datetime | None
    currency: str
    market_value: float
    method: str
    confidence: float
    horizon_days: int
    stale: bool
    standard_error: float | None = None
    shortfall_standard_error: float | None = None


class PositionProfit(Answer):
    """`market_value` is that before any move."""

    symbol: str
    option: HeldOption | None
    market_value: float
    profit: float


class Outcome(Answer):
    """Negative where the book loses; the positions' profits add up to `profit`."""

    profit: float
    positions: tuple[PositionProfit, ...]


class Episode(Answer):
    """Moves count from the close of `first_day`; `worst` is the close at which the book had lost the most."""

    name: str
    first_day: date
    last_day: date
    last: Outcome
    worst_day: date
    worst: Outcome
    spot_moves: Mapping[str, float]


class ReverseStress(Answer):
    """`distance` is Mahalanobis's, in deviations of one day; not `is_exact`: the best of several searches."""

    distance: float
    spot_moves: Mapping[str, float]
    outcome: Outcome
    is_exact: bool


class Stress(Answer):
    """What was not asked for is None, or empty."""

    episodes: tuple[Episode, ...]
    shocks: Outcome | None
    reverse: ReverseStress | None
    currency: str
    market_value: float
    as_of: datetime | None


class LikelihoodRatio(Answer):
    statistic: float
    p_value: float


class TrafficLight(Answer):
    """`multiplier_increase` adds to the capital multiplier of 3; there is one for 250 days at 99 % alone."""

    zone: str
    cumulative_probability: float
    multiplier_increase: float | None


class ShortfallTest(Answer):
    """0 is expected, negative where the shortfall was too low; `z1` is None without an exception."""

    z1: float | None
    z1_p_value: float | None
    z2: float
    z2_p_value: float


class ForecastDay(Answer):
    date: date
    profit: float
    value_at_risk: float
    expected_shortfall: float


class Backtest(Answer):
    """`shortfall` is None where none was forecast; `series`, `currency` and `as_of` are those of remade forecasts."""

    observations: int
    exceptions: int
    expected_exceptions: float
    confidence: float
    kupiec: LikelihoodRatio
    independence: LikelihoodRatio
    conditional_coverage: LikelihoodRatio
    traffic_light: TrafficLight
    shortfall: ShortfallTest | None
    series: tuple[ForecastDay, ...]
    currency: str | None
    as_of: datetime | None


class UnderlyingExposure(Answer):
    """In money, but for `delta` (units of the underlying) and `gamma` (delta per unit of spot); `dollar_delta` is delta
    times spot, `dollar_gamma` gamma times spot squared. Vega and rho are per 1.00, theta per year; `weight` is that of
    the absolute dollar delta."""

    symbol: str
    spot: float
    market_value: float
    delta: float
    dollar_delta: float
    gamma: float
    dollar_gamma: float
    vega: float
    theta: float
    rho: float
    weight: float
    days_to_sell: float | None
    daily_volume: float | None


class Concentration(Answer):
    """`herfindahl` is the sum of squared weights, `effective_number` how many equal ones are as concentrated."""

    herfindahl: float
    effective_number: float


class Liquidity(Answer):
    """`sold_in_a_day` is a share of the gross delta; `longest_days` is None where something never trades."""

    longest_days: float | None
    sold_in_a_day: float


class Exposure(Answer):
    exposures: tuple[UnderlyingExposure, ...]
    concentration: Concentration | None
    liquidity: Liquidity | None
    currency: str
    market_value: float
    as_of: datetime | None
