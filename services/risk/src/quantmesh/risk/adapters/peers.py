"""Market and portfolio over gRPC, as the ports of the core."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from statistics import fmean
from typing import Any, cast

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.api.portfolio.v1 import account_pb2, portfolio_pb2
from quantmesh.api.portfolio.v1.account_pb2_grpc import AccountServiceStub
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.errors import NotFound, RuleBroken
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.risk.adapters.limits.accounts import account_of
from quantmesh.risk.core.errors import MissingHistory
from quantmesh.risk.core.limits.account import Account
from quantmesh.risk.core.model import Book, History, Terms
from quantmesh.risk.core.options import Chain, Contract, OptionType, Style


class MarketPeer:
    def __init__(self, peer: Peer) -> None:
        # Prices are everybody's: whoever may ask this service is told what it makes of them.
        self._peer = peer.in_own_name()
        self._stub = MarketServiceStub(peer.channel)

    async def history(
        self, symbols: Sequence[str], closes: int, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        request = market_pb2.GetClosesRequest(
            symbols=symbols, observations=closes, as_of=_stamp(as_of), known_at=_stamp(known_at)
        )
        return await self._closes(request, closes)

    async def window(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        request = market_pb2.GetClosesRequest(
            symbols=symbols,
            start=first.isoformat(),
            end=last.isoformat(),
            as_of=_stamp(as_of),
            known_at=_stamp(known_at),
        )
        return await self._closes(request, 2)

    async def _closes(self, request: market_pb2.GetClosesRequest, least: int) -> History:
        try:
            answer = await self._peer.call(self._stub.GetCloses, request)
        except RuleBroken as refused:
            if refused.problem == "no-common-days":
                await self._require_closes(request, least)
            raise
        by_symbol = {series.symbol: series.closes for series in answer.series}
        columns = [np.fromiter(by_symbol[symbol], dtype=np.float64) for symbol in request.symbols]
        days = tuple(date.fromisoformat(day) for day in answer.dates)
        return History(tuple(request.symbols), np.column_stack(columns), from_timestamp(answer.as_of), days)

    async def _require_closes(self, request: market_pb2.GetClosesRequest, least: int) -> None:
        """Raises MissingHistory with the symbols that have none at all, or none in the window."""
        asked: dict[str, Any] = {"symbols": request.symbols}
        asked |= {field.name: stamp for field, stamp in request.ListFields() if field.name in ("as_of", "known_at")}
        if request.start:
            window = market_pb2.GetCloseHistoryRequest(**asked, start=request.start, end=request.end)
            there = {series.symbol for series in (await self._peer.call(self._stub.GetCloseHistory, window)).series}
            missing = [symbol for symbol in request.symbols if symbol not in there]
            period = f"from {request.start} to {request.end}"
        else:
            answer = await self._peer.call(self._stub.GetQuotes, market_pb2.GetQuotesRequest(**asked))
            missing, period = list(answer.missing), ""
        if missing:
            raise MissingHistory(missing, 0, least, period)

    async def daily_volumes(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> dict[str, float]:
        requests = [
            market_pb2.GetBarsRequest(
                symbol=symbol,
                interval=market_pb2.INTERVAL_DAY,
                start=first.isoformat(),
                end=last.isoformat(),
                as_of=_stamp(as_of),
                known_at=_stamp(known_at),
            )
            for symbol in symbols
        ]
        answers = await asyncio.gather(*(self._peer.call(self._stub.GetBars, request) for request in requests))
        volumes = {
            symbol: [float(from_proto(bar.volume, "volume")) for bar in answer.bars if bar.HasField("volume")]
            for symbol, answer in zip(symbols, answers, strict=True)
        }
        return {symbol: fmean(of_days) for symbol, of_days in volumes.items() if of_days}

    async def terms(self, symbols: Collection[str]) -> dict[str, Terms]:
        requests = [market_pb2.GetAssetRequest(symbol=symbol) for symbol in symbols]
        answers = await asyncio.gather(*(self._peer.call(self._stub.GetAsset, request) for request in requests))
        return {symbol: _terms(answer.asset) for symbol, answer in zip(symbols, answers, strict=True)}

    async def chains(self, underlyings: Collection[str], as_of: datetime | None) -> dict[str, Chain]:
        found = await asyncio.gather(*(self._chain(underlying, as_of) for underlying in underlyings))
        return {underlying: chain for underlying, chain in zip(underlyings, found, strict=True) if chain is not None}

    async def _chain(self, underlying: str, as_of: datetime | None) -> Chain | None:
        """At the middle of bid and ask."""
        request = market_pb2.GetOptionChainRequest(underlying=underlying, as_of=_stamp(as_of))
        try:
            answer = await self._peer.call(self._stub.GetOptionChain, request)
        except NotFound:
            return None
        middles = {
            quote.symbol: 0.5 * (quote.bid_implied_volatility + quote.ask_implied_volatility)
            for quote in answer.options
        }
        return Chain(from_timestamp(answer.time), {symbol: middle for symbol, middle in middles.items() if middle > 0})

    async def now(self) -> datetime:
        answer = await self._peer.call(self._stub.GetClock, market_pb2.GetClockRequest())
        return from_timestamp(answer.market_time)


class PortfolioPeer:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = PortfolioServiceStub(peer.channel)
        self._accounts = AccountServiceStub(peer.channel)

    async def book(self, portfolio_id: str, as_of: datetime | None, known_at: datetime | None) -> Book:
        request = portfolio_pb2.GetPositionsRequest(
            portfolio_id=portfolio_id, as_of=_stamp(as_of), known_at=_stamp(known_at)
        )
        answer = await self._peer.call(self._stub.GetPositions, request)
        rates = {each.currency: from_proto(each.rate, "rate") for each in answer.exchange_rates}
        if answer.HasField("cash_value"):
            rates[answer.cash_value.currency] = Decimal(1)
        return Book.of(
            {
                position.symbol: (from_proto(position.quantity, "quantity"), position.currency)
                for position in answer.positions
            },
            cash={money.currency: from_proto(money.amount, "cash") for money in answer.cash},
            rates=rates,
            stale=frozenset(position.symbol for position in answer.positions if position.stale),
        )

    async def base_currency(self, portfolio_id: str) -> str:
        answer = await self._peer.call(self._stub.GetPortfolio, portfolio_pb2.GetPortfolioRequest(id=portfolio_id))
        return answer.portfolio.base_currency

    async def account(self, portfolio_id: str, symbols: Collection[str]) -> Account:
        request = account_pb2.GetAccountStateRequest(portfolio_id=portfolio_id, symbols=symbols)
        answer = await self._peer.call(self._accounts.GetAccountState, request)
        return account_of(answer.account)


def _terms(asset: market_pb2.Asset) -> Terms:
    return Terms(asset.currency, from_proto(asset.lot_size, "lot_size"), _is_raw(asset), _contract(asset))


def _contract(asset: market_pb2.Asset) -> Contract | None:
    """An imported series of an option tells no terms: it is priced by its own closes."""
    told = {name: str(value) for name, value in asset.metadata.items()}
    if asset.asset_class != market_pb2.ASSET_CLASS_OPTION or "underlying" not in told:
        return None
    return Contract(
        underlying=told["underlying"],
        option_type=cast("OptionType", told["option_type"]),
        style=cast("Style", told["exercise"]),
        strike=float(told["strike"]),
        expiry=datetime.fromisoformat(told["expiry"]),
        multiplier=float(told["multiplier"]),
    )


def _is_raw(asset: market_pb2.Asset) -> bool:
    """Only what pays dividends and splits can be told raw from adjusted: coins and indices are as they are."""
    shares = (market_pb2.ASSET_CLASS_STOCK, market_pb2.ASSET_CLASS_FUND)
    return asset.asset_class in shares and asset.adjustment == market_pb2.ADJUSTMENT_RAW


def _stamp(instant: datetime | None) -> Timestamp | None:
    return None if instant is None else to_timestamp(instant)
