"""py_vollib_vectorized: prices with five Greeks, and implied volatilities."""

from collections.abc import Callable

import numpy as np
from py_vollib_vectorized import (
    get_all_greeks,
    vectorized_black_scholes_merton,
    vectorized_implied_volatility,
)
from serving import Answer, Inputs, serve


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    flag = np.where(inputs["sign"] == 1, "c", "p")
    contract = {name: inputs[name] for name in ("spot", "strike", "time", "rate")}
    spot, strike, years, rate = contract.values()
    dividend_yield, volatility, price = inputs["dividend_yield"], inputs["volatility"], inputs["price"]
    terms = (flag, spot, strike, years, rate, volatility, dividend_yield)

    def price_and_greeks() -> Answer:
        value = vectorized_black_scholes_merton(*terms, return_as="numpy")
        return {"price": value, **get_all_greeks(*terms, model="black_scholes_merton", return_as="dict")}

    def implied_volatility() -> Answer:
        found = vectorized_implied_volatility(
            *(price, spot, strike, years, rate, flag, dividend_yield),
            on_error="ignore",
            model="black_scholes_merton",
            return_as="numpy",
        )
        return {"implied_volatility": found}

    return {"price_and_greeks": price_and_greeks, "implied_volatility": implied_volatility}


if __name__ == "__main__":
    serve(works)
