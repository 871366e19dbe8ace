"""What counts as a failed login, for whom, and for how long."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.auth.adapters.throttle import Limits, RedisThrottle
from quantmesh.auth.core.errors import TooManyLogins, WrongCredentials
from quantmesh.chassis.cache import open_redis
from quantmesh.chassis.errors import TooManyRequests, Unauthenticated, Unavailable
from quantmesh.chassis.sql import text
from quantmesh.local.network import free_port
from quantmesh.local.testing import RunningServer

from .conftest import PASSWORD, PATIENCE_SECONDS, Auth

ADA, ADDRESS, ELSEWHERE = "ada@example.com", "192.0.2.1", "198.51.100.7"
LIMITS = Limits(per_address=5, per_account_and_address=3, per_account=7)


@pytest.fixture(params=["redis", "this process"])
async def redis(request: pytest.FixtureRequest, redis_server: RunningServer) -> AsyncIterator[Redis]:
    """One that answers, and one that is away."""
    url = redis_server.url if request.param == "redis" else f"redis://127.0.0.1:{free_port()}"
    opened = open_redis(url, timeout_seconds=PATIENCE_SECONDS)
    yield opened
    await opened.aclose()


async def fail(throttle: RedisThrottle, *accounts: str, address: str = ADDRESS) -> int:
    """How many attempts were admitted."""
    admitted = 0
    for account in accounts:
        with suppress(TooManyLogins, WrongCredentials):
            async with throttle.attempt(account, address):
                admitted += 1
                raise WrongCredentials
    return admitted


async def succeed(throttle: RedisThrottle, account: str = ADA, address: str = ADDRESS) -> None:
    """Raises TooManyLogins."""
    async with throttle.attempt(account, address):
        pass


async def fail_everywhere(throttle: RedisThrottle) -> int:
    """How many attempts at one account were admitted, from addresses of which nobody has heard before."""
    return sum([await fail(throttle, *[ADA] * 5, address=f"203.0.113.{number}") for number in range(10)])


async def test_an_address_that_may_not_guess_any_more_shuts_nobody_out(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, *(f"{number}@example.com" for number in range(20))) == LIMITS.per_address
    assert await fail(throttle, *[ADA] * 20) == 0
    await succeed(throttle, address=ELSEWHERE)


async def test_who_guesses_at_an_account_shuts_out_nobody_else(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, *[ADA] * 20) == LIMITS.per_account_and_address
    await succeed(throttle, address=ELSEWHERE)
    with pytest.raises(TooManyRequests):
        await succeed(throttle)


async def test_guesses_from_everywhere_are_bounded_together(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail_everywhere(throttle) == LIMITS.per_account


async def test_guesses_from_everywhere_do_not_shut_out_who_was_in_before(auth: Auth) -> None:
    throttle = RedisThrottle(auth.redis, LIMITS)
    await succeed(throttle)
    assert await fail_everywhere(throttle) == LIMITS.per_account
    for _ in range(3):
        await succeed(throttle)
    assert await fail(throttle, *[ADA] * 20) == LIMITS.per_account_and_address


async def test_who_is_in_gives_nobody_more_guesses(auth: Auth) -> None:
    throttle = RedisThrottle(auth.redis, LIMITS)
    await succeed(throttle)
    guesses = 0
    for number in range(10):
        guesses += await fail(throttle, ADA, address=f"203.0.113.{number}")
        await succeed(throttle)
    assert guesses == LIMITS.per_account


async def test_a_right_password_forgives_what_failed_with_it_and_no_more_than_itself_of_its_address(
    redis: Redis,
) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    assert await fail(throttle, ADA, "bob@example.com", ADA) == 3
    await succeed(throttle)
    assert await fail(throttle, *[ADA] * 3) == LIMITS.per_address - 3


async def test_what_nobody_looked_at_is_no_failure(redis: Redis) -> None:
    throttle = RedisThrottle(redis, LIMITS)
    for _ in range(10):
        with suppress(Unavailable):
            async with throttle.attempt(ADA, ADDRESS):
                raise Unavailable("Too many passwords are being checked at this moment.")
    assert await fail(throttle, *[ADA] * 5) == LIMITS.per_account_and_address


async def test_what_a_flushed_redis_forgot_is_not_taken_back(auth: Auth) -> None:
    throttle = RedisThrottle(auth.redis, LIMITS)
    async with throttle.attempt(ADA, ADDRESS):
        await auth.redis.flushdb()
    assert [str(key).split(":")[2] for key in await auth.redis.keys()] == ["known"]
    await fail(throttle, ADA)
    assert [await auth.redis.ttl(key) > 0 for key in await auth.redis.keys()] == [True] * 3


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
    assert await fail(throttle, *[ADA] * 5) == LIMITS.per_account_and_address
    with pytest.raises(TooManyRequests):
        await succeed(throttle, "bob@example.com")
