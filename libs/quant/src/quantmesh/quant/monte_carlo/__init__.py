"""Prices by simulation: `price(payoff, process, paths=, steps=, sampler=, seed=)`.

Payoffs and processes are frozen dataclasses; `PAYOFFS` and `PROCESSES` list them by name. Rates, yields and
volatilities are fractions per year, times are years. One seed gives one answer to the last bit on one kind of
processor, whatever the number of threads. Memory is bounded: paths pass in blocks.

`sampler="sobol"` draws 16 to 32 independently scrambled replications of a Sobol sequence (random linear matrix scramble
and digital shift) and builds paths by a Brownian bridge; the standard error is that of the replications' mean, so that
it has 15 to 31 degrees of freedom. `sampler="pseudo"` draws independent paths. Both draw antithetic pairs by default.
"""

from quantmesh.quant.monte_carlo._american import American
from quantmesh.quant.monte_carlo._asian import Asian
from quantmesh.quant.monte_carlo._barriers import Barrier, DoubleBarrier
from quantmesh.quant.monte_carlo._baskets import Basket, BestOf, Spread, WorstOf
from quantmesh.quant.monte_carlo._curves import PiecewiseConstant
from quantmesh.quant.monte_carlo._greeks import Greeks, StandardErrors
from quantmesh.quant.monte_carlo._heston import Heston
from quantmesh.quant.monte_carlo._local_volatility import LocalVolatility
from quantmesh.quant.monte_carlo._lognormal import CorrelatedAssets, GeometricBrownianMotion
from quantmesh.quant.monte_carlo._lookbacks import Lookback
from quantmesh.quant.monte_carlo._payoff import Payoff
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._result import Result, check, price
from quantmesh.quant.monte_carlo._structured import Autocallable, Cliquet
from quantmesh.quant.monte_carlo._vanilla import Digital, European

__all__ = [
    "PAYOFFS",
    "PROCESSES",
    "American",
    "Asian",
    "Autocallable",
    "Barrier",
    "Basket",
    "BestOf",
    "Cliquet",
    "CorrelatedAssets",
    "Digital",
    "DoubleBarrier",
    "European",
    "GeometricBrownianMotion",
    "Greeks",
    "Heston",
    "LocalVolatility",
    "Lookback",
    "Payoff",
    "PiecewiseConstant",
    "Process",
    "Result",
    "Spread",
    "StandardErrors",
    "WorstOf",
    "check",
    "load_kernels",
    "price",
]

PAYOFFS: dict[str, type] = {
    "american": American,
    "asian": Asian,
    "autocallable": Autocallable,
    "barrier": Barrier,
    "basket": Basket,
    "best_of": BestOf,
    "cliquet": Cliquet,
    "digital": Digital,
    "double_barrier": DoubleBarrier,
    "european": European,
    "lookback": Lookback,
    "spread": Spread,
    "worst_of": WorstOf,
}
PROCESSES: dict[str, type] = {
    "correlated_assets": CorrelatedAssets,
    "geometric_brownian_motion": GeometricBrownianMotion,
    "heston": Heston,
    "local_volatility": LocalVolatility,
}


def load_kernels() -> None:
    """Compile what simulations need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant.monte_carlo import (  # noqa: F401  importing loads them
        _exotic_kernels,
        _moments_kernels,
        _path_kernels,
        _payoff_kernels,
        _pseudo_random_kernels,
        _sobol_kernels,
    )
