"""What QuantLib says that American options on a strike of 100 are worth."""

from typing import Any

import QuantLib

TODAY = QuantLib.Date(15, 6, 2022)


def quantlib_process(spot: float, rate: float, dividend_yield: float, volatility: float) -> Any:
    """Seen from TODAY, by days of a 365th of a year."""
    QuantLib.Settings.instance().evaluationDate = TODAY
    count = QuantLib.Actual365Fixed()
    return QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(TODAY, dividend_yield, count)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(TODAY, rate, count)),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(TODAY, QuantLib.NullCalendar(), volatility, count)
        ),
    )


def quantlib_price(
    sign: float, spot: float, days: float, rate: float, dividend_yield: float, volatility: float
) -> float:
    """By QdFp with 30 iterations and 100 collocation points."""
    process = quantlib_process(spot, rate, dividend_yield, volatility)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put, 100.0)
    option = QuantLib.VanillaOption(
        payoff, QuantLib.AmericanExercise(TODAY, TODAY + QuantLib.Period(int(days), QuantLib.Days))
    )
    option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, QuantLib.QdFpTanhSinhIterationScheme(30, 100, 1e-13)))
    return float(option.NPV())
