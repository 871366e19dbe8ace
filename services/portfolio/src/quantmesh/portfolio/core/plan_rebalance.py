"""A portfolio's plan of rebalancing: from what is held, wanted and quoted to trades that can be looked at."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.account_state import RecordedAccount
from quantmesh.portfolio.core.errors import UnknownSymbol
from quantmesh.portfolio.core.execution import ExecutionCosts, fee_on, slipped
from quantmesh.portfolio.core.lots import FoldedLots
from quantmesh.portfolio.core.market import Asset, Quote
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.rebalance import Candidate, Plan, Wishes, plan_rebalance
from quantmesh.portfolio.core.rebalance_errors import CannotRebalance, InvalidRebalance

# Weights of an optimisation add up to one but for rounding.
_TOLERANCE = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is held, and of which lots, in one state of the ledger."""

    account: RecordedAccount
    lots: Mapping[str, FoldedLots]
    method: LotMethod


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """`stale` are the symbols whose quote is not of now; `as_of` is market time."""

    plan: Plan
    holdings: Holdings
    stale: frozenset[str]
    as_of: datetime


def checked_targets(weights: Mapping[str, float], wishes: Wishes) -> dict[str, Decimal]:
    """Raises InvalidRebalance with a violation per wrong field."""
    violations = [
        Violation(f"target_weights.{symbol}", f"must be from 0 to 1; it is {weight}")
        for symbol, weight in weights.items()
        if not 0.0 <= weight <= 1.0
    ]
    targets = {} if violations else {symbol: Decimal(repr(weight)) for symbol, weight in weights.items()}
    total = sum(targets.values(), ZERO)
    if total > 1 + _TOLERANCE:
        violations.append(Violation("target_weights", f"must add up to 1 at most; they add up to {total}"))
    amounts = {"cash_buffer": wishes.cash_buffer, "minimum_trade": wishes.minimum_trade}
    if wishes.maximum_gain is not None:
        amounts["maximum_realized_gain"] = wishes.maximum_gain
    violations += [
        Violation(field, f"must be 0 or more; it is {amount}") for field, amount in amounts.items() if amount < ZERO
    ]
    if violations:
        raise InvalidRebalance(violations)
    return targets


async def plan_at_market(
    market: Market, holdings: Holdings, targets: Mapping[str, Decimal], wishes: Wishes, costs: ExecutionCosts
) -> MarketPlan:
    """What is held without a target is sold.

    Raises UnknownSymbol or CannotRebalance, and Unavailable where the market does not answer.
    """
    account = holdings.account
    held = {symbol: units for symbol, units in account.units.items() if units}
    symbols = sorted(targets.keys() | held.keys())
    assets, clock, quotes = await asyncio.gather(market.assets(symbols), market.clock(), market.quotes(symbols))
    candidates = []
    for symbol in symbols:
        asset = assets.get(symbol)
        if asset is None:
            raise UnknownSymbol(symbol, "target_weights")
        quote = _quote(asset, quotes, account.base_currency, held.get(symbol, ZERO))
        candidates.append(_candidate(asset, quote, holdings, targets.get(symbol, ZERO), costs))
    cash = account.cash.get(account.base_currency, ZERO) - account.reserved.get(account.base_currency, ZERO)
    fee_of = partial(fee_on, currency=account.base_currency, costs=costs)
    plan = plan_rebalance(candidates, cash, wishes, fee_of)
    stale = frozenset(symbol for symbol in symbols if quotes[symbol].stale or not clock.open)
    return MarketPlan(plan, holdings, stale, clock.time)


def _quote(asset: Asset, quotes: Mapping[str, Quote], base_currency: str, held: Decimal) -> Quote:
    reason = ""
    quote = quotes.get(asset.symbol)
    if asset.currency != base_currency:
        reason = f"trades in {asset.currency}, and weights are kept in {base_currency} alone"
    elif asset.option is not None or not asset.tradable:
        reason = "is no instrument that an order can be placed for by weight"
    elif held < ZERO:
        reason = "is held short; close that position first"
    elif quote is None or quote.price <= ZERO:
        reason = "has no price now"
    if reason or quote is None:
        raise CannotRebalance(asset.symbol, reason)
    return quote


def _candidate(asset: Asset, quote: Quote, holdings: Holdings, target: Decimal, costs: ExecutionCosts) -> Candidate:
    symbol, account = asset.symbol, holdings.account
    held = account.units.get(symbol, ZERO)
    sell_price = slipped(quote.bid or quote.price, OrderSide.SELL, asset, costs)
    lots = holdings.lots.get(symbol)
    return Candidate(
        symbol=symbol,
        target=target,
        held=held,
        sellable=held - account.reserved.get(symbol, ZERO),
        lot_size=asset.lot_size if asset.lot_size > ZERO else Decimal(1),
        price=quote.price,
        buy_price=slipped(quote.ask or quote.price, OrderSide.BUY, asset, costs),
        sell_price=sell_price,
        gain=partial(_gain, lots, holdings.method, sell_price),
    )


@exactly
def _gain(lots: FoldedLots | None, method: LotMethod, price: Decimal, quantity: Decimal) -> Decimal:
    """Of a sale; what nobody holds realises nothing."""
    return ZERO if lots is None else quantity * price - lots.cost_of(quantity, method)
