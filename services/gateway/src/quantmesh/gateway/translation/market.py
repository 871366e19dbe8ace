"""Assets, quotes, bars, chains and the market's clock: messages to JSON."""

from typing import Any

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.gateway.translation.common import decimal, finite, instant, inverse, next_cursor, struct

ASSET_CLASSES = {
    "stock": pb.ASSET_CLASS_STOCK,
    "crypto": pb.ASSET_CLASS_CRYPTO,
    "index": pb.ASSET_CLASS_INDEX,
    "fund": pb.ASSET_CLASS_FUND,
    "option": pb.ASSET_CLASS_OPTION,
}
INTERVALS = {"1d": pb.INTERVAL_DAY, "1w": pb.INTERVAL_WEEK, "1m": pb.INTERVAL_MONTH}
_ASSET_CLASS_NAMES = inverse(ASSET_CLASSES)
_ADJUSTMENT_NAMES = inverse(
    {"raw": pb.ADJUSTMENT_RAW, "split": pb.ADJUSTMENT_SPLIT, "total_return": pb.ADJUSTMENT_TOTAL_RETURN}
)


def asset(message: pb.Asset) -> dict[str, Any]:
    return {
        "id": message.id,
        "symbol": message.symbol,
        "name": message.name,
        "asset_class": _ASSET_CLASS_NAMES[message.asset_class],
        "currency": message.currency,
        "calendar": message.calendar,
        "tick_size": decimal(message, "tick_size"),
        "lot_size": decimal(message, "lot_size"),
        "adjustment": _ADJUSTMENT_NAMES[message.adjustment] if message.adjustment else None,
        "tradable": message.tradable,
        "metadata": struct(message.metadata),
    }


def quote(message: pb.Quote) -> dict[str, Any]:
    return {
        "symbol": message.symbol,
        "price": message.price.value,
        "bid": decimal(message, "bid"),
        "ask": decimal(message, "ask"),
        "bid_size": decimal(message, "bid_size"),
        "ask_size": decimal(message, "ask_size"),
        "time": instant(message, "time"),
        "source": message.source,
        "stale": message.stale,
        "currency": message.currency,
        "received_at": instant(message, "received_at"),
    }


def quotes(answer: pb.GetQuotesResponse) -> dict[str, Any]:
    return {"data": [quote(item) for item in answer.quotes], "missing": list(answer.missing), "degraded": False}


def exchange_rates(answer: pb.GetExchangeRatesResponse) -> dict[str, Any]:
    return {
        "data": [
            {
                "base": rate.base,
                "quote": rate.quote,
                "rate": rate.rate.value,
                "date": rate.date,
                "stale": rate.stale,
            }
            for rate in answer.rates
        ],
        "missing": [pair.quote for pair in answer.missing],
        "source": answer.source,
    }


def bar(message: pb.Bar) -> dict[str, Any]:
    return {
        "time": instant(message, "time"),
        "date": message.date,
        "open": decimal(message, "open"),
        "high": decimal(message, "high"),
        "low": decimal(message, "low"),
        "close": message.close.value,
        "volume": decimal(message, "volume"),
    }


def bars(answer: pb.GetBarsResponse, interval: str) -> dict[str, Any]:
    return {
        "symbol": answer.symbol,
        "interval": interval,
        "adjustment": _ADJUSTMENT_NAMES[answer.adjustment] if answer.adjustment else None,
        "source": answer.source,
        "currency": answer.currency,
        "data": [bar(item) for item in answer.bars],
        "next_cursor": next_cursor(answer.page),
    }


def option_quote(message: pb.OptionQuote) -> dict[str, Any]:
    return {
        "symbol": message.symbol,
        "option_type": message.option_type,
        "strike": message.strike,
        "expiry": instant(message, "expiry"),
        "time_to_expiry": message.time_to_expiry,
        "bid_implied_volatility": finite(message.bid_implied_volatility),
        "ask_implied_volatility": finite(message.ask_implied_volatility),
        "forward": message.forward,
        "discount_factor": message.discount_factor,
    }


def option_chain(answer: pb.GetOptionChainResponse) -> dict[str, Any]:
    return {
        "underlying": answer.underlying,
        "time": instant(answer, "time"),
        "spot": answer.spot,
        "source": answer.source,
        "data": [option_quote(item) for item in answer.options],
    }


def clock(answer: pb.GetClockResponse) -> dict[str, Any]:
    return {
        "market_time": instant(answer, "market_time"),
        "open": answer.open,
        "source": answer.source,
        "last_session": answer.last_session or None,
        "current_session": answer.current_session or None,
        "session_close": instant(answer, "session_close"),
        "detail": answer.detail or None,
    }
