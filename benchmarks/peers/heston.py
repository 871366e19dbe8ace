"""QuantLib's Heston: a surface by its semi-analytic engine, and a calibration by its Levenberg-Marquardt."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import QuantLib
from serving import Answer, Inputs, serve

_TODAY = QuantLib.Date(15, 6, 2022)
_COUNT = QuantLib.Actual365Fixed()
# The fewest nodes of Gauss and Laguerre with which the benchmark's surface is good to 1e-8.
_NODES = 56
_END = (400, 40, 1e-10, 1e-10, 1e-10)


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    QuantLib.Settings.instance().evaluationDate = _TODAY
    market = [float(inputs[name]) for name in ("rate", "dividend_yield", "spot")]
    ready: dict[str, Callable[[], Answer]] = {}
    if "law" in inputs:
        engine = engine_of(make_model(*market, *inputs["law"].tolist()))
        rows = zip(inputs["sign"], inputs["strike"], inputs["days"], strict=True)
        ready["surface"] = partial(price, [make_option(*row, engine) for row in rows])
    if "volatility" in inputs:
        ready["calibration"] = partial(calibrate, market, inputs)
    return ready


def make_model(
    rate: float, dividend_yield: float, spot: float, v0: float, kappa: float, theta: float, sigma: float, rho: float
) -> Any:
    curves = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, level, _COUNT))
        for level in (rate, dividend_yield)
    ]
    quote = QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot))
    return QuantLib.HestonModel(QuantLib.HestonProcess(*curves, quote, v0, kappa, theta, sigma, rho))


def engine_of(model: Any) -> Any:
    return QuantLib.AnalyticHestonEngine(model, _NODES)


def make_option(sign: float, strike: float, days: float, engine: Any) -> Any:
    kind = QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, float(strike))
    option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(_TODAY + int(days)))
    option.setPricingEngine(engine)
    return option


def price(options: list[Any]) -> Answer:
    prices = np.empty(len(options))
    for row, option in enumerate(options):
        option.recalculate()
        prices[row] = option.NPV()
    return {"prices": prices}


def calibrate(market: list[float], inputs: Inputs) -> Answer:
    """From a fresh model; v0, kappa, theta, sigma, rho."""
    rate, dividend_yield, spot = market
    model = make_model(*market, *inputs["start"].tolist())
    engine = engine_of(model)
    curves = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, level, _COUNT))
        for level in (rate, dividend_yield)
    ]
    helpers = []
    for strike, days, volatility in zip(inputs["strike"], inputs["days"], inputs["volatility"], strict=True):
        helper = QuantLib.HestonModelHelper(
            QuantLib.Period(int(days), QuantLib.Days),
            QuantLib.NullCalendar(),
            spot,
            float(strike),
            QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(volatility))),
            *curves,
            QuantLib.BlackCalibrationHelper.PriceError,
        )
        helper.setPricingEngine(engine)
        helpers.append(helper)
    model.calibrate(helpers, QuantLib.LevenbergMarquardt(1e-10, 1e-10, 1e-10), QuantLib.EndCriteria(*_END))
    theta, kappa, sigma, rho, v0 = model.params()
    return {"law": np.array([v0, kappa, theta, sigma, rho])}


if __name__ == "__main__":
    serve(works)
