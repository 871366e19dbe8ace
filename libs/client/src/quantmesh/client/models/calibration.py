"""Models and surfaces from market quotes."""

from collections.abc import Mapping

from quantmesh.client.models.base import Answer


class Interval(Answer):
    lower: float
    upper: float


class Calibration(Answer):
    """`residuals` are implied volatilities, the model's less the quote's, in the order of the quotes."""

    model: str
    parameters: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    at_bound: tuple[str, ...]
    residuals: tuple[float, ...]
    price_residuals: tuple[float, ...]
    rmse: float
    price_rmse: float
    iterations: int
    converged: bool
    seconds: float
    confidence: float


class Smile(Answer):
    """Total variance is a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)) at k = ln(strike / forward)."""

    time_to_expiry: float
    forward: float
    a: float
    b: float
    rho: float
    m: float
    sigma: float
    discount_factor: float | None


class ArbitrageMargin(Answer):
    """The least of a quantity that arbitrage makes negative; no strike where it lies in a wing's end."""

    value: float
    strike: float | None
    time_to_expiry: float


class Arbitrage(Answer):
    butterfly: ArbitrageMargin
    calendar: ArbitrageMargin


class VolatilitySurface(Answer):
    """`volatilities` are in the order of the points that were asked for."""

    parametrization: str
    smiles: tuple[Smile, ...]
    residuals: tuple[float, ...]
    rmse: float
    arbitrage: Arbitrage
    iterations: int
    volatilities: tuple[float, ...]


class LocalVolatility(Answer):
    """`volatilities` has a row per time and a column per spot; `prices` are in the order of the options."""

    times: tuple[float, ...]
    spots: tuple[float, ...]
    volatilities: tuple[tuple[float, ...], ...]
    prices: tuple[float, ...]
    surface: VolatilitySurface
