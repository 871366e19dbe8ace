"""Greeks as central differences with common random numbers, each with a standard error of its own."""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant.monte_carlo._curves import Schedule, moved, schedule_of
from quantmesh.quant.monte_carlo._estimation import Estimate
from quantmesh.quant.monte_carlo._payoff import Payoff
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._simulation import Progress, Scenario, Settings, simulate

# One number, or one for each of several assets.
Sensitivity = float | tuple[float, ...]

_RATE_SHIFT = 1e-3


class StandardErrors(NamedTuple):
    delta: Sensitivity
    gamma: Sensitivity
    vega: Sensitivity
    theta: Sensitivity
    rho: Sensitivity


class Greeks(NamedTuple):
    """Delta, gamma and vega by asset where there are several; theta by calendar time, vega and rho per 1.00."""

    delta: Sensitivity
    gamma: Sensitivity
    vega: Sensitivity
    theta: Sensitivity
    rho: Sensitivity
    standard_errors: StandardErrors


class _Stencils:
    """Scenarios, and the weights on them that make a derivative."""

    def __init__(self, base: Scenario) -> None:
        self.scenarios = [base]
        self.rows: list[dict[int, float]] = []

    def add(self, process: Process, schedule: Schedule) -> int:
        self.scenarios.append(Scenario(process, schedule))
        return len(self.scenarios) - 1

    def weights(self) -> Floats:
        matrix = np.zeros((len(self.rows), len(self.scenarios)))
        for row, entries in enumerate(self.rows):
            for scenario, weight in entries.items():
                matrix[row, scenario] = weight
        return matrix


def greeks(payoff: Payoff, process: Process, settings: Settings, progress: Progress | None) -> Greeks:
    schedule = schedule_of(payoff.time_to_expiry, settings.steps)
    stencils = _Stencils(Scenario(process, schedule))
    assets = len(process.asset_spots)
    for asset in range(assets):
        _add_spot(stencils, process, schedule, asset)
    for asset in range(assets):
        _add_volatility(stencils, process, schedule, asset)
    _add_time(stencils, process, schedule, payoff.first_date(settings.steps))
    up = stencils.add(process.with_rate_shift(_RATE_SHIFT), schedule)
    down = stencils.add(process.with_rate_shift(-_RATE_SHIFT), schedule)
    stencils.rows.append({up: 0.5 / _RATE_SHIFT, down: -0.5 / _RATE_SHIFT})
    found = simulate(payoff, stencils.scenarios, stencils.weights(), settings, progress).estimates
    # Rows come as delta and gamma of every asset in turn, then the vegas.
    deltas, gammas, vegas = found[0 : 2 * assets : 2], found[1 : 2 * assets : 2], found[2 * assets : 3 * assets]
    theta, rho = found[-2:]

    def by_asset(estimates: tuple[Estimate, ...], part: int) -> Sensitivity:
        return estimates[0][part] if assets == 1 else tuple(estimate[part] for estimate in estimates)

    errors = StandardErrors(by_asset(deltas, 1), by_asset(gammas, 1), by_asset(vegas, 1), theta[1], rho[1])
    return Greeks(by_asset(deltas, 0), by_asset(gammas, 0), by_asset(vegas, 0), theta[0], rho[0], errors)


def _at(asset: int, value: float, others: tuple[float, ...]) -> tuple[float, ...]:
    return (*others[:asset], value, *others[asset + 1 :])


def _add_spot(stencils: _Stencils, process: Process, schedule: Schedule, asset: int) -> None:
    spots = process.asset_spots
    # A tenth of the deviation of the logarithm: the bias of a European option's gamma is then a few thousandths.
    deviation = process.volatility_ranges()[asset][1] * np.sqrt(schedule.times[-1])
    shift = spots[asset] * float(np.clip(0.1 * deviation, 1e-4, 0.1))
    up = stencils.add(process.with_spots(_at(asset, spots[asset] + shift, spots)), schedule)
    down = stencils.add(process.with_spots(_at(asset, spots[asset] - shift, spots)), schedule)
    stencils.rows.append({up: 0.5 / shift, down: -0.5 / shift})
    stencils.rows.append({up: shift**-2, down: shift**-2, 0: -2.0 * shift**-2})


def _add_volatility(stencils: _Stencils, process: Process, schedule: Schedule, asset: int) -> None:
    lowest, highest = process.volatility_ranges()[asset]
    still = (0.0,) * len(process.asset_spots)
    shift = max(0.05 * highest, 1e-4)
    up = stencils.add(process.with_volatility_shifts(_at(asset, shift, still)), schedule)
    if lowest < shift:
        stencils.rows.append({up: 1.0 / shift, 0: -1.0 / shift})
        return
    down = stencils.add(process.with_volatility_shifts(_at(asset, -shift, still)), schedule)
    stencils.rows.append({up: 0.5 / shift, down: -0.5 / shift})


def _add_time(stencils: _Stencils, process: Process, schedule: Schedule, first_date: int) -> None:
    """Now moves, the dates of the contract stay."""
    shift = 0.02 * float(schedule.times[first_date])
    if shift == 0.0:
        stencils.rows.append({})
        return
    later = stencils.add(process, moved(schedule, shift, first_date))
    earlier = stencils.add(process, moved(schedule, -shift, first_date))
    stencils.rows.append({later: 0.5 / shift, earlier: -0.5 / shift})
