"""The gateway's entry point: settings, wiring, serve."""

from functools import partial

from pydantic import Field

from quantmesh.api.auth.v1 import auth_pb2, compliance_pb2
from quantmesh.api.blockchain.v1 import blockchain_pb2
from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import halts_pb2, portfolio_pb2
from quantmesh.api.prediction.v1 import prediction_pb2
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.risk.v1 import limits_pb2, risk_pb2
from quantmesh.chassis.cache import Cache, open_redis
from quantmesh.chassis.events import Broadcast
from quantmesh.chassis.events.dead_letters import DeadLetters
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.gateway.adapters import account_logs, credentials, forecast_feed, halt_feed, quote_feed, response_cache
from quantmesh.gateway.adapters.limiter import RateLimiter
from quantmesh.gateway.core.errors import TooManyFollowed, TooManyStreams
from quantmesh.gateway.core.rates import Policy
from quantmesh.gateway.core.shedding import BURST, STANDING, Crowd
from quantmesh.gateway.core.stream.places import FOLLOWED, STREAMS, Places
from quantmesh.gateway.http.admission import Admission
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
from quantmesh.gateway.http.server import HttpServer
from quantmesh.gateway.http.simulation import Simulation
from quantmesh.gateway.http.stream.desk import KnownSymbols, StreamDesk
from quantmesh.gateway.http.stream.server import StreamServer

_MINUTE = 60


class GatewaySettings(ServiceSettings):
    """Quotas are requests a minute."""

    gateway_bind: str = "127.0.0.1:8080"
    # Proxies whose X-Forwarded-For is believed, comma-separated; none: the connection's address counts.
    gateway_trusted_proxies: str = ""
    gateway_address_quota: int = Field(default=240_000, ge=1)
    gateway_stranger_quota: int = Field(default=3_000, ge=1)
    gateway_sign_in_quota: int = Field(default=600, ge=1)
    gateway_tier_quotas: dict[str, int] = Field(
        default_factory=lambda: {"free": 120_000, "pro": 240_000, "enterprise": 960_000}
    )
    gateway_slow_reader_seconds: float = Field(default=10.0, gt=0.0)
    # Requests below one path prefix that are under way at once, and while more come than that.
    gateway_burst: int = Field(default=BURST, ge=1)
    gateway_standing: int = Field(default=STANDING, ge=1)
    # Of one account, or of one address before it has said whose it is; in each replica.
    gateway_streams: int = Field(default=STREAMS, ge=1)

    def policies(self) -> LimitPolicies:
        tiers = {tier: Policy(f"user-{tier}", quota, _MINUTE) for tier, quota in self.gateway_tier_quotas.items()}
        return LimitPolicies(
            address=Policy("address", self.gateway_address_quota, _MINUTE),
            stranger=Policy("stranger", self.gateway_stranger_quota, _MINUTE),
            sign_in=Policy("sign-in", self.gateway_sign_in_quota, _MINUTE),
            tiers=tiers,
            default_tier=min(tiers.values(), key=lambda policy: policy.quota),
        )


