"""What counts as a failed login, for whom, and for how long."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.auth.adapters.throttle import Limits, RedisThrottle
from quantmesh.auth.core.errors import TooManyLogins
from quantmesh.chassis.cache import open_redis
from quantmesh.chassis.errors import TooManyRequests, Unauthenticated, Unavailable
from quantmesh.chassis.sql import text
from quantmesh.local.network import free_port
from quantmesh.local.testing import RunningServer

from .conftest import PASSWORD, Auth

ADA, ADDRESS = "ada@example.com", "192.0.2.1"
LIMITS = Limits(per_account=3, per_address=5)


@pytest.fixture(params=["redis", "this process"])
async def redis(request: pytest.FixtureRequest, redis_server: RunningServer) -> AsyncIterator[Redis]:
    """One that answers, and one that is away."""
    opened = open_redis(redis_server.url if request.param == "redis" else f"redis://127.0.0.1:{free_port()}")
    yield opened
    await opened.aclose()


async def fail(throttle: RedisThrottle, *accounts: str, address: str = ADDRESS) -> int:
    """How many attempts were admitted."""
    admitted = 0
    for account in accounts:
        try:
            await throttle.admit(account, address)
        except TooManyLogins:
            continue
        admitted += 1
    return admitted


async def test_an_address_that_may_not_guess_any_more_shuts_nobody_out(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, *(f"{number}@example.com" for number in range(20))) == LIMITS.per_address
    assert await fail(throttle, *[ADA] * 20) == 0
    await throttle.admit(ADA, "198.51.100.7")


async def test_a_right_password_forgives_its_account_and_no_more_than_itself_of_its_address(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, ADA, "bob@example.com", "cem@example.com", ADA) == 4
    await throttle.admit(ADA, ADDRESS)
    await throttle.forgive(ADA, ADDRESS)
    assert await fail(throttle, *[ADA] * 3) == 1
    assert await fail(throttle, *[ADA] * 5, address="198.51.100.7") == LIMITS.per_account - 1


async def test_what_nobody_looked_at_is_no_failure(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    for _ in range(10):
        await throttle.admit(ADA, ADDRESS)
        await throttle.withdraw(ADA, ADDRESS)
    assert await fail(throttle, *[ADA] * 5) == LIMITS.per_account


async def test_what_a_flushed_redis_forgot_is_not_taken_back(auth: Auth) -> None:
    throttle = RedisThrottle(auth.redis, LIMITS)
    await throttle.admit(ADA, ADDRESS)
    await auth.redis.flushdb()
    await throttle.forgive(ADA, ADDRESS)
    assert await auth.redis.keys() == []
    await throttle.admit(ADA, ADDRESS)
    assert [await auth.redis.ttl(key) > 0 for key in await auth.redis.keys()] == [True, True]


async def test_addresses_of_one_network_guess_as_one(auth: Auth) -> None:
    guessed = 0
    for host in range(25):
        request = pb.LoginRequest(
            email=f"{host}@example.com", password="-", ip_address=f"2001:db8::{host:x}", network="2001:db8::/64"
        )
        with pytest.raises((Unauthenticated, TooManyRequests)) as refused:
            await auth.peer.call(auth.stub.Login, request)
        guessed += isinstance(refused.value, Unauthenticated)
    assert guessed == 20


async def test_an_outage_locks_out_nobody_who_tries_again_until_it_is_over(auth: Auth) -> None:
    await auth.register()
    request = pb.LoginRequest(email=ADA, password=PASSWORD, ip_address=auth.address)
    async with auth.database.system_transaction() as session:
        await session.execute(text("LOCK TABLE user_account"))
        for _ in range(4):
            with pytest.raises(Unavailable):
                await auth.peer.call(auth.stub.Login, request, timeout_seconds=0.2)
    await auth.login()


async def test_nor_does_a_crowd_that_has_every_hash_in_use(auth: Auth) -> None:
    await auth.register()
    auth.hasher._max_waiting = 0
    for _ in range(4):
        with pytest.raises(Unavailable):
            await auth.login()
    auth.hasher._max_waiting = 64
    await auth.login()


async def test_what_an_account_refuses_still_counts_against_the_address(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, *[ADA] * 5) == LIMITS.per_account
    with pytest.raises(TooManyRequests):
        await throttle.admit("bob@example.com", ADDRESS)
