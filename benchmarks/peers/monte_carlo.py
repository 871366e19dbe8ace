"""QuantLib's simulations: European paths of daily steps, and an arithmetic Asian with its geometric control variate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import QuantLib
from serving import Answer, Inputs, serve

_TODAY = QuantLib.Date(2, 1, 2025)
_COUNT = QuantLib.Actual365Fixed()


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    QuantLib.Settings.instance().evaluationDate = _TODAY
    spot, strike, rate, volatility = (float(inputs[name]) for name in ("spot", "strike", "rate", "volatility"))
    steps, paths = int(inputs["steps"]), int(inputs["paths"])
    process = make_process(spot, rate, volatility)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, strike)
    # QuantLib counts whole days: a fixing on each of as many days as steps, the last at expiry.
    dates = [_TODAY + day for day in range(1, steps + 1)]
    exercise = QuantLib.EuropeanExercise(dates[-1])

    def european() -> Answer:
        option = QuantLib.VanillaOption(payoff, exercise)
        engine = QuantLib.MCEuropeanEngine(process, "pseudorandom", timeSteps=steps, requiredSamples=paths, seed=1)
        option.setPricingEngine(engine)
        return {"prices": np.array([option.NPV()])}

    def asian(samples: int, seed: int) -> float:
        option = QuantLib.DiscreteAveragingAsianOption(QuantLib.Average.Arithmetic, 0.0, 0, dates, payoff, exercise)
        engine = QuantLib.MCDiscreteArithmeticAPEngine(
            process, "pseudorandom", brownianBridge=True, controlVariate=True, requiredSamples=samples, seed=seed
        )
        option.setPricingEngine(engine)
        return float(option.NPV())

    samples = int(inputs["asian_samples"])
    return {
        "european": european,
        "asian": lambda: {"prices": np.array([asian(samples, 1)])},
        "asian_errors": lambda: {"prices": np.array([asian(samples, seed) for seed in range(1, 21)])},
    }


def make_process(spot: float, rate: float, volatility: float) -> Any:
    rates = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, rate, _COUNT))
    yields = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, 0.0, _COUNT))
    surface = QuantLib.BlackConstantVol(_TODAY, QuantLib.NullCalendar(), volatility, _COUNT)
    quote = QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot))
    return QuantLib.BlackScholesMertonProcess(quote, yields, rates, QuantLib.BlackVolTermStructureHandle(surface))


if __name__ == "__main__":
    serve(works)
