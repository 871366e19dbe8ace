"""Market and portfolio over gRPC, as the ports of the core."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from statistics import fmean

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.api.portfolio.v1 import account_pb2, portfolio_pb2
from quantmesh.api.portfolio.v1.account_pb2_grpc import AccountServiceStub
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.risk.adapters.limits.accounts import account_of
from quantmesh.risk.core.errors import MissingHistory
from quantmesh.risk.core.limits.account import Account
from quantmesh.risk.core.model import Book, History, Terms


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
        answer = await self._peer.call(self._stub.GetCloses, request)
        by_symbol = {series.symbol: series.closes for series in answer.series}
        missing = [symbol for symbol in request.symbols if not by_symbol.get(symbol)]
        if missing:
            raise MissingHistory(missing, 0, least)
        columns = [np.fromiter(by_symbol[symbol], dtype=np.float64) for symbol in request.symbols]
        days = tuple(date.fromisoformat(day) for day in answer.dates)
        return History(tuple(request.symbols), np.column_stack(columns), from_timestamp(answer.as_of), days)

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

    async def terms(self, symbols: Sequence[str]) -> list[Terms]:
        requests = [market_pb2.GetAssetRequest(symbol=symbol) for symbol in symbols]
        answers = await asyncio.gather(*(self._peer.call(self._stub.GetAsset, request) for request in requests))
        assets = [answer.asset for answer in answers]
        return [Terms(asset.currency, from_proto(asset.lot_size, "lot_size"), _is_raw(asset)) for asset in assets]

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
            stale=any(position.stale for position in answer.positions),
        )

    async def base_currency(self, portfolio_id: str) -> str:
        answer = await self._peer.call(self._stub.GetPortfolio, portfolio_pb2.GetPortfolioRequest(id=portfolio_id))
        return answer.portfolio.base_currency

    async def account(self, portfolio_id: str, symbols: Collection[str]) -> Account:
        request = account_pb2.GetAccountStateRequest(portfolio_id=portfolio_id, symbols=symbols)
        answer = await self._peer.call(self._accounts.GetAccountState, request)
        return account_of(answer.account)


def _is_raw(asset: market_pb2.Asset) -> bool:
    """Only what pays dividends and splits can be told raw from adjusted: coins and indices are as they are."""
    shares = (market_pb2.ASSET_CLASS_STOCK, market_pb2.ASSET_CLASS_FUND)
    return asset.asset_class in shares and asset.adjustment == market_pb2.ADJUSTMENT_RAW


def _stamp(instant: datetime | None) -> Timestamp | None:
    return None if instant is None else to_timestamp(instant)
