"""QuantLib: SVI slices, and options under local volatility by finite differences."""

from collections.abc import Callable

import numpy as np
import QuantLib
from serving import Answer, Inputs, serve

_START = (0.01, 0.1, 0.1, -0.5, 0.0)  # a, b, sigma, rho, m


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    today = QuantLib.Date(15, 7, 2022)
    QuantLib.Settings.instance().evaluationDate = today

    def slices() -> Answer:
        """Each expiry on its own, without conditions; QuantLib counts whole days."""
        fitted = np.empty(inputs["strike"].size)
        for day in np.unique(inputs["days"]):
            mine = inputs["days"] == day
            forward = float(inputs["forward"][mine][0])
            volatilities = inputs["volatility"][mine]
            section = QuantLib.SviInterpolatedSmileSection(
                today + int(day),
                forward,
                inputs["strike"][mine].tolist(),
                False,
                float(np.interp(forward, inputs["strike"][mine], volatilities)),
                volatilities.tolist(),
                *_START,
                *[False] * 5,
                False,
            )
            fitted[mine] = [section.volatility(float(strike)) for strike in inputs["strike"][mine]]
        return {"volatility": fitted}

    def local_volatility() -> Answer:
        """Each option by its own Crank-Nicolson, on a table of the same local volatilities."""
        expiry = today + int(inputs["option_days"])
        flat = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, 0.0, QuantLib.Actual365Fixed()))
        dates = [today + int(day) for day in inputs["table_days"]]
        table = QuantLib.Matrix(inputs["table"].tolist())
        local = QuantLib.FixedLocalVolSurface(
            today, dates, inputs["table_strikes"].tolist(), table, QuantLib.Actual365Fixed()
        )
        at_the_money = QuantLib.BlackConstantVol(
            today, QuantLib.NullCalendar(), float(inputs["at_the_money"]), QuantLib.Actual365Fixed()
        )
        process = QuantLib.GeneralizedBlackScholesProcess(
            QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(inputs["spot"]))),
            flat,
            flat,
            QuantLib.BlackVolTermStructureHandle(at_the_money),
            QuantLib.LocalVolTermStructureHandle(local),
        )
        scheme = QuantLib.FdmSchemeDesc.CrankNicolson()
        engine = QuantLib.FdBlackScholesVanillaEngine(process, 200, 400, 2, scheme, True, 0.2)
        prices = []
        for strike in inputs["option_strikes"]:
            payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, float(strike))
            option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(expiry))
            option.setPricingEngine(engine)
            prices.append(option.NPV())
        return {"price": np.array(prices)}

    return {"slices": slices, "local_volatility": local_volatility}


if __name__ == "__main__":
    serve(works)
