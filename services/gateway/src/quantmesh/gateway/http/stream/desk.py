"""What connections need from the rest of the gateway: identity, and a subscription for each kind of channel."""

import time
from typing import TYPE_CHECKING

from quantmesh.api.market.v1.market_pb2 import GetAssetRequest
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import PermissionDenied
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.adapters.account_logs import AccountLogs
from quantmesh.gateway.adapters.credentials import Credentials, is_api_key
from quantmesh.gateway.adapters.forecast_feed import ForecastFeed
from quantmesh.gateway.adapters.halt_feed import HaltFeed
from quantmesh.gateway.adapters.quote_feed import QuoteFeed
from quantmesh.gateway.core.stream.messages import Channel
from quantmesh.gateway.core.stream.places import Places
from quantmesh.gateway.http.edge import Edge
from quantmesh.gateway.http.jobs import JobDirectory
from quantmesh.gateway.http.middleware.limits import Limits
from quantmesh.gateway.http.stream.subscriptions import (
    Client,
    JobSubscription,
    PortfolioSubscription,
    Subscription,
    TopicSubscription,
)

if TYPE_CHECKING:
    from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceAsyncStub

_SYMBOL_SECONDS = 300.0
_SCOPES = {
    "quotes": "market:read",
    "portfolio": "portfolio:read",
    "predictions": "predictions:read",
    # Each job's own, which its service demands whenever it is asked.
    "jobs": "",
    "halts": "market:read",
}


class KnownSymbols:
    """Whether market knows a symbol; a thousand clients that ask for the same one ask market once."""

    def __init__(self, market: Peer) -> None:
        self._market = market.in_own_name()
        self._stub: MarketServiceAsyncStub = MarketServiceStub(market.channel)
        self._known_until: dict[str, float] = {}

    async def demand(self, symbol: str) -> None:
        """Raises NotFound."""
        now = time.monotonic()
        if self._known_until.get(symbol, 0.0) > now:
            return
        await self._market.call(self._stub.GetAsset, GetAssetRequest(symbol=symbol))
        self._known_until[symbol] = now + _SYMBOL_SECONDS


class StreamDesk:
    def __init__(
        self,
        credentials: Credentials,
        limits: Limits,
        symbols: KnownSymbols,
        quotes: QuoteFeed,
        forecasts: ForecastFeed,
        halts: HaltFeed,
        logs: AccountLogs,
        jobs: JobDirectory,
        places: Places,
        followed: Places,
    ) -> None:
        self._credentials = credentials
        self._limits = limits
        self._symbols = symbols
        self._quotes = quotes
        self._forecasts = forecasts
        self._halts = halts
        self._logs = logs
        self._jobs = jobs
        self.places = places
        self._followed = followed

    async def admit(self, edge: Edge, token: str) -> Caller:
        """As `verify`, of who may be guessing: keys that were not seen before are counted as everywhere."""
        if is_api_key(token) and not self._credentials.is_known_key(token):
            await self._limits.charge_stranger(edge)
        return await self.verify(token)

    async def charge(self, edge: Edge) -> None:
        """For a channel others are asked, as for a request. Raises RateLimited."""
        await self._limits.charge(edge, edge.route)

    async def verify(self, token: str) -> Caller:
        """A bearer token, or an API key, as the first message carries it."""
        return await self._credentials.of_text(token)

    async def subscription(self, client: Client, channel: Channel) -> Subscription:
        """Not open yet. Raises NotFound for a symbol that there is not."""
        match channel.kind:
            case "quotes":
                await self._symbols.demand(channel.key)
                return TopicSubscription(client, self._quotes.topic(channel.key))
            case "predictions":
                await self._symbols.demand(channel.key)
                return TopicSubscription(client, self._forecasts.topic(channel.key))
            case "halts":
                await self._halts.demand()
                return TopicSubscription(client, self._halts.topic)
            case "portfolio":
                return PortfolioSubscription(client, self._followed, self._logs, channel.key)
            case "jobs":
                return JobSubscription(client, self._followed, self._jobs.get, channel.key)


def demand_scope(caller: Caller, channel: Channel) -> None:
    scope = _SCOPES[channel.kind]
    if scope and scope not in caller.scopes:
        msg = f"The scope {scope} is needed for this channel."
        raise PermissionDenied(msg)
