"""Local volatility after Dupire (1994): the diffusion that reprices a surface of implied volatilities.

The spot is the surface's forward times a martingale with `dX = sigma(X, t) X dW`: rates and dividends act through the
forward alone, and a dividend is in proportion to the spot. Volatilities are fractions per root of a year, times are
years from today.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import RATE, TIME_TO_EXPIRY, Floats, broadcast
from quantmesh.quant._evaluation import Value
from quantmesh.quant._local_volatility_grid import local_variance, march_backwards, march_forwards, surface_deviation
from quantmesh.quant._quotes import POSITIVE_STRIKE
from quantmesh.quant._threads import run_in_chunks
from quantmesh.quant.errors import DomainError
from quantmesh.quant.svi import Surface

_TIME_NODES = 60
_SPOT_NODES = 161
_REACH = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class LocalVolatility:
    """`volatilities` has a row per time and a column per spot, for simulations; both grids ascend.

    A pair of close times stands where the surface has an expiry: local volatility jumps there. Prices and `volatility`
    do not interpolate in the table but take Dupire's formula wherever they need it.
    """

    surface: Surface
    times: Floats
    spots: Floats
    volatilities: Floats

    def volatility(self, spot: ArrayLike, time: ArrayLike) -> Value:
        spots, times = np.asarray(spot, np.float64), np.asarray(time, np.float64)
        _check(spots, "spot", spots > 0.0, "a positive number")
        _check(times, "time", (times >= 0.0) & (times <= self.last_time), self._time_requirement)
        k = np.log(spots / np.asarray(self.surface.forward_at(times)))
        volatility = np.sqrt(local_variance(self.surface, k, times))
        return float(volatility) if volatility.ndim == 0 else volatility

    def price(
        self,
        option_type: ArrayLike,
        strike: ArrayLike,
        time_to_expiry: ArrayLike,
        rate: ArrayLike,
        *,
        exercise: Literal["european", "american"] = "european",
    ) -> Value:
        """On a grid, by Crank and Nicolson; the rate discounts, and what the spot earns is in the surface's forwards.

        All European prices come from one march of Dupire's equation over strikes and expiries; each American one from
        a march of its own back to today. European prices return the surface's volatilities to some 0.1 basis points,
        and to some 0.3 where a day is left; American ones, at a spot of 100, are right to some 1e-6, and to some 3e-4
        close to where the option is exercised at once.
        """
        if exercise not in {"european", "american"}:
            raise DomainError("exercise", repr(exercise), '"european" or "american"')
        columns = broadcast(option_type, strike, time_to_expiry, rate)
        if columns.rows:
            columns.check((POSITIVE_STRIKE, TIME_TO_EXPIRY, RATE), 0, columns.rows)
        signs = np.broadcast_to(columns.signs.astype(np.float64), columns.rows)
        strikes, times, rates = (np.broadcast_to(column, columns.rows) for column in columns.values)
        late = np.flatnonzero(times > self.last_time)
        if late.size:
            row = None if columns.shape == () else int(late[0])
            raise DomainError("time_to_expiry", float(times[late[0]]), self._time_requirement, row)
        if exercise == "european":
            prices = self._european(signs, strikes, times, rates)
        else:
            prices = self._american(signs, strikes, times, rates)
        return float(prices[0]) if columns.shape == () else prices.reshape(columns.shape)

    @property
    def last_time(self) -> float:
        return float(self.surface.time_to_expiry[-1])

    @property
    def _time_requirement(self) -> str:
        return f"a number of years from 0 to {self.last_time:g}, the surface's last expiry"

    def _european(self, signs: Floats, strikes: Floats, times: Floats, rates: Floats) -> Floats:
        from scipy.interpolate import CubicSpline

        forwards = np.asarray(self.surface.forward_at(times))
        y = strikes / forwards
        k = np.log(y)
        calls = np.maximum(1.0 - y, 0.0)
        expiries = np.unique(times[times > 0.0])
        if expiries.size:
            marched = march_forwards(self.surface, expiries)
            for expiry, values in zip(expiries, marched.values, strict=True):
                mine = (times == expiry) & (k > marched.x[0]) & (k < marched.x[-1])
                # The kink of the payoff is a point of the grid, and gone after a step.
                calls[mine] = np.maximum(CubicSpline(marched.x, values)(k[mine]), calls[mine])
        values = np.where(signs > 0, calls, np.maximum(calls - 1.0 + y, 0.0))
        prices: Floats = np.exp(-rates * times) * forwards * values
        return prices

    def _american(self, signs: Floats, strikes: Floats, times: Floats, rates: Floats) -> Floats:
        from scipy.interpolate import CubicSpline

        spot = float(self.surface.forward_at(0.0))
        prices = np.maximum(signs * (spot - strikes), 0.0)

        def task(start: int, stop: int) -> None:
            for row in range(start, stop):
                if times[row] > 0.0:
                    option = (float(signs[row]), float(strikes[row]), float(times[row]), float(rates[row]))
                    marched = march_backwards(self.surface, *option)
                    prices[row] = max(float(CubicSpline(marched.x, marched.values[0])(0.0)), prices[row])

        run_in_chunks(task, prices.size, 1)
        return prices


def from_surface(surface: Surface) -> LocalVolatility:
    """Raises `DomainError` where the surface has arbitrage: no diffusion has such prices."""
    arbitrage = surface.arbitrage()
    for name, margin in zip(arbitrage._fields, arbitrage, strict=True):
        if margin.value < 0.0:
            where = f"strike {margin.strike:.6g} and {margin.time_to_expiry:g} years"
            raise DomainError("surface", f"a {name} margin of {margin.value:.3g} at {where}", "free of arbitrage")
    last = float(surface.time_to_expiry[-1])
    expiries = surface.time_to_expiry[:-1]
    regular = last * np.linspace(0.0, 1.0, _TIME_NODES) ** 2
    times = np.union1d(regular, np.concatenate([expiries, expiries + 1e-9 * last]))
    low, high = (side * _REACH * surface_deviation(surface, side, last) for side in (-1.0, 1.0))
    spots = float(surface.forward_at(0.0)) * np.exp(np.linspace(low, high, _SPOT_NODES))
    k = np.log(spots[None, :] / np.asarray(surface.forward_at(times))[:, None])
    return LocalVolatility(surface, times, spots, np.sqrt(local_variance(surface, k, times[:, None])))


def load_kernels() -> None:
    """Compile what prices need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _local_volatility_kernels  # noqa: F401  importing loads them


def _check(values: Floats, name: str, is_inside: NDArray[np.bool_], requirement: str) -> None:
    wrong = np.flatnonzero(~is_inside)
    if wrong.size:
        raise DomainError(name, float(values.flat[wrong[0]]), requirement, int(wrong[0]) if values.ndim else None)
