"""An edge over fake peers, and who calls it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.context import Caller
from quantmesh.gateway.adapters.account_logs import AccountLogs
from quantmesh.gateway.adapters.forecast_feed import ForecastFeed
from quantmesh.gateway.adapters.halt_feed import HaltFeed
from quantmesh.gateway.adapters.quote_feed import LastQuotes, QuoteFeed
from quantmesh.gateway.adapters.response_cache import ResponseCache
from quantmesh.gateway.core.errors import TooManyFollowed, TooManyStreams
from quantmesh.gateway.core.rates import Charge, LocalBuckets, Policy, Verdict
from quantmesh.gateway.core.stream.places import Places
from quantmesh.gateway.http.app import build
from quantmesh.gateway.http.assets import Assets
from quantmesh.gateway.http.auth import Auth
from quantmesh.gateway.http.blockchain import Blockchain
from quantmesh.gateway.http.calibration import Calibration
from quantmesh.gateway.http.compliance import Compliance
from quantmesh.gateway.http.events import Events
from quantmesh.gateway.http.halts import Halts
from quantmesh.gateway.http.jobs import JobDirectory, Jobs
from quantmesh.gateway.http.limits import RiskLimits
from quantmesh.gateway.http.market import Market
from quantmesh.gateway.http.middleware.limits import LimitPolicies, Limits
from quantmesh.gateway.http.options import Options
from quantmesh.gateway.http.orders import Orders
from quantmesh.gateway.http.portfolios import Portfolios
from quantmesh.gateway.http.predictions import Predictions
from quantmesh.gateway.http.risk import Risk
from quantmesh.gateway.http.risk_measures import RiskMeasures
from quantmesh.gateway.http.simulation import Simulation
from quantmesh.gateway.http.stream.desk import KnownSymbols, StreamDesk
from quantmesh.gateway.http.stream.server import StreamServer

from .fakes import FakeCache, FakeCredentials, FakeLetters, FakePeer

SCOPES = frozenset(
    {
        "account:manage",
        "market:read",
        "portfolio:read",
        "portfolio:write",
        "orders:write",
        "pricing:use",
        "risk:use",
        "predictions:read",
        "predictions:train",
        "blockchain:read",
        "compliance:manage",
        "events:manage",
        "halts:manage",
    }
)
ADA = UUID("019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10")
PEERS = ("auth", "market", "portfolio", "pricing", "risk", "prediction", "blockchain")


def caller(
    user: UUID = ADA,
    *,
    scopes: frozenset[str] = SCOPES,
    tier: str = "free",
    lives: float = 300.0,
    session_id: str = "",
) -> Caller:
    return Caller(
        subject=str(user),
        scopes=scopes,
        roles=frozenset({"investor"}),
        tier=tier,
        session_id=session_id or f"session-{user}",
        token="ada",
        expires_at=time.time() + lives,
        owner_id=user,
    )


class LocalLimiter:
    """The limits at a time that stands still."""

    def __init__(self) -> None:
        self._buckets = LocalBuckets()
        self.now = 1000.0

    async def decide(self, charges: Sequence[Charge]) -> Verdict:
        return self._buckets.decide(charges, self.now)


def policies(quota: int = 100_000, stranger: int = 100_000) -> LimitPolicies:
    free = Policy("user-free", quota, 60)
    return LimitPolicies(
        address=Policy("address", 1_000_000, 60),
        stranger=Policy("stranger", stranger, 60),
        sign_in=Policy("sign-in", 5, 60),
        tiers={"free": free, "pro": Policy("user-pro", 2 * quota, 60)},
        default_tier=free,
    )


@dataclass
class Edge:
    """`http` carries Ada's token; `stranger` none. The peers answer what a test puts into their tables."""

    app: Any
    peers: dict[str, FakePeer]
    quotes: QuoteFeed
    logs: AccountLogs
    forecasts: ForecastFeed
    halts: HaltFeed
    stream: StreamServer
    last_quotes: LastQuotes
    cache: ResponseCache
    limiter: LocalLimiter
    letters: FakeLetters
    waiting_for: list[str] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://edge", headers=headers)

    @property
    def http(self) -> httpx.AsyncClient:
        return self.client(Authorization="Bearer ada")


def make_edge(
    *,
    limits: LimitPolicies | None = None,
    slow_seconds: float = 10.0,
    numbered_from: int = 0,
    streams: int = 1000,
    followed: int = 1000,
    **callers: Caller,
) -> Edge:
    peers: dict[str, Any] = {name: FakePeer() for name in PEERS}
    credentials: Any = FakeCredentials({"ada": caller(), **callers})
    limiter: Any = LocalLimiter()
    memory: Any = FakeCache()
    cache = ResponseCache(memory)
    last_quotes = LastQuotes()
    quotes, forecasts, logs = (
        QuoteFeed(last_quotes, numbered_from),
        ForecastFeed(numbered_from),
        AccountLogs(peers["portfolio"]),
    )
    halts = HaltFeed(peers["portfolio"], SystemClock(), numbered_from)
    directory = JobDirectory({name: peers[name] for name in ("portfolio", "prediction", "pricing")})
    limiting = Limits(limiter, limits or policies())
    desk = StreamDesk(
        credentials,
        limiting,
        KnownSymbols(peers["market"]),
        quotes,
        forecasts,
        halts,
        logs,
        directory,
        Places(streams, TooManyStreams),
        Places(followed, TooManyFollowed),
    )
    stream = StreamServer(desk, slow_seconds=slow_seconds)
    waiting_for: list[str] = []
    letters = FakeLetters()
    app = build(
        [
            Options(peers["pricing"], peers["market"]).operations(),
            Calibration(peers["pricing"]).operations(),
            Simulation(peers["pricing"]).operations(),
            Market(peers["market"], cache, last_quotes).operations(),
            Portfolios(peers["portfolio"], peers["risk"]).operations(),
            *Orders(peers["portfolio"]).operations(),
            Halts(peers["portfolio"]).operations(),
            Predictions(peers["prediction"]).operations(),
            Assets(peers["market"], cache).operations(),
            Risk(peers["risk"]).operations(),
            RiskMeasures(peers["risk"]).operations(),
            RiskLimits(peers["risk"]).operations(),
            Auth(peers["auth"]).operations(),
            Compliance(peers["auth"]).operations(),
            Blockchain(peers["blockchain"], peers["portfolio"]).operations(),
            Jobs(directory).operations(),
            Events(letters).operations(),
        ],
        stream=stream,
        credentials=credentials,
        limits=limiting,
        readiness=lambda: waiting_for,
    )
    return Edge(app, peers, quotes, logs, forecasts, halts, stream, last_quotes, cache, limiter, letters, waiting_for)
