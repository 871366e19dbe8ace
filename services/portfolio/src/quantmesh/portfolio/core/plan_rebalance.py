"""A portfolio's plan of rebalancing: from what is held, wanted and quoted to trades that can be looked at."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.account_state import RecordedAccount
from quantmesh.portfolio.core.currency_cash import Till
from quantmesh.portfolio.core.errors import RateMissing, UnknownSymbol
from quantmesh.portfolio.core.execution import ExecutionCosts, fee_on, slipped
from quantmesh.portfolio.core.get_positions import factor_of
from quantmesh.portfolio.core.lots import FoldedLots
from quantmesh.portfolio.core.market import Asset, ExchangeRate, Quote
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.planned_positions import Candidate
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.rebalance import Plan, Wishes, plan_rebalance
from quantmesh.portfolio.core.rebalance_errors import CannotRebalance, InvalidRebalance, RateStale

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
    """`rates` are those into the base currency, by currency; `stale` are the symbols whose quote is not of now; `as_of`
    is market time."""

    plan: Plan
    holdings: Holdings
    rates: Mapping[str, ExchangeRate]
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

    Raises UnknownSymbol, CannotRebalance, RateMissing or RateStale, and Unavailable where the market does not answer.
    """
    account = holdings.account
    held = {symbol: units for symbol, units in account.units.items() if units}
    symbols = sorted(targets.keys() | held.keys())
    assets, clock, quotes = await asyncio.gather(market.assets(symbols), market.clock(), market.quotes(symbols))
    unknown = [symbol for symbol in symbols if symbol not in assets]
    if unknown:
        raise UnknownSymbol(unknown[0], "target_weights")
    base, today = account.base_currency, clock.time.date()
    cash = _free_cash(account, assets.values())
    foreign = sorted(cash.keys() - {base})
    rates = await market.exchange_rates(foreign, base, None) if foreign else {}
    factors = {currency: _factor(currency, base, rates, today) for currency in sorted(cash)}
    candidates = []
    for symbol in symbols:
        asset = assets[symbol]
        quote = _quote(asset, quotes, held.get(symbol, ZERO))
        factor = factors[asset.currency]
        candidates.append(_candidate(asset, quote, factor, holdings, targets.get(symbol, ZERO), costs))
    tills = [Till(currency, factor, cash[currency]) for currency, factor in factors.items()]
    plan = plan_rebalance(candidates, tills, base, wishes)
    stale = frozenset(symbol for symbol in symbols if quotes[symbol].stale or not clock.open)
    return MarketPlan(plan, holdings, rates, stale, clock.time)


@exactly
def _free_cash(account: RecordedAccount, assets: Iterable[Asset]) -> dict[str, Decimal]:
    """Without what open orders keep; of all currencies in which there is some or something trades."""
    currencies = {currency for currency, amount in account.cash.items() if amount}
    currencies |= {account.base_currency, *(asset.currency for asset in assets)}
    return {
        currency: account.cash.get(currency, ZERO) - account.reserved.get((CASH, currency), ZERO)
        for currency in currencies
    }


def _factor(currency: str, base: str, rates: Mapping[str, ExchangeRate], today: date) -> Decimal:
    """What one unit of `currency` is in `base`, as holdings are valued. Raises RateMissing or RateStale."""
    factor = factor_of(currency, base, rates)
    if factor is None:
        raise RateMissing(currency, base, today)
    if currency != base and rates[currency].stale:
        raise RateStale(currency, base, rates[currency].day, today)
    return factor


def _quote(asset: Asset, quotes: Mapping[str, Quote], held: Decimal) -> Quote:
    reason = ""
    quote = quotes.get(asset.symbol)
    if asset.option is not None or not asset.tradable:
        reason = "is no instrument that an order can be placed for by weight"
    elif held < ZERO:
        reason = "is held short; close that position first"
    elif quote is None or quote.price <= ZERO:
        reason = "has no price now"
    elif quote.currency != asset.currency:
        reason = f"is quoted in {quote.currency}, and trades in {asset.currency}"
    if reason or quote is None:
        raise CannotRebalance(asset.symbol, reason)
    return quote


def _candidate(
    asset: Asset, quote: Quote, rate: Decimal, holdings: Holdings, target: Decimal, costs: ExecutionCosts
) -> Candidate:
    symbol, account = asset.symbol, holdings.account
    held = account.units.get(symbol, ZERO)
    sell_price = slipped(quote.bid or quote.price, OrderSide.SELL, asset, costs)
    lots = holdings.lots.get(symbol)
    return Candidate(
        symbol=symbol,
        currency=asset.currency,
        rate=rate,
        target=target,
        held=held,
        sellable=held - account.reserved.get((SECURITIES, symbol), ZERO),
        lot_size=asset.lot_size if asset.lot_size > ZERO else Decimal(1),
        price=quote.price,
        buy_price=slipped(quote.ask or quote.price, OrderSide.BUY, asset, costs),
        sell_price=sell_price,
        gain=partial(_gain, lots, holdings.method, sell_price),
        fee_of=partial(fee_on, currency=asset.currency, costs=costs),
    )


@exactly
def _gain(lots: FoldedLots | None, method: LotMethod, price: Decimal, quantity: Decimal) -> Decimal:
    """Of a sale; what nobody holds realises nothing."""
    return ZERO if lots is None else quantity * price - lots.cost_of(quantity, method)
