"""QuantLib's QdFp engine: columns of American options, and one contract over many spots.

Every option has its quotes to itself: thousands of live options on one quote would slow QuantLib down many times.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import QuantLib
from serving import Answer, Inputs, serve

_TODAY = QuantLib.Date(15, 6, 2022)
_COUNT = QuantLib.Actual365Fixed()


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    QuantLib.Settings.instance().evaluationDate = _TODAY
    schemes = {
        "fast": QuantLib.QdFpAmericanEngine.fastScheme(),
        "accurate": QuantLib.QdFpAmericanEngine.accurateScheme(),
        "finest": QuantLib.QdFpTanhSinhIterationScheme(30, 100, 1e-13),
    }
    columns = [inputs[name] for name in ("sign", "spot", "strike", "days", "rate", "dividend_yield", "volatility")]
    made = {
        name: [make_option(scheme, *map(float, row)) for row in zip(*columns, strict=True)]
        for name, scheme in schemes.items()
    }
    ready: dict[str, Callable[[], Answer]] = {name: partial(price, options) for name, options in made.items()}
    if "spots" in inputs:
        ready["over_spots"] = partial(price_over_spots, made["fast"], inputs["spots"])
    return ready


def make_option(
    scheme: Any,
    sign: float,
    spot: float,
    strike: float,
    days: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
) -> tuple[Any, Any]:
    """The option and the quote of its spot."""
    quote = QuantLib.SimpleQuote(spot)
    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(quote),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, dividend_yield, _COUNT)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(_TODAY, rate, _COUNT)),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(_TODAY, QuantLib.NullCalendar(), volatility, _COUNT)
        ),
    )
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put, strike)
    exercise = QuantLib.AmericanExercise(_TODAY, _TODAY + QuantLib.Period(int(days), QuantLib.Days))
    option = QuantLib.VanillaOption(payoff, exercise)
    option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, scheme))
    return option, quote


def price(options: list[tuple[Any, Any]]) -> Answer:
    prices = np.empty(len(options))
    for row, (option, _) in enumerate(options):
        option.recalculate()
        prices[row] = option.NPV()
    return {"prices": prices}


def price_over_spots(options: list[tuple[Any, Any]], spots: np.ndarray) -> Answer:
    prices = np.empty(spots.shape)
    for row, (option, quote) in enumerate(options):
        for column, spot in enumerate(spots[row].tolist()):
            quote.setValue(spot)
            prices[row, column] = option.NPV()
    return {"prices": prices}


if __name__ == "__main__":
    serve(works)
