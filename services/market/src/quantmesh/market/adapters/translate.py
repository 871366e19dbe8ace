"""Between the core's values and market's protos."""

import numpy as np

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.market.core.errors import InvalidRequest, InvalidTicks
from quantmesh.market.core.exchange_rates import ExchangeRate
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, Bar, Interval, Quote
from quantmesh.market.core.option_chains import ChainQuote
from quantmesh.market.core.ticks import TickBatch

_ADJUSTMENTS = {
    pb.ADJUSTMENT_RAW: Adjustment.RAW,
    pb.ADJUSTMENT_SPLIT: Adjustment.SPLIT,
    pb.ADJUSTMENT_TOTAL_RETURN: Adjustment.TOTAL_RETURN,
}
_ASSET_CLASSES = {
    pb.ASSET_CLASS_STOCK: AssetClass.STOCK,
    pb.ASSET_CLASS_CRYPTO: AssetClass.CRYPTO,
    pb.ASSET_CLASS_INDEX: AssetClass.INDEX,
    pb.ASSET_CLASS_FUND: AssetClass.FUND,
    pb.ASSET_CLASS_OPTION: AssetClass.OPTION,
}
_INTERVALS = {
    pb.INTERVAL_UNSPECIFIED: Interval.DAY,
    pb.INTERVAL_DAY: Interval.DAY,
    pb.INTERVAL_WEEK: Interval.WEEK,
    pb.INTERVAL_MONTH: Interval.MONTH,
}
_ADJUSTMENT_NUMBERS = {value: number for number, value in _ADJUSTMENTS.items()}
_ASSET_CLASS_NUMBERS = {value: number for number, value in _ASSET_CLASSES.items()}


def adjustment_from(number: "pb.Adjustment.ValueType") -> Adjustment:
    if number not in _ADJUSTMENTS:
        field, wanted = "adjustment", "say raw, split or total_return: prices of two kinds in one series mean nothing"
        raise InvalidRequest(field, wanted)
    return _ADJUSTMENTS[number]


def adjustment_to(value: Adjustment) -> "pb.Adjustment.ValueType":
    return _ADJUSTMENT_NUMBERS[value]


def asset_class_from(number: "pb.AssetClass.ValueType", field: str = "asset_class") -> AssetClass:
    if number not in _ASSET_CLASSES:
        raise InvalidRequest(field, f"say one of {', '.join(AssetClass)}")
    return _ASSET_CLASSES[number]


def interval_from(number: "pb.Interval.ValueType") -> Interval:
    if number not in _INTERVALS:
        field, wanted = "interval", f"{number} is none; say day, week or month"
        raise InvalidRequest(field, wanted)
    return _INTERVALS[number]


def asset_to(asset: Asset) -> pb.Asset:
    listing = asset.listing
    message = pb.Asset(
        id=str(asset.id),
        symbol=listing.symbol,
        name=listing.name,
        asset_class=_ASSET_CLASS_NUMBERS[listing.asset_class],
        currency=listing.currency,
        calendar=listing.calendar,
        tick_size=to_proto(listing.tick_size),
        lot_size=to_proto(listing.lot_size),
        adjustment=adjustment_to(listing.adjustment),
        tradable=listing.tradable,
    )
    message.metadata.update(dict(listing.metadata))
    return message


def bar_to(bar: Bar) -> pb.Bar:
    message = pb.Bar(time=to_timestamp(bar.time), date=bar.day.isoformat(), close=to_proto(bar.close))
    for name in ("open", "high", "low", "volume"):
        value = getattr(bar, name)
        if value is not None:
            getattr(message, name).CopyFrom(to_proto(value))
    return message


def quote_to(quote: Quote) -> pb.Quote:
    return pb.Quote(
        symbol=quote.symbol,
        price=to_proto(quote.price),
        bid=None if quote.bid is None else to_proto(quote.bid),
        ask=None if quote.ask is None else to_proto(quote.ask),
        bid_size=None if quote.bid_size is None else to_proto(quote.bid_size),
        ask_size=None if quote.ask_size is None else to_proto(quote.ask_size),
        time=to_timestamp(quote.time),
        source=quote.source,
        stale=quote.stale,
        currency=quote.currency,
        received_at=None if quote.received_at is None else to_timestamp(quote.received_at),
    )


def quote_from(message: pb.Quote) -> Quote:
    return Quote(
        symbol=message.symbol,
        price=from_proto(message.price, "price"),
        time=from_timestamp(message.time, "time"),
        source=message.source,
        currency=message.currency,
        bid=from_proto(message.bid, "bid") if message.HasField("bid") else None,
        ask=from_proto(message.ask, "ask") if message.HasField("ask") else None,
        bid_size=from_proto(message.bid_size, "bid_size") if message.HasField("bid_size") else None,
        ask_size=from_proto(message.ask_size, "ask_size") if message.HasField("ask_size") else None,
        stale=message.stale,
        received_at=from_timestamp(message.received_at, "received_at") if message.HasField("received_at") else None,
    )


def exchange_rate_to(rate: ExchangeRate) -> pb.ExchangeRate:
    return pb.ExchangeRate(
        base=rate.pair.base,
        quote=rate.pair.quote,
        rate=to_proto(rate.rate),
        date=rate.day.isoformat(),
        stale=rate.stale,
    )


def option_to(quote: ChainQuote) -> pb.OptionQuote:
    contract = quote.contract
    return pb.OptionQuote(
        symbol=contract.symbol,
        option_type=contract.option_type,
        strike=float(contract.strike),
        expiry=to_timestamp(contract.expiry),
        time_to_expiry=quote.time_to_expiry,
        bid_implied_volatility=quote.bid_implied_volatility,
        ask_implied_volatility=quote.ask_implied_volatility,
        forward=quote.forward,
        discount_factor=quote.discount_factor,
    )


def ticks_from(message: pb.TickBatch) -> TickBatch:
    """Views of the message's bytes, without a copy. Raises InvalidTicks."""
    for name, width in (("symbol_index", 2), ("time_micros", 8), ("price", 8), ("bid", 8), ("ask", 8)):
        if len(getattr(message, name)) % width:
            raise InvalidTicks(name, f"is not a whole number of {width}-byte integers")
    return TickBatch(
        message.feed,
        message.sequence,
        tuple(message.symbols),
        np.frombuffer(message.symbol_index, dtype="<u2"),
        np.frombuffer(message.time_micros, dtype="<i8"),
        np.frombuffer(message.price, dtype="<i8"),
        np.frombuffer(message.bid, dtype="<i8"),
        np.frombuffer(message.ask, dtype="<i8"),
    )


def ticks_to(batch: TickBatch) -> pb.TickBatch:
    return pb.TickBatch(
        feed=batch.feed,
        sequence=batch.sequence,
        symbols=batch.symbols,
        symbol_index=batch.symbol_index.astype("<u2").tobytes(),
        time_micros=batch.time_micros.astype("<i8").tobytes(),
        price=batch.price.astype("<i8").tobytes(),
        bid=batch.bid.astype("<i8").tobytes(),
        ask=batch.ask.astype("<i8").tobytes(),
    )
