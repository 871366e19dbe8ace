"""Step 3: an option of the bundled SPY chain, then the whole chain in one call."""

import math
import time
from dataclasses import asdict, dataclass

from quantmesh.client.cli import tables
from quantmesh.client.demo.stage import Stage
from quantmesh.client.models.market import OptionQuote

UNDERLYING = "SPY"
_MONTH_YEARS = 30 / 365
_ROWS_SHOWN = 6


@dataclass(frozen=True)
class Contract:
    """A quote of the chain as pricing takes it; rates and volatility per year, `time_to_expiry` in years."""

    symbol: str
    option_type: str
    strike: float
    time_to_expiry: float
    rate: float
    dividend_yield: float
    volatility: float


def price_options(stage: Stage) -> None:
    stage.step(3, f"Options on {UNDERLYING}: one contract with its Greeks, then the chain as one batch")
    chain = stage.investor.market.option_chain(UNDERLYING)
    contracts = [contract for quote in chain.data if (contract := _contract(quote, chain.spot)) is not None]
    _price_one(stage, _at_the_money_call(contracts, chain.spot), chain.spot)
    _price_all(stage, contracts, chain.spot)


def _price_one(stage: Stage, contract: Contract, spot: float) -> None:
    stage.say(
        f"{contract.symbol}: {contract.time_to_expiry * 365:.0f} days, spot {spot:,.2f},"
        f" volatility {contract.volatility:.2%} (middle of bid and ask)"
    )
    terms = {name: value for name, value in asdict(contract).items() if name not in {"symbol", "volatility"}}
    terms["spot"] = spot
    price = stage.investor.options.price(terms | {"volatility": contract.volatility})
    stage.console.print(tables.price_table(price))
    implied = stage.investor.options.implied_volatility(terms | {"price": price.price})
    error = abs(implied - contract.volatility)
    stage.say(f"Implied volatility back from the price: {implied:.12f}, off by {error:.1e}")


def _price_all(stage: Stage, contracts: list[Contract], spot: float) -> None:
    names = ("option_type", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility")
    columns = {name: [getattr(contract, name) for contract in contracts] for name in names}
    began = time.perf_counter()
    batch = stage.investor.options.price_batch({**columns, "spot": spot}, greeks=True)
    milliseconds = (time.perf_counter() - began) * 1000
    stage.say(f"{batch.rows} options with Greeks in one call: {milliseconds:.0f} ms. Some of them:")
    numbers = ("days", "volatility", "price", "delta")
    made = tables.table("contract", *numbers, right=numbers)
    deltas = batch.columns.delta or ()
    for index in range(0, batch.rows, max(1, batch.rows // _ROWS_SHOWN)):
        contract = contracts[index]
        made.add_row(
            contract.symbol,
            f"{contract.time_to_expiry * 365:.0f}",
            tables.percent(contract.volatility),
            tables.number(batch.columns.price[index]),
            tables.number(deltas[index]),
        )
    stage.console.print(made)


def _at_the_money_call(contracts: list[Contract], spot: float) -> Contract:
    """The call nearest to the money that runs for about a month."""
    calls = [contract for contract in contracts if contract.option_type == "call"]
    return min(calls, key=lambda each: (abs(each.time_to_expiry - _MONTH_YEARS), abs(each.strike - spot)))


def _contract(quote: OptionQuote, spot: float) -> Contract | None:
    """With the rate and yield that give the chain's own discount factor and forward; None without bid and ask."""
    if quote.bid_implied_volatility is None or quote.ask_implied_volatility is None:
        return None
    years = quote.time_to_expiry
    rate = -math.log(quote.discount_factor) / years
    return Contract(
        symbol=quote.symbol,
        option_type=quote.option_type,
        strike=quote.strike,
        time_to_expiry=years,
        rate=rate,
        dividend_yield=rate - math.log(quote.forward / spot) / years,
        volatility=(quote.bid_implied_volatility + quote.ask_implied_volatility) / 2,
    )
