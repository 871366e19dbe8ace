"""An account as it stands, at the last quotes: what risk is measured on."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.get_positions import cash_value, factor_of, total_value
from quantmesh.portfolio.core.market import Asset, ExchangeRate, Quote
from quantmesh.portfolio.core.numbers import ZERO, exactly, to_stored
from quantmesh.portfolio.core.option_terms import is_option_symbol
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.ports import Market

Amounts = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """`quantity` is what is not filled yet."""

    id: UUID
    symbol: str
    side: OrderSide
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class RecordedAccount:
    """Cash by currency and units by symbol, now and as they changed since an instant; `paid_in` is by currency, since
    then, less what was taken out. `reserved` is what open orders keep of either."""

    portfolio_id: UUID
    base_currency: str
    seq: int
    cash: Amounts
    units: Amounts
    reserved: Mapping[Holding, Decimal]
    cash_since: Amounts
    units_since: Amounts
    paid_in: Amounts
    open_orders: Sequence[OpenOrder]
    margin_enabled: bool = False

    def without(self, orders: Collection[UUID]) -> "RecordedAccount":
        """As if these had never been open."""
        return replace(self, open_orders=[order for order in self.open_orders if order.id not in orders])


@dataclass(frozen=True, slots=True)
class AccountInstrument:
    """`quantity` is 0 of one that was only asked about or ordered; price and rate are None where nobody knows them.

    The price of an option is that of its contract, of `multiplier` units of the underlying.
    """

    symbol: str
    quantity: Decimal
    currency: str
    lot_size: Decimal
    price: Decimal | None
    exchange_rate: Decimal | None
    stale: bool
    is_option: bool = False
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class AccountState:
    """`cash` and `day_profit` are in the base currency, None where a price or an exchange rate is missing.

    `day_profit` is since the UTC day of market time began, without what was paid in and out.
    """

    recorded: RecordedAccount
    cash: Decimal | None
    instruments: Sequence[AccountInstrument]
    day_profit: Decimal | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class _Prices:
    """Of one instant."""

    base: str
    assets: Mapping[str, Asset]
    quotes: Mapping[str, Quote]
    rates: Mapping[str, ExchangeRate]

    def price(self, symbol: str) -> Decimal | None:
        """Of one unit, or one contract, in its currency."""
        quote, asset = self.quotes.get(symbol), self.assets.get(symbol)
        if quote is None or asset is None:
            return None
        return quote.price if asset.option is None else quote.price * asset.option.multiplier

    def rate(self, symbol: str) -> Decimal | None:
        """From its currency into the base currency."""
        asset = self.assets.get(symbol)
        return None if asset is None else factor_of(asset.currency, self.base, self.rates)

    def value(self, symbol: str, quantity: Decimal) -> Decimal | None:
        price, rate = self.price(symbol), self.rate(symbol)
        return None if price is None or rate is None else quantity * price * rate


def day_begin(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(), tzinfo=UTC)


async def value_account(
    market: Market, recorded: RecordedAccount, symbols: Collection[str], now: datetime
) -> AccountState:
    """With `symbols` priced too; `now` is market time. Raises Unavailable where the market does not answer."""
    begin = day_begin(now)
    before = {symbol: held for symbol, held in _before(recorded.units, recorded.units_since).items() if held}
    ordered = {order.symbol for order in recorded.open_orders}
    wanted = sorted({*symbols, *ordered, *before, *(symbol for symbol, held in recorded.units.items() if held)})
    assets = await market.assets(wanted)
    currencies = {asset.currency for asset in assets.values()} | recorded.cash.keys() | recorded.cash_since.keys()
    foreign = currencies - {recorded.base_currency}
    quotes, quotes_before, rates, rates_before = await asyncio.gather(
        market.quotes(wanted),
        market.quotes(sorted(before), begin),
        _rates(market, foreign, recorded.base_currency, None),
        _rates(market, foreign, recorded.base_currency, begin),
    )
    prices = _Prices(recorded.base_currency, assets, quotes, rates)
    prices_before = _Prices(recorded.base_currency, assets, quotes_before, rates_before)
    return AccountState(
        recorded=recorded,
        cash=cash_value(recorded.cash, recorded.base_currency, rates),
        instruments=[_instrument(symbol, recorded.units.get(symbol, ZERO), prices) for symbol in wanted],
        day_profit=_day_profit(recorded, before, prices, prices_before),
        as_of=now,
    )


async def _rates(
    market: Market, currencies: Collection[str], base: str, as_of: datetime | None
) -> Mapping[str, ExchangeRate]:
    return await market.exchange_rates(currencies, base, as_of) if currencies else {}


@exactly
def _instrument(symbol: str, quantity: Decimal, prices: _Prices) -> AccountInstrument:
    """One that the market does not know any more has no price and no currency; what is held of it stays."""
    asset, quote = prices.assets.get(symbol), prices.quotes.get(symbol)
    return AccountInstrument(
        symbol=symbol,
        quantity=quantity,
        currency="" if asset is None else asset.currency,
        lot_size=ZERO if asset is None else asset.lot_size,
        price=prices.price(symbol),
        exchange_rate=prices.rate(symbol),
        stale=quote is None or quote.stale,
        is_option=is_option_symbol(symbol),
        multiplier=Decimal(1) if asset is None or asset.option is None else asset.option.multiplier,
    )


@exactly
def _day_profit(recorded: RecordedAccount, before: Amounts, prices: _Prices, prices_before: _Prices) -> Decimal | None:
    now = _worth(recorded.units, recorded.cash, prices)
    then = _worth(before, _before(recorded.cash, recorded.cash_since), prices_before)
    paid_in = cash_value(recorded.paid_in, prices.base, prices.rates)
    return None if now is None or then is None or paid_in is None else to_stored(now - then - paid_in)


def _worth(units: Amounts, cash: Amounts, prices: _Prices) -> Decimal | None:
    held = [prices.value(symbol, quantity) for symbol, quantity in units.items() if quantity]
    return total_value([cash_value(cash, prices.base, prices.rates), *held])


@exactly
def _before(now: Amounts, since: Amounts) -> dict[str, Decimal]:
    return {name: now.get(name, ZERO) - since.get(name, ZERO) for name in now.keys() | since.keys()}
