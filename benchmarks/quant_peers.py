"""py_vollib_vectorized, in its own environment: told on standard input what to time, answers on standard output.

.venv-bench/bin/python benchmarks/quant_peers.py INPUTS.npz OUTPUTS.npz
"""

import sys
import time
import warnings

import numpy as np
from py_vollib_vectorized import (  # type: ignore[import-not-found]  # it lives in the peers' environment
    get_all_greeks,
    vectorized_black_scholes_merton,
    vectorized_implied_volatility,
)


def main() -> None:
    warnings.simplefilter("ignore")
    inputs = np.load(sys.argv[1])
    flag = np.where(inputs["sign"] == 1, "c", "p")
    contract = {name: inputs[name] for name in ("spot", "strike", "time", "rate")}
    spot, strike, years, rate = contract.values()
    dividend_yield, volatility, price = inputs["dividend_yield"], inputs["volatility"], inputs["price"]

    def price_and_greeks() -> dict[str, np.ndarray]:
        value = vectorized_black_scholes_merton(
            flag, spot, strike, years, rate, volatility, dividend_yield, return_as="numpy"
        )
        greeks = get_all_greeks(
            flag,
            spot,
            strike,
            years,
            rate,
            volatility,
            dividend_yield,
            model="black_scholes_merton",
            return_as="dict",
        )
        return {"price": value, **greeks}

    def implied_volatility() -> dict[str, np.ndarray]:
        found = vectorized_implied_volatility(
            price,
            spot,
            strike,
            years,
            rate,
            flag,
            dividend_yield,
            on_error="ignore",
            model="black_scholes_merton",
            return_as="numpy",
        )
        return {"implied_volatility": found}

    work = {"price_and_greeks": price_and_greeks, "implied_volatility": implied_volatility}
    for line in sys.stdin:
        started = time.perf_counter()
        answer = work[line.strip()]()
        seconds = time.perf_counter() - started
        np.savez(sys.argv[2], allow_pickle=False, **answer)
        sys.stdout.write(f"{seconds}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
