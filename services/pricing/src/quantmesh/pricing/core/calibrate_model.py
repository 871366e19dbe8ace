"""A model's parameters from what the market says (PRC-8)."""

from collections.abc import Mapping

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.market_quotes import MarketQuotes, errors_at_their_quote
from quantmesh.pricing.core.models import find_model
from quantmesh.quant import calibration
from quantmesh.quant.calibration import Calibration
from quantmesh.quant.errors import DomainError

_PARAMETERS = frozenset(find_model("bates", "european").parameters)


def calibrate_model(model: str, market: MarketQuotes, fixed: Mapping[str, float], confidence: float) -> Calibration:
    """Raises InvalidArgument, also for a model that cannot be fitted."""
    quoted = "price" if market.are_prices else "implied_volatility"
    with errors_at_their_quote({name: f"fixed.{name}" for name in fixed}):
        quotes = calibration.Quotes(
            option_type=market.sign,
            spot=market.spot,
            strike=market.strike,
            time_to_expiry=market.time_to_expiry,
            rate=market.rate,
            dividend_yield=market.dividend_yield,
            bid=market.bid,
            ask=market.ask,
            **{quoted: market.values},
        )
        try:
            return calibration.calibrate(model, quotes, fixed=fixed, confidence=confidence)
        except DomainError as error:
            if error.argument not in _PARAMETERS.difference(fixed):
                raise
            # The search itself came there, not the request.
            found = f"quotes that lead to {error.argument} = {error.value}"
            raise InvalidArgument("quotes", found, f"within reach of {model}") from error
