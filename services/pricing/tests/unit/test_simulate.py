"""What a simulation tells while it works."""

from quantmesh.pricing.core.simulate import Simulation, simulate
from quantmesh.quant import monte_carlo


def test_progress_never_goes_back_and_ends_at_1_also_with_greeks() -> None:
    payoff = monte_carlo.European(option_type="call", strike=100.0, time_to_expiry=1.0)
    process = monte_carlo.GeometricBrownianMotion(spot=100.0, rate=0.02, dividend_yield=0.0, volatility=0.2)
    for greeks in (False, True):
        shares: list[float] = []
        asked = Simulation(payoff, process, paths=65_536, steps=4, sampler="pseudo", seed=1, greeks=greeks)
        simulate(asked, shares.append)
        assert shares == sorted(shares)
        assert len(shares) > 1
        assert shares[-1] == 1.0
