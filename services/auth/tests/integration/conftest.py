"""AuthService on a real Postgres and a real Redis, over a real channel."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub, add_AuthServiceServicer_to_server
from quantmesh.api.auth.v1.compliance_pb2_grpc import add_ComplianceServiceServicer_to_server
from quantmesh.auth.adapters.hashing import Argon2Hasher
from quantmesh.auth.adapters.kept_answers import KeptAnswers
from quantmesh.auth.adapters.parts import AuthParts
from quantmesh.auth.adapters.rpc import AuthRpc
from quantmesh.auth.adapters.rpc_compliance import ComplianceRpc
from quantmesh.auth.adapters.session_cache import SessionCache
from quantmesh.auth.adapters.signing import KeyRing
from quantmesh.auth.adapters.throttle import Limits, RedisThrottle
from quantmesh.chassis.cache import Cache, open_redis
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.local.testing import RunningServer, ServiceDatabase

PASSWORD = "violet-anchor-mosaic-7"
SERVICE_SECRET = "between-services"
# A machine that stands still for a moment is no outage here.
PATIENCE_SECONDS = 30.0


class MovableClock:
    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass
class Auth:
    """The service as its clients and its tests see it."""

    peer: Peer
    stub: AuthServiceStub
    database: Database
    keys: KeyRing
    verifier: TokenVerifier
    redis: Redis
    hasher: Argon2Hasher
    cache: SessionCache
    clock: MovableClock
    address: str = "192.0.2.1"
    emails: list[str] = field(default_factory=list)

    async def register(self, email: str = "ada@example.com", password: str = PASSWORD) -> pb.User:
        self.act_as("")
        request = pb.RegisterRequest(email=email, password=password, full_name="Ada Lovelace")
        return (await self.peer.call(self.stub.Register, request)).user

    async def login(self, email: str = "ada@example.com", password: str = PASSWORD) -> pb.TokenPair:
        self.act_as("")
        request = pb.LoginRequest(email=email, password=password, user_agent="tests", ip_address=self.address)
        return (await self.peer.call(self.stub.Login, request)).tokens

    async def refresh(self, token: str) -> pb.TokenPair:
        self.act_as("")
        return (await self.peer.call(self.stub.Refresh, pb.RefreshRequest(refresh_token=token))).tokens

    def act_as(self, token: str, key: str = "") -> None:
        """`key` is the idempotency key of the calls that follow."""
        caller = Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)
        set_call(CallContext(caller=caller if token else None, idempotency_key=key))


@pytest.fixture
async def auth(service_database: Callable[[str], ServiceDatabase], redis_server: RunningServer) -> AsyncIterator[Auth]:
    database = Database(service_database("auth").url, "auth", pool_timeout_seconds=PATIENCE_SECONDS)
    clock = MovableClock()
    keys = KeyRing(database, b"k" * 32, clock)
    await keys.refresh()
    hasher = Argon2Hasher()
    redis = open_redis(redis_server.url, timeout_seconds=PATIENCE_SECONDS)
    cache = Cache(redis_server.url, "auth", timeout_seconds=PATIENCE_SECONDS)
    sessions = SessionCache(cache)
    parts = AuthParts(
        database=database,
        keys=keys,
        hasher=hasher,
        throttle=RedisThrottle(redis, Limits(per_address=20, per_account_and_address=3, per_account=6)),
        cache=sessions,
        clock=clock,
        kept_answers=KeptAnswers(b"k" * 32),
        decoy_hash=await hasher.hash("decoy"),
        service_secrets={"gateway": SERVICE_SECRET},
    )
    verifier = TokenVerifier(keys, cache_seconds=0.0)
    server = RpcServer("127.0.0.1:0", verifier)
    server.add_servicer(add_AuthServiceServicer_to_server, AuthRpc(parts))
    server.add_servicer(add_ComplianceServiceServicer_to_server, ComplianceRpc(database, clock))
    await server.start()
    peer = Peer("auth", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=PATIENCE_SECONDS)
    yield Auth(peer, AuthServiceStub(peer.channel), database, keys, verifier, redis, hasher, sessions, clock)
    await peer.close()
    await server.stop(0)
    hasher.close()
    await cache.close()
    await redis.aclose()
    await database.close()
