"""Events that come faster than one by one are handled several to a transaction: with the same effects, in the order."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Consumer, Event, EventBus
from quantmesh.chassis.sql import Session, text

from .events import SUBJECT, Effects, Start, envelope_of, patient, send, until


class Transactions(Effects):
    """Also remembers which transaction each effect was in."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.transactions: list[int] = []

    async def handle(self, session: Session, envelope: EventEnvelope, message: Money) -> None:
        await super().handle(session, envelope, message)
        self.transactions.append(int(await session.scalar(text("SELECT txid_current()")) or 0))


async def versions(database: Database) -> list[int]:
    async with database.system_transaction() as session:
        return [int(version) for version in await session.scalars(text("SELECT amount FROM entry ORDER BY ctid"))]


async def test_a_backlog_is_handled_in_order_in_few_transactions(
    database: Database, bus: EventBus, start: Start
) -> None:
    await send(bus, *(envelope_of(version, f"C{version}") for version in range(1, 101)))
    effects = Transactions(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(100))
    assert await versions(database) == list(range(1, 101))
    assert len(set(effects.transactions)) < 20


async def test_duplicates_and_reordering_within_a_backlog_have_one_effect_each_in_order(
    database: Database, bus: EventBus, start: Start
) -> None:
    events = [envelope_of(version, f"C{version}") for version in range(1, 41)]
    backlog = [*events, *events[10:20]]
    random.Random(5).shuffle(backlog)  # noqa: S311  always the same shuffle
    await send(bus, *backlog)
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(40))
    assert await versions(database) == list(range(1, 41))


def backlog_of(accounts: int, versions: int) -> list[EventEnvelope]:
    """Of several accounts on their partitions, the versions of all of them in turns."""
    return [
        envelope_of(version, f"A{account}", aggregate=f"account-{account}")
        for version in range(1, versions + 1)
        for account in range(accounts)
    ]


class Batches(Effects):
    """Handles what comes together; `faults` are raised by the first calls, one each."""

    def __init__(self, database: Database, *faults: Exception) -> None:
        super().__init__(database)
        self.batches: list[list[tuple[str, int]]] = []
        self._faults = list(faults)

    async def handle_together(self, session: Session, events: Sequence[Event[Money]]) -> None:
        self.batches.append([(event.message.currency, event.envelope.aggregate_version) for event in events])
        for event in events:
            await self.handle(session, event.envelope, event.message)
        if self._faults:
            raise self._faults.pop()

    def together(self, **options: Any) -> Consumer[Money]:
        defaults: dict[str, Any] = {"handle_together": self.handle_together, "concurrency": 1, "gather_seconds": 0.05}
        return Consumer("post-entries", subject=f"qm.{SUBJECT}", message=Money, **{**defaults, **options})

    def handled(self) -> dict[str, list[int]]:
        """Versions by account, in the order in which they were handled."""
        found: dict[str, list[int]] = defaultdict(list)
        for batch in self.batches:
            for account, version in batch:
                found[account].append(version)
        return found

    async def has_each_once(self, events: Sequence[EventEnvelope]) -> bool:
        if await self.count() < len(events):
            return False
        async with self._database.system_transaction() as session:
            found = Counter(await session.scalars(text("SELECT amount FROM entry")))
        assert found == Counter(event.aggregate_version for event in events)
        return True


async def batches_of(
    database: Database, bus: EventBus, start: Start, *, accounts: int, versions: int, **options: Any
) -> list[list[tuple[str, int]]]:
    """In which a backlog was handled: each event once, those of an account in their order."""
    events = backlog_of(accounts, versions)
    await send(bus, *events, partition=None)
    batches = Batches(database)
    start(batches.together(**options).run(database, bus))
    await until(lambda: batches.has_each_once(events))
    assert batches.handled() == {f"A{account}": list(range(1, versions + 1)) for account in range(accounts)}
    return batches.batches


async def test_events_of_all_partitions_are_handled_together_each_account_in_its_order(
    database: Database, bus: EventBus, start: Start
) -> None:
    batches = await batches_of(database, bus, start, accounts=20, versions=10, together=64)
    assert len(batches) <= 5


