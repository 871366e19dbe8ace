"""QuantLib: American options over spots, each with a quote of its own, since shared ones slow it down."""

import numpy as np
import QuantLib
from serving import Answer, Inputs, serve

_SCHEMES = {
    "fast": QuantLib.QdFpAmericanEngine.fastScheme,
    "accurate": QuantLib.QdFpAmericanEngine.accurateScheme,
}


def works(inputs: Inputs) -> dict[str, "Revaluation"]:
    return {name: Revaluation(inputs, name) for name in _SCHEMES}


class Revaluation:
    def __init__(self, inputs: Inputs, scheme: str) -> None:
        self._inputs = inputs
        self._scheme = _SCHEMES[scheme]()

    def __call__(self) -> Answer:
        today = QuantLib.Date(21, 11, 2026)
        QuantLib.Settings.instance().evaluationDate = today
        count = QuantLib.Actual365Fixed()
        spots = self._inputs["spots"]
        prices = np.empty(spots.shape)
        rate = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(self._inputs["rate"]), count))
        contracts = (self._inputs[name].tolist() for name in ("sign", "strike", "days", "dividend_yield", "volatility"))
        for row, (sign, strike, days, dividend_yield, volatility) in enumerate(zip(*contracts, strict=True)):
            quote = QuantLib.SimpleQuote(100.0)
            process = QuantLib.BlackScholesMertonProcess(
                QuantLib.QuoteHandle(quote),
                QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, dividend_yield, count)),
                rate,
                QuantLib.BlackVolTermStructureHandle(
                    QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), volatility, count)
                ),
            )
            option = QuantLib.VanillaOption(
                QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign == 1 else QuantLib.Option.Put, strike),
                QuantLib.AmericanExercise(today, today + int(days)),
            )
            option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, self._scheme))
            for column, spot in enumerate(spots[row].tolist()):
                quote.setValue(spot)
                prices[row, column] = option.NPV()
        return {"prices": prices}


if __name__ == "__main__":
    serve(works)
