"""Quote messages to columns."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from quantmesh.api.pricing.v1 import calibration_pb2, pricing_pb2
from quantmesh.pricing.adapters.translate import SIGNS
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.market_quotes import Floats, MarketQuotes


def signs_of(types: Iterable[pricing_pb2.OptionType.ValueType], field: str) -> NDArray[np.int8]:
    """Raises InvalidArgument with the row of the first that is neither."""
    given = list(types)
    for row, option_type in enumerate(given):
        if option_type not in SIGNS:
            raise InvalidArgument(f"{field}[{row}].option_type", option_type, "OPTION_TYPE_CALL or OPTION_TYPE_PUT")
    return np.array([SIGNS[option_type] for option_type in given], np.int8)


def market_quotes(
    quotes: Sequence[calibration_pb2.Quote], spot: float, rate: float, dividend_yield: float
) -> MarketQuotes:
    """Raises InvalidArgument where they are not all prices, or all volatilities, or only some have a bid and an ask."""
    kind = quotes[0].WhichOneof("quoted") if quotes else "price"
    sides = {
        "bid": [quote.HasField("bid") for quote in quotes],
        "ask": [quote.HasField("ask") for quote in quotes],
    }
    for row, quote in enumerate(quotes):
        if quote.WhichOneof("quoted") != kind or kind is None:
            raise InvalidArgument(
                f"quotes[{row}]", quote.WhichOneof("quoted") or "neither", "a price like the others, or a volatility"
            )
    for name, are_given in sides.items():
        if any(are_given) and not all(are_given):
            where = f"quotes[{are_given.index(False)}].{name}"
            raise InvalidArgument(where, "none", "given, as the other quotes have it")

    def column(name: str) -> Floats:
        return np.array([getattr(quote, name) for quote in quotes], np.float64)

    return MarketQuotes(
        sign=signs_of((quote.option_type for quote in quotes), "quotes"),
        strike=column("strike"),
        time_to_expiry=column("time_to_expiry"),
        values=column(kind or "price"),
        are_prices=kind == "price",
        bid=column("bid") if any(sides["bid"]) else None,
        ask=column("ask") if any(sides["ask"]) else None,
        spot=spot,
        rate=rate,
        dividend_yield=dividend_yield,
    )
