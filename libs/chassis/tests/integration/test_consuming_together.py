"""Events that come faster than one by one are handled several to a transaction: with the same effects, in the order."""

import random

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.sql import Session, text

from .events import SUBJECT, Effects, Start, envelope_of, send, until


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