async def test_accounts_keep_their_order_over_many_batches_side_by_side(
    database: Database, bus: EventBus, start: Start
) -> None:
    options = {"together": 7, "concurrency": 4, "prefetch": 32, "gather_seconds": 0.0}
    batches = await batches_of(database, bus, start, accounts=12, versions=20, **options)
    assert len(batches) > 12 * 20 / 7


async def test_what_comes_within_the_time_to_gather_shares_a_transaction(
    database: Database, bus: EventBus, start: Start
) -> None:
    batches = Batches(database)
    start(batches.together(gather_seconds=2.0).run(database, bus))
    await send(bus, envelope_of(1, "FIRST"))
    await until(lambda: batches.is_count(1))
    for version in range(2, 8):
        await send(bus, envelope_of(version, "LATER"))
        await asyncio.sleep(0.05)
    await until(lambda: batches.is_count(7))
    assert len(batches.batches) <= 3


async def test_one_that_fails_among_many_is_found_by_halves_and_takes_no_other_with_it(
    database: Database, bus: EventBus, start: Start
) -> None:
    batches = Batches(database)

    async def handle(session: Session, events: Sequence[Event[Money]]) -> None:
        await batches.handle_together(session, events)
        if any(event.message.currency == "BAD" for event in events):
            raise LookupError

    events = backlog_of(accounts=32, versions=1)
    await send(bus, *events[:20], envelope_of(1, "BAD", aggregate="bad"), *events[20:], partition=None)
    start(batches.together(handle_together=handle, max_deliver=1).run(database, bus))
    await until(lambda: batches.has_each_once(events))
    # One by one they would be 34.
    assert len(batches.batches) <= 13
    letter = await patient(bus).get_last_msg("qm-dead", "qm.dead.ledger.post-entries")
    assert letter.headers is not None
    assert letter.headers["Qm-Error"].startswith("LookupError")


async def test_a_gap_among_many_waits_for_its_predecessor_while_the_others_go_on(
    database: Database, bus: EventBus, start: Start
) -> None:
    batches = Batches(database)
    start(batches.together().run(database, bus))
    others = backlog_of(accounts=8, versions=2)
    early = [envelope_of(version, "GAP", aggregate="gap") for version in (1, 3, 4)]
    await send(bus, *others[:5], *early, *others[5:], partition=None)
    await until(lambda: batches.is_count(17))
    await asyncio.sleep(0.1)
    assert await batches.is_count(17)
    missing = envelope_of(2, "GAP", aggregate="gap")
    await send(bus, missing, partition=None)
    await until(lambda: batches.has_each_once([*others, *early, missing]))
    assert batches.handled()["GAP"] == [1, 2, 3, 4]


@pytest.mark.parametrize("is_the_database", [False, True])
async def test_what_is_away_during_a_batch_costs_no_event_a_chance_and_no_effect(
    database: Database, bus: EventBus, start: Start, *, is_the_database: bool
) -> None:
    away = Unavailable("A part is away.", retry_after_seconds=0.1)
    batches = Batches(database, *([] if is_the_database else [away, away, away]))
    is_gone = is_the_database

    async def handle(session: Session, events: Sequence[Event[Money]]) -> None:
        nonlocal is_gone
        await batches.handle_together(session, events)
        if is_gone and len(events) <= 4:
            is_gone = False
        if is_gone:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    events = backlog_of(accounts=8, versions=4)
    await send(bus, *events, partition=None)
    start(batches.together(handle_together=handle, max_deliver=1).run(database, bus))
    await until(lambda: batches.has_each_once(events))
    async with database.system_transaction() as session:
        assert await session.scalar(text("SELECT sum(failures) FROM inbox")) == 0


async def test_one_that_fails_does_not_take_the_effects_of_the_others_with_it(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
        if message.currency == "BAD":
            raise LookupError
        await effects.handle(session, envelope, message)

    await send(bus, envelope_of(1, "ONE"), envelope_of(1, "BAD", aggregate="b"), envelope_of(2, "TWO"))
    start(Consumer("picky", subject=f"qm.{SUBJECT}", message=Money, handle=handle, max_deliver=2).run(database, bus))
    await until(lambda: effects.is_count(2))
    assert await versions(database) == [1, 2]
