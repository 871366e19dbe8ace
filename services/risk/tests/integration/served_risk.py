"""The risk service's methods over a real channel, with hand-written stand-ins for market and portfolio."""

import time
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import jwt
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.backtest_pb2_grpc import add_BacktestServiceServicer_to_server
from quantmesh.api.risk.v1.exposure_pb2_grpc import add_ExposureServiceServicer_to_server
from quantmesh.api.risk.v1.margin_pb2_grpc import add_MarginServiceServicer_to_server
from quantmesh.api.risk.v1.risk_pb2_grpc import add_RiskServiceServicer_to_server
from quantmesh.api.risk.v1.stress_pb2_grpc import add_StressServiceServicer_to_server
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.risk.adapters.rpc import RiskRpc
from quantmesh.risk.adapters.rpc.backtest import BacktestRpc
from quantmesh.risk.adapters.rpc.exposure import ExposureRpc
from quantmesh.risk.adapters.rpc.margin import MarginRpc
from quantmesh.risk.adapters.rpc.stress import StressRpc
from quantmesh.risk.core.errors import MissingHistory
from quantmesh.risk.core.model import Book, History, Terms
from quantmesh.risk.core.options import Chain, Contract

KEY = Ed25519PrivateKey.generate()
PRICES = {"AAPL": 150.0, "AAPL-RAW": 600.0, "JPM": 110.0, "XOM": 90.0}
CLOSE = datetime(2022, 10, 3, 20, tzinfo=UTC)
PUT_SYMBOL, UNQUOTED, EXPIRED, ON_NOTHING = (
    "AAPL221216P00140000",
    "AAPL221216P00130000",
    "AAPL221003P00140000",
    "SPY221216C00400000",
)
CONTRACTS = {
    PUT_SYMBOL: Contract("AAPL", "put", "american", 140.0, CLOSE + timedelta(days=73), 100.0),
    UNQUOTED: Contract("AAPL", "put", "american", 130.0, CLOSE + timedelta(days=73), 100.0),
    EXPIRED: Contract("AAPL", "put", "american", 140.0, CLOSE, 100.0),
    ON_NOTHING: Contract("SPY", "call", "american", 400.0, CLOSE + timedelta(days=73), 100.0),
}


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key()


class StandInMarket:
    def __init__(self, market_time: datetime = CLOSE, chain_time: datetime = CLOSE) -> None:
        self.market_time = market_time
        self.chain_time = chain_time

    async def history(
        self, symbols: Sequence[str], closes: int, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        missing = [symbol for symbol in symbols if symbol not in PRICES]
        if missing:
            raise MissingHistory(missing, 0, closes)
        steps = np.random.default_rng(3).normal(3e-4, 0.012, (closes, len(PRICES)))
        paths = np.array(list(PRICES.values())) * np.exp(steps.cumsum(axis=0))
        chosen = [list(PRICES).index(symbol) for symbol in symbols]
        # What was known once was twice as much, and has been corrected since.
        return History(tuple(symbols), paths[:, chosen] * (1 if known_at is None else 2), CLOSE)

    async def window(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        """Weekdays alone; before 2000 there is nothing."""
        days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
        common = tuple(day for day in days if day.weekday() < 5 and day.year >= 2000)
        falls = np.linspace(1.0, 0.5, len(common))
        return History(tuple(symbols), np.outer(falls, [PRICES[symbol] for symbol in symbols]), CLOSE, common)

    async def daily_volumes(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> dict[str, float]:
        """A hundred a day between the days; JPM alone has volumes."""
        return {symbol: 100.0 * (last - first).days for symbol in symbols if symbol == "JPM"}

    async def terms(self, symbols: Collection[str]) -> dict[str, Terms]:
        """XOM alone is in euros."""
        return {
            symbol: Terms("EUR" if symbol == "XOM" else "USD", Decimal(1), symbol == "AAPL-RAW", CONTRACTS.get(symbol))
            for symbol in symbols
        }

    async def chains(self, underlyings: Collection[str], as_of: datetime | None) -> dict[str, Chain]:
        """On AAPL alone."""
        chain = Chain(self.chain_time, {PUT_SYMBOL: 0.4, EXPIRED: 0.4})
        return {symbol: chain for symbol in underlyings if symbol == "AAPL"}

    async def now(self) -> datetime:
        return self.market_time


class StandInPortfolios:
    async def book(self, portfolio_id: str, as_of: datetime | None, known_at: datetime | None) -> Book:
        held = {
            "mine": {"AAPL": (Decimal(10), "USD"), "JPM": (Decimal(5), "USD")},
            "hedged": {"AAPL": (Decimal(100), "USD"), "JPM": (Decimal(-3), "USD"), PUT_SYMBOL: (Decimal(1), "USD")},
        }.get(portfolio_id)
        if held is None:
            msg = f"You have no portfolio {portfolio_id}."
            raise NotFound(msg)
        # What nobody quotes has a stale price.
        stale = frozenset({"mine": {"AAPL"}, "hedged": {PUT_SYMBOL}}[portfolio_id])
        return Book.of(held, cash={"USD": Decimal(100)}, stale=stale)


@asynccontextmanager
async def served() -> AsyncIterator[Peer]:
    """A channel to all of the service; the caller may use it."""
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    market, portfolios = StandInMarket(), StandInPortfolios()
    server.add_servicer(add_RiskServiceServicer_to_server, RiskRpc(market, portfolios))
    server.add_servicer(add_StressServiceServicer_to_server, StressRpc(market, portfolios))
    server.add_servicer(add_MarginServiceServicer_to_server, MarginRpc(market, portfolios))
    server.add_servicer(add_BacktestServiceServicer_to_server, BacktestRpc(market, portfolios))
    server.add_servicer(add_ExposureServiceServicer_to_server, ExposureRpc(market, portfolios))
    await server.start()
    peer = Peer("risk", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=30.0)
    act_with("risk:use")
    yield peer
    await peer.close()
    await server.stop(0)


def act_with(scope: str) -> None:
    now = int(time.time())
    claims = {"sub": str(uuid.uuid4()), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": scope}
    token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k", "typ": TOKEN_TYPE})
    set_call(CallContext(caller=Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)))


def positions(**quantities: str) -> pb.InlinePositions:
    return pb.InlinePositions(
        positions=[
            pb.InlinePosition(symbol=symbol, quantity=DecimalMessage(value=text)) for symbol, text in quantities.items()
        ]
    )


PUT = pb.InlinePosition(
    symbol="AAPL",
    quantity=DecimalMessage(value="1"),
    option=pb.PositionOption(
        option_type=pricing_pb2.OPTION_TYPE_PUT,
        style=pricing_pb2.EXERCISE_STYLE_AMERICAN,
        strike=160,
        time_to_expiry=0.5,
        volatility=0.3,
        multiplier=100,
    ),
)
HEDGED = pb.InlinePositions(positions=[*positions(AAPL="100", JPM="-3").positions, PUT])


def book(held: pb.InlinePositions, **fields: Any) -> pb.MeasuredBook:
    return pb.MeasuredBook(positions=held, **fields)
