"""Which replica a call goes to, as replicas of one name come, go and end."""

import asyncio

from .replicas import Caller, naming, serving


async def test_replicas_behind_one_name_share_the_calls() -> None:
    async with (
        serving("a") as first,
        serving("b", f"127.0.0.2:{first.port}"),
        naming("127.0.0.1", "127.0.0.2") as names,
        Caller(names.target(first.port)) as caller,
    ):
        async with caller.asking(100):
            await caller.answered("a")
            await caller.answered("b")
        caller.answers.clear()
        for _ in range(20):
            await caller.ask()
    assert caller.answers == {"a": 10, "b": 10}
    assert caller.failures == []


async def test_a_replica_that_says_it_does_not_serve_is_passed_over() -> None:
    async with (
        serving("a") as first,
        serving("b", f"127.0.0.2:{first.port}"),
        naming("127.0.0.1", "127.0.0.2") as names,
        Caller(names.target(first.port)) as caller,
        caller.asking(100),
    ):
        await caller.answered("a")
        await first.set_serving(False)
        async with asyncio.timeout(60):
            before = -1
            # Until it was heard, and what went to the first one before that is answered.
            while caller.answers["a"] != before:
                before = caller.answers["a"]
                await caller.answered("b", 50)
        await first.set_serving(True)
        await caller.answered("a")
    assert caller.failures == []


async def test_a_replica_that_joins_later_gets_its_share_when_a_connection_has_aged() -> None:
    async with (
        serving("a", connection_age_seconds=0.3) as first,
        serving("b", f"127.0.0.2:{first.port}"),
        naming("127.0.0.1") as names,
        Caller(names.target(first.port)) as caller,
        caller.asking(100),
    ):
        await caller.answered("a")
        names.addresses = ("127.0.0.1", "127.0.0.2")
        await caller.answered("b")
    assert caller.failures == []


async def test_replicas_that_are_all_replaced_within_seconds_are_found_and_no_call_fails() -> None:
    async with (
        serving("a") as first,
        serving("b", f"127.0.0.2:{first.port}") as second,
        serving("c", f"127.0.0.3:{first.port}"),
        naming("127.0.0.1", "127.0.0.2") as names,
        Caller(names.target(first.port)) as caller,
        caller.asking(100),
    ):
        await caller.answered("a")
        await caller.answered("b")
        names.addresses = ("127.0.0.2", "127.0.0.3")
        await first.stop(5.0)
        # Found by the look-up that the first one's end led to: gRPC's own pause of 30 s would leave nobody to ask.
        await caller.answered("c")
        await second.stop(5.0)
        await caller.answered("c")
    assert caller.failures == []