async def wire(service: Service[GatewaySettings]) -> None:
    """Build the parts and hand them to the service; nothing has been accepted yet."""
    settings = service.settings
    jobs = job_pb2.DESCRIPTOR.services_by_name["JobService"]
    auth = service.peer(
        "auth",
        auth_pb2.DESCRIPTOR.services_by_name["AuthService"],
        compliance_pb2.DESCRIPTOR.services_by_name["ComplianceService"],
    )
    market = service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"])
    portfolio = service.peer(
        "portfolio",
        portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"],
        halts_pb2.DESCRIPTOR.services_by_name["HaltService"],
        jobs,
    )
    pricing = service.peer("pricing", pricing_pb2.DESCRIPTOR.services_by_name["PricingService"], jobs)
    risk = service.peer(
        "risk",
        risk_pb2.DESCRIPTOR.services_by_name["RiskService"],
        limits_pb2.DESCRIPTOR.services_by_name["LimitService"],
    )
    prediction = service.peer("prediction", prediction_pb2.DESCRIPTOR.services_by_name["PredictionService"], jobs)
    blockchain = service.peer("blockchain", blockchain_pb2.DESCRIPTOR.services_by_name["BlockchainService"])

    ended_sessions = Cache(settings.redis_url, credentials.ENDED_SESSIONS)
    known = credentials.Credentials(service.verifier, auth, ended_sessions)
    limiter = RateLimiter(open_redis(settings.redis_url))
    limits = Limits(limiter, settings.policies())
    cache = Cache(settings.redis_url, "gateway:responses")
    kept = response_cache.ResponseCache(cache)
    last_quotes = quote_feed.LastQuotes()
    # Above what an earlier process came to, unless it told of a channel more than a thousand times a second.
    numbered_from = int(service.clock.now().timestamp() * 1000)
    quotes = quote_feed.QuoteFeed(last_quotes, numbered_from)
    forecasts = forecast_feed.ForecastFeed(numbered_from)
    halts = halt_feed.HaltFeed(portfolio, service.clock, numbered_from)
    logs = account_logs.AccountLogs(portfolio)
    directory = JobDirectory({"portfolio": portfolio, "prediction": prediction, "pricing": pricing})
    desk = StreamDesk(
        known,
        limits,
        KnownSymbols(market),
        quotes,
        forecasts,
        halts,
        logs,
        directory,
        Places(settings.gateway_streams, TooManyStreams),
        Places(FOLLOWED, TooManyFollowed),
    )
    stream = StreamServer(desk, slow_seconds=settings.gateway_slow_reader_seconds)
    known.on_revoked = stream.revoke

    bus = service.bus
    operations = [
        Options(pricing, market).operations(),
        Calibration(pricing).operations(),
        Simulation(pricing).operations(),
        Market(market, kept, last_quotes).operations(),
        Portfolios(portfolio, risk).operations(),
        *Orders(portfolio).operations(),
        Halts(portfolio).operations(),
        Predictions(prediction).operations(),
        Assets(market, kept).operations(),
        Risk(risk).operations(),
        RiskMeasures(risk).operations(),
        RiskLimits(risk).operations(),
        Auth(auth).operations(),
        Compliance(auth).operations(),
        Blockchain(blockchain, portfolio).operations(),
        Jobs(directory).operations(),
        Events(DeadLetters(bus)).operations(),
    ]
    app = build(
        operations,
        stream=stream,
        credentials=known,
        limits=limits,
        readiness=lambda: service.waiting_for,
    )
    server = HttpServer(
        app,
        settings.gateway_bind,
        admission=Admission(
            (route.path for group in operations for route in group.routes),
            Crowd(settings.gateway_burst, settings.gateway_standing),
        ),
        trusted_proxies=settings.gateway_trusted_proxies,
        shutdown_seconds=settings.shutdown_seconds,
    )
    await bus.subscribe(quote_feed.SUBJECT, quotes.handle)
    await bus.subscribe(account_logs.EARLY, logs.handle_early)
    for broadcast in (
        Broadcast(subject=credentials.SUBJECT, handle=known.handle, backlog=credentials.REVOKED_FOR),
        Broadcast(subject=halt_feed.SUBJECT, handle=halts.handle),
        Broadcast(subject=forecast_feed.SUBJECT, handle=forecasts.handle),
        Broadcast(subject=response_cache.SUBJECT, handle=kept.handle),
    ):
        service.add_task(f"broadcast {broadcast.subject}", partial(broadcast.run, bus))
    service.add_task("account logs", partial(logs.listen, bus))
    service.add_task("halts", halts.keep_level)
    service.add_task("stream", stream.watch)
    service.add_task("http", server.run)
    service.on_drain(server.stop)
    service.on_stop(limiter.close)
    service.on_stop(cache.close)
    service.on_stop(ended_sessions.close)


if __name__ == "__main__":
    serve("gateway", GatewaySettings, wire)
