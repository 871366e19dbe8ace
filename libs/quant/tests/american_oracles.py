"""What QuantLib says that American options on a strike of 100 are worth."""

import QuantLib


def quantlib_price(
    sign: float, spot: float, days: float, rate: float, dividend_yield: float, volatility: float
) -> float:
    """By QdFp with 30 iterations and 100 collocation points."""
    today = QuantLib.Date(15, 6, 2022)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Actual365Fixed()
    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, dividend_yield, count)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, rate, count)),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), volatility, count)
        ),
    )
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put, 100.0)
    option = QuantLib.VanillaOption(
        payoff, QuantLib.AmericanExercise(today, today + QuantLib.Period(int(days), QuantLib.Days))
    )
    option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, QuantLib.QdFpTanhSinhIterationScheme(30, 100, 1e-13)))
    return float(option.NPV())
