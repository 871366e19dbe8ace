"""What prediction asks of the rest of the mesh, in the test's process: a market, and auth's keys and tokens."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import jwt
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE
from quantmesh.chassis.times import to_timestamp

ALICE, BOB = uuid4(), uuid4()
SCOPES = "predictions:read predictions:train"
_KEY = Ed25519PrivateKey.generate()
_KID = "k1"


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return _KEY.public_key() if kid == _KID else None


def token(subject: str, scopes: str = "") -> str:
    now = int(time.time())
    claims = {"sub": subject, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": scopes}
    return jwt.encode(claims, _KEY, algorithm="EdDSA", headers={"kid": _KID, "typ": TOKEN_TYPE})


def call_as(user: UUID, scopes: str = SCOPES, idempotency_key: str = "") -> None:
    """From here on this test's calls are the user's."""
    caller = Caller(str(user), frozenset(), frozenset(), "", "", token(str(user), scopes), 0.0, None)
    set_call(CallContext(caller=caller, idempotency_key=idempotency_key))


async def issue_service_token(
    request: auth_pb2.IssueServiceTokenRequest, _context: Any
) -> auth_pb2.IssueServiceTokenResponse:
    return auth_pb2.IssueServiceTokenResponse(token=token(f"svc:{request.service}"), expires_in=300)


@dataclass
class FakeMarket:
    """Seeded walks on business days from 2010-01-04 on; `sessions` of them are known."""

    sessions: int = 1500
    stocks: dict[str, market_pb2.Adjustment.ValueType] = field(
        default_factory=lambda: {
            **dict.fromkeys(("AAA", "BBB", "CCC"), market_pb2.ADJUSTMENT_TOTAL_RETURN),
            "AAA-RAW": market_pb2.ADJUSTMENT_RAW,
        }
    )
    coins: tuple[str, ...] = ("BTC-USD",)
    short: dict[str, int] = field(default_factory=dict)
    closes_asked: int = 0

    def __post_init__(self) -> None:
        self._dates = np.busday_offset("2010-01-04", np.arange(4000), roll="forward")
        steps = np.random.default_rng(5).standard_normal((8, 4000))
        self._closes = 100.0 * np.exp(np.cumsum(0.0005 + 0.01 * steps, axis=1))

    @property
    def now(self) -> datetime:
        return self._closed_at(self.sessions) + timedelta(minutes=5)

    def _closed_at(self, sessions: int) -> datetime:
        return datetime.fromisoformat(f"{self._dates[sessions - 1]}T21:00:00").replace(tzinfo=UTC)

    async def get_clock(self, request: market_pb2.GetClockRequest, _context: Any) -> market_pb2.GetClockResponse:
        return market_pb2.GetClockResponse(
            market_time=to_timestamp(self.now), last_session=str(self._dates[self.sessions - 1])
        )

    async def get_asset(self, request: market_pb2.GetAssetRequest, context: Any) -> market_pb2.GetAssetResponse:
        found = [asset for asset in self._assets() if asset.symbol == request.symbol]
        if not found:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no asset {request.symbol}")
        return market_pb2.GetAssetResponse(asset=found[0])

    async def list_assets(self, request: market_pb2.ListAssetsRequest, _context: Any) -> market_pb2.ListAssetsResponse:
        return market_pb2.ListAssetsResponse(
            assets=[asset for asset in self._assets() if asset.asset_class == request.asset_class]
        )

    async def get_closes(self, request: market_pb2.GetClosesRequest, context: Any) -> market_pb2.GetClosesResponse:
        self.closes_asked += 1
        symbol = request.symbols[0]
        known = self.short.get(symbol, self.sessions)
        if known == 0:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no close of {symbol} is known")
        first = max(0, known - request.observations) if request.observations else 0
        row = [asset.symbol for asset in self._assets()].index(symbol)
        return market_pb2.GetClosesResponse(
            dates=[str(date) for date in self._dates[first:known]],
            series=[market_pb2.CloseSeries(symbol=symbol, closes=self._closes[row, first:known])],
            as_of=to_timestamp(self._closed_at(known)),
        )

    def _assets(self) -> list[market_pb2.Asset]:
        stocks = [
            market_pb2.Asset(symbol=symbol, asset_class=market_pb2.ASSET_CLASS_STOCK, adjustment=adjustment)
            for symbol, adjustment in self.stocks.items()
        ]
        coins = [
            market_pb2.Asset(
                symbol=symbol, asset_class=market_pb2.ASSET_CLASS_CRYPTO, adjustment=market_pb2.ADJUSTMENT_RAW
            )
            for symbol in self.coins
        ]
        return stocks + coins


def handlers(market: FakeMarket) -> list[grpc.GenericRpcHandler]:
    """Of a gRPC server that stands for both services."""
    by_service: dict[str, list[tuple[str, Any, Any]]] = {
        "quantmesh.api.market.v1.MarketService": [
            ("GetClock", market.get_clock, market_pb2.GetClockRequest),
            ("GetAsset", market.get_asset, market_pb2.GetAssetRequest),
            ("ListAssets", market.list_assets, market_pb2.ListAssetsRequest),
            ("GetCloses", market.get_closes, market_pb2.GetClosesRequest),
        ],
        "quantmesh.api.auth.v1.AuthService": [
            ("IssueServiceToken", issue_service_token, auth_pb2.IssueServiceTokenRequest),
        ],
    }
    return [
        grpc.method_handlers_generic_handler(
            service,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    method,
                    request_deserializer=request.FromString,
                    response_serializer=lambda answer: answer.SerializeToString(),
                )
                for name, method, request in methods
            },
        )
        for service, methods in by_service.items()
    ]
