"""Calls that travel together, over a real channel: each is served, and answered, as if it had come alone."""

import asyncio
import time

from quantmesh.chassis.context import mark_replayed
from quantmesh.chassis.errors import PermissionDenied, QuantmeshError, RuleBroken, Unavailable, Violation

from .bundled_ledger import ADA, BOB, TRACE, Ledger, serving


async def test_calls_that_begin_together_are_one_call_in_which_each_has_its_own_key_id_and_trace() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        answers = await asyncio.gather(*(ask(str(number)) for number in range(5)))
    assert (ledger.bundles, ledger.alone) == ([5], [])
    for number, (answer, replayed) in enumerate(answers):
        assert answer.transaction.id == str(number)
        assert answer.transaction.input.note == f"{ADA} request {number} key {number} {TRACE}"
        assert not replayed


async def test_a_call_without_company_goes_alone() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        await ask("first")
        await ask("second")
    assert (ledger.bundles, ledger.alone) == ([], ["first", "second"])


async def test_callers_travel_with_their_own_calls_alone() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        asked = [(user, name, ask(name, user)) for name in "abc" for user in (ADA, BOB)]
        for user, _, answer in asked:
            assert (await answer)[0].transaction.input.note.startswith(str(user))
    assert ledger.bundles == [3, 3]


async def test_a_service_that_acts_for_two_owners_does_not_mix_them() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        asked = [(user, ask(name, user, service="svc:risk")) for name in "abc" for user in (ADA, BOB)]
        for user, answer in asked:
            assert (await answer)[0].transaction.input.note.startswith(str(user))
    assert ledger.bundles == []


async def test_a_refusal_is_told_to_the_one_it_is_for_as_it_was_raised() -> None:
    async def refuse() -> None:
        violations = [Violation("amount", "at most 10.00")]
        raise RuleBroken("Cash is 10.00.", violations=violations, retry_after_seconds=1.5, metadata={"short": "2.00"})

    ledger = Ledger({"b": refuse})
    async with serving(ledger) as ask:
        a, b, c = await asyncio.gather(ask("a"), ask("b"), ask("c"), return_exceptions=True)
    assert not isinstance(a, BaseException)
    assert not isinstance(c, BaseException)
    assert isinstance(b, RuleBroken)
    assert (b.detail, b.violations) == ("Cash is 10.00.", (Violation("amount", "at most 10.00"),))
    assert (b.retry_after_seconds, b.metadata) == (1.5, {"short": "2.00"})
    assert ledger.bundles == [3]


async def test_a_bug_in_one_is_internal_for_it_alone_and_tells_nothing_of_itself() -> None:
    async def fail() -> None:
        raise ZeroDivisionError("secret detail")

    async with serving(Ledger({"b": fail})) as ask:
        a, b = await asyncio.gather(ask("a"), ask("b"), return_exceptions=True)
    assert not isinstance(a, BaseException)
    assert isinstance(b, QuantmeshError)
    assert b.problem == "internal"
    assert "secret" not in b.detail


async def test_a_replay_is_one_s_own() -> None:
    async def replay() -> None:
        mark_replayed()

    async with serving(Ledger({"b": replay})) as ask:
        answers = await asyncio.gather(ask("a"), ask("b"), ask("c"))
    assert [replayed for _, replayed in answers] == [False, True, False]


async def test_nobody_waits_for_who_travels_with_him() -> None:
    release = asyncio.Event()

    async def wait() -> None:
        await release.wait()

    async with serving(Ledger({"slow": wait})) as ask:
        slow, quick = ask("slow"), ask("quick")
        await quick
        assert not slow.done()
        release.set()
        await slow


async def test_who_goes_away_takes_nobody_along() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        tasks = [ask(name) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert not any(isinstance(each, BaseException) for each in answers[1:])


async def test_a_bundle_that_nobody_waits_for_any_more_is_called_off() -> None:
    begun, ended = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def wait() -> None:
        begun.release()
        try:
            await asyncio.sleep(60)
        finally:
            ended.release()

    async with serving(Ledger({"a": wait, "b": wait})) as ask, asyncio.timeout(3.0):
        first, second = ask("a"), ask("b")
        await begun.acquire()
        await begun.acquire()
        first.cancel()
        await asyncio.sleep(0.1)
        assert ended.locked()
        second.cancel()
        await ended.acquire()
        await ended.acquire()


async def test_a_bundle_without_the_scope_is_refused_to_all_in_it() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        told = await asyncio.gather(*(ask(name, scope="jobs:read") for name in "ab"), return_exceptions=True)
    assert all(isinstance(each, PermissionDenied) for each in told), told
    assert ledger.bundles == []


async def test_a_peer_that_is_gone_is_unavailable_to_all() -> None:
    async with serving(Ledger()) as ask:
        await ask("a")
    told = await asyncio.gather(ask("b"), ask("c"), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in told), told


async def test_a_bundle_ends_with_the_time_of_its_calls() -> None:
    async def wait() -> None:
        await asyncio.sleep(60)

    async with serving(Ledger({"a": wait, "b": wait}), timeout_seconds=0.3) as ask:
        started = time.monotonic()
        told = await asyncio.gather(ask("a", seconds=0.3), ask("b", seconds=0.3), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in told), told
    assert time.monotonic() - started < 30


async def test_who_has_little_time_left_goes_alone() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        await asyncio.gather(ask("late", seconds=4.0), ask("a"), ask("b"))
    assert (ledger.bundles, ledger.alone) == ([2], ["late"])


async def test_a_large_call_goes_alone() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        await asyncio.gather(ask("large", note="x" * 20_000), ask("a"), ask("b"))
    assert (ledger.bundles, ledger.alone) == ([2], ["large"])


async def test_more_than_a_bundle_holds_are_several() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        answers = await asyncio.gather(*(ask(str(number)) for number in range(129)))
    assert [answer.transaction.id for answer, _ in answers] == [str(number) for number in range(129)]
    assert (sorted(ledger.bundles), ledger.alone) == ([64, 64], ["128"])


async def test_a_peer_of_the_release_before_is_asked_one_by_one() -> None:
    ledger = Ledger()
    async with serving(ledger, knows_bundles=False) as ask:
        answers = await asyncio.gather(ask("a"), ask("b"))
    assert [answer.transaction.id for answer, _ in answers] == ["a", "b"]
    assert sorted(ledger.alone) == ["a", "b"]
