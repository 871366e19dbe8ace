"""Rate limits over a real Redis: exact for all replicas together, and there when Redis is not."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from quantmesh.chassis.cache import open_redis
from quantmesh.gateway.adapters.limiter import RateLimiter
from quantmesh.gateway.core.rates import Charge, Policy
from quantmesh.local.testing import RunningServer

# So slow a refill that nothing comes back while a test runs.
USER = Policy("user", 100, 100_000)
ADDRESS = Policy("address", 30, 100_000)
# Of so many a little is drawn in advance.
BULK = Policy("bulk", 4_000, 1_000_000)


@pytest.fixture
def allowances_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine stalls between two requests."""
    monkeypatch.setattr("quantmesh.gateway.adapters.limiter._ADVANCE_SECONDS", 3600.0)


def patient(redis_server: RunningServer) -> Redis:
    """Waits for Redis where a limiter would decide by itself."""
    return open_redis(redis_server.url, timeout_seconds=30.0)


async def test_two_replicas_together_admit_exactly_the_quota(redis_server: RunningServer) -> None:
    replicas = [RateLimiter(patient(redis_server)) for _ in range(2)]
    verdicts = await asyncio.gather(
        *(replicas[index % 2].decide([Charge(USER, "ada")]) for index in range(400)),
    )
    assert sum(verdict.admitted for verdict in verdicts) == 100
    assert sorted(verdict.standings[0].remaining for verdict in verdicts if verdict.admitted) == list(range(100))
    for replica in replicas:
        await replica.close()


@pytest.mark.usefixtures("allowances_last")
async def test_replicas_that_draw_in_advance_admit_exactly_the_quota_and_ask_less_often(
    redis_server: RunningServer,
) -> None:
    redis = patient(redis_server)
    await redis.config_resetstat()
    replicas = [RateLimiter(patient(redis_server)) for _ in range(2)]
    admitted = 0
    for _ in range(2_200):
        verdicts = await asyncio.gather(*(replica.decide([Charge(BULK, "ada")]) for replica in replicas))
        admitted += sum(verdict.admitted for verdict in verdicts)
    assert admitted == 4_000
    asked = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert asked < 3_200
    await redis.aclose()
    for replica in replicas:
        await replica.close()


@pytest.mark.usefixtures("allowances_last")
async def test_what_is_drawn_in_advance_is_not_told_as_used(redis_server: RunningServer) -> None:
    limiter = RateLimiter(patient(redis_server))
    told = [(await limiter.decide([Charge(BULK, "ada")])).standings[0].remaining for _ in range(10)]
    assert told == list(range(3_999, 3_989, -1))
    # An address that others share has none in advance left sooner than the user.
    crowd = [(await limiter.decide([Charge(USER, "bob"), Charge(BULK, "eve")])).standings[1].remaining for _ in "123"]
    assert crowd == [3_999, 3_998, 3_997]
    await limiter.close()


async def test_a_refused_request_draws_on_none_of_its_buckets(redis_server: RunningServer) -> None:
    limiter = RateLimiter(patient(redis_server))
    verdicts = [await limiter.decide([Charge(USER, "ada"), Charge(ADDRESS, "::1")]) for _ in range(40)]
    assert [verdict.admitted for verdict in verdicts] == [True] * 30 + [False] * 10
    assert verdicts[-1].binding.policy is ADDRESS
    assert verdicts[-1].standings[0].remaining == 70
    assert (await limiter.decide([Charge(USER, "ada")])).standings[0].remaining == 69
    await limiter.close()


async def test_users_do_not_share_a_bucket(redis_server: RunningServer) -> None:
    limiter = RateLimiter(patient(redis_server))
    await asyncio.gather(*(limiter.decide([Charge(ADDRESS, "ada")]) for _ in range(30)))
    assert not (await limiter.decide([Charge(ADDRESS, "ada")])).admitted
    assert (await limiter.decide([Charge(ADDRESS, "bob")])).admitted
    await limiter.close()


async def test_without_redis_the_limits_hold_in_the_process_and_come_back_shared(redis_server: RunningServer) -> None:
    limiter = RateLimiter(patient(redis_server))
    assert (await limiter.decide([Charge(ADDRESS, "ada")])).admitted
    redis_server.kill()
    admitted = [(await limiter.decide([Charge(ADDRESS, "ada")])).admitted for _ in range(40)]
    assert admitted == [True] * 30 + [False] * 10
    redis_server.start_again()
    async with asyncio.timeout(30):
        while not (await limiter.decide([Charge(ADDRESS, "ada")])).admitted:  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.05)
    await limiter.close()


async def test_a_redis_that_hangs_delays_nobody_and_lets_in_no_more(redis_server: RunningServer) -> None:
    limiter = RateLimiter(open_redis(redis_server.url))
    await limiter.decide([Charge(ADDRESS, "bob")])
    hanging = patient(redis_server)
    await hanging.client_pause(60_000)
    # If each waited for the quarter of a second that an answer may take, all would for minutes.
    async with asyncio.timeout(30):
        admitted = [(await limiter.decide([Charge(ADDRESS, "ada")])).admitted for _ in range(1000)]
    assert admitted == [True] * 30 + [False] * 970
    await hanging.aclose()
    await limiter.close()


async def test_a_flushed_redis_begins_new_windows_and_goes_on_limiting(redis_server: RunningServer) -> None:
    limiter = RateLimiter(patient(redis_server))
    assert [(await limiter.decide([Charge(ADDRESS, "ada")])).admitted for _ in range(31)] == [True] * 30 + [False]
    flushing = patient(redis_server)
    await flushing.flushall()
    assert [(await limiter.decide([Charge(ADDRESS, "ada")])).admitted for _ in range(31)] == [True] * 30 + [False]
    await flushing.aclose()
    await limiter.close()


async def test_a_script_that_redis_forgot_is_loaded_again(redis_server: RunningServer) -> None:
    redis = patient(redis_server)
    limiter = RateLimiter(redis)
    await limiter.decide([Charge(USER, "ada")])
    await redis.script_flush()
    assert (await limiter.decide([Charge(USER, "ada")])).standings[0].remaining == 98
    await limiter.close()


async def test_a_clock_of_redis_that_goes_back_refuses_nobody(redis_server: RunningServer) -> None:
    """As of a replica whose clock is behind, when it takes over."""
    minute = Policy("minute", 100, 60)
    redis = patient(redis_server)
    await redis.set("gateway:rate:minute:ada", int((time.time() + 3600) * 1e6), px=60_000)
    limiter = RateLimiter(redis)
    verdicts = [await limiter.decide([Charge(minute, "ada")]) for _ in range(2)]
    assert [(verdict.admitted, verdict.standings[0].remaining) for verdict in verdicts] == [(True, 99), (True, 98)]
    await limiter.close()
