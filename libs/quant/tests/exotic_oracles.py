"""QuantLib's instruments and processes, as the tests of exotic options need them."""

from typing import Any

import QuantLib as Ql

TODAY = Ql.Date(2, 1, 2025)
MARKETS = [(1.0, 0.05, 0.02, 0.25), (0.4, -0.01, 0.03, 0.4), (2.0, 0.03, 0.03, 0.15)]


def exercise(time: float) -> Any:
    Ql.Settings.instance().evaluationDate = TODAY
    return Ql.EuropeanExercise(TODAY + round(time * 365))


def flat(value: float) -> Any:
    return Ql.YieldTermStructureHandle(Ql.FlatForward(TODAY, value, Ql.Actual365Fixed()))


def oracle_process(spot: float, rate: float, dividend_yield: float, volatility: float) -> Any:
    Ql.Settings.instance().evaluationDate = TODAY
    surface = Ql.BlackConstantVol(TODAY, Ql.NullCalendar(), volatility, Ql.Actual365Fixed())
    quote = Ql.QuoteHandle(Ql.SimpleQuote(spot))
    return Ql.BlackScholesMertonProcess(
        quote, flat(dividend_yield), flat(rate), Ql.BlackVolTermStructureHandle(surface)
    )


def kind(option_type: str) -> Any:
    return Ql.Option.Call if option_type == "call" else Ql.Option.Put


def npv(instrument: Any, engine: Any) -> float:
    instrument.setPricingEngine(engine)
    return float(instrument.NPV())
