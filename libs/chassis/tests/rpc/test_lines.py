"""Calls that travel by a line, over a real channel: each is served, and answered, as if it had come alone."""

import asyncio
from typing import Any, cast

import grpc
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from quantmesh.api.common.v1.bundle_pb2 import BundledCall
from quantmesh.api.portfolio.v1.portfolio_pb2 import StreamRecordingsRequest
from quantmesh.chassis.context import Caller, mark_replayed
from quantmesh.chassis.errors import PermissionDenied, QuantmeshError, RuleBroken, Unavailable, Violation
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.rpc.line import Line

from .bundled_ledger import ADA, BOB, SERVICE, TRACE, Ledger, serving


class Held:
    """What a call does that waits for a test, and how it ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.cancelled = asyncio.Semaphore(0)
        self.release = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.release()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.release()
            raise


async def test_calls_after_an_earlier_one_go_by_one_line_with_a_key_an_id_and_a_trace_of_their_own() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        answers = await asyncio.gather(*(ask(str(number)) for number in range(5)))
        answers.append(await ask("5"))
    assert (ledger.lines, ledger.bundles, ledger.alone) == ([ADA], [5, 1], [])
    for number, (answer, replayed) in enumerate(answers):
        assert answer.transaction.id == str(number)
        assert answer.transaction.input.note == f"{ADA} request {number} key {number} {TRACE}"
        assert not replayed


def served(method: str) -> float:
    labels = {"rpc_service": SERVICE, "method": method, "code": "OK"}
    return REGISTRY.get_sample_value("quantmesh_rpc_seconds_count", labels) or 0.0


async def test_each_call_is_measured_and_the_line_is_not() -> None:
    ledger = Ledger()
    before = served("RecordTransaction")
    async with serving(ledger) as ask:
        alone = served("RecordTransaction") - before
        await asyncio.gather(ask("a"), ask("b"), ask("c"))
    await ledger.ended.acquire()
    assert served("RecordTransaction") - before == alone + 3
    assert served("StreamRecordings") == 0.0


async def test_a_call_long_after_the_last_one_goes_alone() -> None:
    ledger = Ledger()
    async with serving(ledger, line_seconds=0.0) as ask:
        for name in ("first", "second"):
            await ask(name)
            await asyncio.sleep(0.01)
    assert (ledger.lines, ledger.alone) == ([], ["first", "second"])


async def test_each_caller_has_a_line_of_his_own() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        asked = [(user, name, ask(name, user)) for name in "abc" for user in (ADA, BOB)]
        for user, _, answer in asked:
            assert (await answer)[0].transaction.input.note.startswith(str(user))
    assert sorted(map(str, ledger.lines)) == sorted(map(str, [ADA, BOB]))
    assert (ledger.bundles, ledger.alone) == ([3, 3], [])


async def test_a_service_that_acts_for_two_owners_does_not_mix_them() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        for _ in range(2):
            asked = [(user, ask(name, user, service="svc:risk")) for name in "abc" for user in (ADA, BOB)]
            for user, answer in asked:
                assert (await answer)[0].transaction.input.note.startswith(str(user))
    assert ledger.lines == []


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
    held = Held()
    async with serving(Ledger({"slow": held})) as ask:
        slow, quick = ask("slow"), ask("quick")
        await quick
        await ask("later")
        assert not slow.done()
        held.release.set()
        await slow


async def test_who_goes_away_is_called_off_and_takes_nobody_along() -> None:
    held = Held()
    with capture_logs() as logged:
        async with serving(Ledger({"a": held, "b": held})) as ask, asyncio.timeout(20.0):
            first, second = ask("a"), ask("b")
            await held.begun.acquire()
            await held.begun.acquire()
            first.cancel()
            await held.cancelled.acquire()
            held.release.set()
            await second
            await ask("c")
    assert held.cancelled.locked()
    assert [each for each in logged if each["log_level"] == "error"] == []


async def test_who_has_no_time_left_is_told_and_called_off_alone() -> None:
    held = Held()
    async with serving(Ledger({"a": held, "b": held})) as ask, asyncio.timeout(20.0):
        hasty, patient = ask("a", seconds=0.2), ask("b")
        with pytest.raises(Unavailable):
            await hasty
        await held.cancelled.acquire()
        held.release.set()
        await patient


async def test_calls_of_which_the_peer_says_nothing_open_the_breaker() -> None:
    async with serving(Ledger({"a": Held()})) as ask:
        await asyncio.gather(*(ask("a", seconds=0.2) for _ in range(5)), return_exceptions=True)
        with pytest.raises(Unavailable, match="failed 5 times in a row"):
            await ask("b")


async def test_a_line_without_the_scope_is_refused_to_all_on_it() -> None:
    ledger = Ledger()
    async with serving(ledger) as ask:
        told = await asyncio.gather(*(ask(name, scope="jobs:read") for name in "ab"), return_exceptions=True)
    assert all(isinstance(each, PermissionDenied) for each in told), told
    assert (ledger.lines, ledger.alone) == ([], [])


async def test_a_peer_that_ends_is_unavailable_to_all_who_wait() -> None:
    held = Held()
    async with serving(Ledger({"a": held, "b": held})) as ask:
        asked = [ask("a"), ask("b")]
        await held.begun.acquire()
        await held.begun.acquire()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in told), told


async def test_a_caller_that_ends_leaves_nothing_under_way() -> None:
    held = Held()
    ledger = Ledger({"a": held, "b": held})
    async with serving(ledger) as ask, asyncio.timeout(20.0):
        asked = [ask("a"), ask("b")]
        await held.begun.acquire()
        await held.begun.acquire()
        assert ledger.peer is not None
        await ledger.peer.close()
        await held.cancelled.acquire()
        await held.cancelled.acquire()
        await ledger.ended.acquire()
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in told), told


async def test_a_line_ends_with_its_last_outcome_and_the_next_call_has_another() -> None:
    held = Held()
    ledger = Ledger({"a": held})
    async with serving(ledger, line_seconds=0.0) as ask, asyncio.timeout(20.0):
        alone, last = ask("alone"), ask("a")  # in one turn, before the line is closed
        await alone
        await held.begun.acquire()
        assert ledger.ended.locked()
        held.release.set()
        await last
        await ledger.ended.acquire()
        await asyncio.gather(ask("b"), ask("c"))
    assert (len(ledger.lines), ledger.alone) == (2, ["alone", "b"])


async def test_a_replica_that_ends_lets_lines_end_with_their_calls() -> None:
    held = Held()
    ledger = Ledger({"a": held})
    async with serving(ledger, line_seconds=0.5) as ask, asyncio.timeout(20.0):
        # If the line of before has ended by now, the first of them goes alone.
        first, last = ask("first"), ask("a")
        await first
        await held.begun.acquire()
        assert ledger.server is not None
        ending = asyncio.create_task(ledger.server.stop(60.0))
        await asyncio.sleep(0.1)
        assert not last.done()
        held.release.set()
        await last
        await ending
    assert ledger.lines == [ADA]


class BrokenAsItSends:
    """A stream whose connection breaks while a message is sent, as grpc.aio tells it."""

    def __call__(self, *_: object, **__: object) -> "BrokenAsItSends":
        return self

    def __aiter__(self) -> "BrokenAsItSends":
        return self

    async def __anext__(self) -> object:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, details="Internal error from Core")

    def done(self) -> bool:
        return True


async def test_a_connection_that_breaks_as_a_call_is_sent_is_no_fault_of_the_peer() -> None:
    peer = Peer("ledger", open_channel("127.0.0.1:9", []))
    ada = Caller(str(ADA), frozenset(), frozenset(), "", "", "token", 0.0, ADA)
    line = Line(peer, cast("Any", BrokenAsItSends()), StreamRecordingsRequest, ada, 30.0)
    with pytest.raises(Unavailable), peer.counted(None):
        await line.outcome(BundledCall(), 30.0)
    await peer.close()


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
    assert (ledger.bundles, ledger.alone) == ([64, 64, 1], [])


async def test_a_peer_of_the_release_before_is_asked_one_by_one() -> None:
    ledger = Ledger()
    async with serving(ledger, knows_lines=False) as ask:
        answers = await asyncio.gather(ask("a"), ask("b"))
    assert [answer.transaction.id for answer, _ in answers] == ["a", "b"]
    assert sorted(ledger.alone) == ["a", "b"]
