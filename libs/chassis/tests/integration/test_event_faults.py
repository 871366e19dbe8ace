"""Relays, brokers and databases that die or forget: nothing is lost or doubled."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY

from quantmesh.chassis.database import Database
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.leadership import leading
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.chassis.relay import Relay, _Turn
from quantmesh.chassis.sql import text
from quantmesh.local.testing import RunningServer

from .conftest import MIGRATIONS
from .events import PATIENCE_SECONDS, Effects, Start, empty_stream, patient, post, unpublished, until


async def test_an_event_survives_a_relay_that_dies_between_commit_and_publish(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    first = start(Relay(database, bus).run())
    await asyncio.sleep(0.2)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    await post(database, "a", "ONE", "TWO")
    start(effects.consumer().run(database, bus))
    start(Relay(database, bus).run())
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["ONE", "TWO"]


async def test_rows_published_but_not_marked_are_published_again_and_take_effect_once(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE", "TWO")
    await until(lambda: effects.is_count(2))
    async with database.system_transaction() as session:
        await session.execute(text("UPDATE outbox SET published_at = NULL, stream_sequence = NULL"))
    await post(database, "a", "THREE")
    await until(lambda: effects.is_count(3))
    assert effects.seen == ["ONE", "TWO", "THREE"]


async def test_a_broker_restored_to_an_older_state_gets_its_lost_tail_again(
    database: Database, bus: EventBus, start: Start
) -> None:
    relay = start(Relay(database, bus).run())
    await post(database, "a", *(f"C{number}" for number in range(10)))
    await until(lambda: unpublished(database, 0))
    relay.cancel()
    # What a restored store looks like: the same stream, with fewer messages in it.
    await empty_stream(bus)
    start(Relay(database, bus).run())
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(10))


async def test_a_brokers_folder_put_back_to_an_older_copy_loses_and_doubles_nothing(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer, tmp_path: Path
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE", "TWO")
    await until(lambda: effects.is_count(2))
    nats_server.stop()
    await asyncio.to_thread(shutil.copytree, tmp_path / "nats", tmp_path / "copy")
    nats_server.start_again()
    await post(database, "a", "THREE", "FOUR")
    await until(lambda: effects.is_count(4))
    nats_server.kill()
    await asyncio.to_thread(shutil.rmtree, tmp_path / "nats")
    (tmp_path / "copy").rename(tmp_path / "nats")
    nats_server.start_again()
    await post(database, "a", "FIVE")
    await until(lambda: effects.is_count(5))
    await until(lambda: unpublished(database, 0))
    assert effects.in_order() == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]
    assert (await patient(bus).stream_info("qm-ledger")).state.messages == 5


async def test_what_is_acknowledged_and_not_marked_yet_when_the_broker_forgets_it_is_published_again(
    database: Database, bus: EventBus
) -> None:
    await ensure_stream(patient(bus), "ledger")
    async with leading(database, "relay") as connection:
        turn = _Turn(connection, bus, database)
        await turn._publisher.open()
        await turn._sweep()
        await post(database, "a", "ONE", "TWO")
        await turn._publish_all()
        assert not await unpublished(database, 0)
        await empty_stream(bus)
        await turn._sweep()
        await turn._publish_all()
        await turn._mark()
        assert await unpublished(database, 0)
        await turn._publisher.close()
    assert (await patient(bus).stream_info("qm-ledger")).state.messages == 2


async def test_a_sequence_given_twice_shows_the_loss_of_what_had_it_before(
    database: Database, bus: EventBus, start: Start
) -> None:
    start(Relay(database, bus).run())
    await post(database, "a", "ONE", "TWO", "THREE")
    await until(lambda: unpublished(database, 0))
    await empty_stream(bus)
    await post(database, "b", "FOUR")
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(4))


async def test_nats_killed_and_started_again_loses_and_doubles_nothing(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    await until(lambda: effects.is_count(1))
    nats_server.kill()
    await post(database, "a", "TWO", "THREE")
    await asyncio.sleep(0.5)
    nats_server.start_again()
    await until(lambda: effects.is_count(3))
    assert effects.in_order() == ["ONE", "TWO", "THREE"]


async def test_what_waits_for_an_absent_broker_shows_in_the_metrics(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer
) -> None:
    nats_server.kill()
    start(Relay(database, bus).run())
    await post(database, "a", "ONE", "TWO")

    def waits() -> bool:
        rows = REGISTRY.get_sample_value("quantmesh_outbox_unpublished", {"schema": "ledger"})
        age = REGISTRY.get_sample_value("quantmesh_outbox_lag_seconds", {"schema": "ledger"})
        return rows == 2 and (age or 0.0) > 0.0

    await until(waits)
    nats_server.start_again()
    await until(lambda: unpublished(database, 0))


async def test_a_backlog_of_an_absent_broker_drains_in_order(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a-0", "FIRST")
    await until(lambda: effects.is_count(1))
    nats_server.kill()
    written = [[f"{number}-{each}" for each in range(20)] for number in range(24)]
    for number, names in enumerate(written):
        await post(database, f"a-{number % 4}", *names)
    nats_server.start_again()
    await until(lambda: effects.is_count(1 + 24 * 20))
    seen = effects.in_order()
    for account in range(4):
        of_account = [name for names in written[account::4] for name in names]
        assert [name for name in seen if name in of_account] == of_account


async def test_postgres_killed_and_started_again_loses_and_doubles_nothing(
    own_postgres: RunningServer, bus: EventBus, start: Start, open_database: Callable[..., Database]
) -> None:
    await provision(own_postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{own_postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}")
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    await until(lambda: effects.is_count(1))
    await post(database, "a", "TWO", "THREE")
    own_postgres.kill()
    await asyncio.sleep(0.5)
    own_postgres.start_again()
    await until(lambda: effects.is_count(3))


async def test_a_bus_made_before_the_broker_is_up_connects_when_it_comes(
    nats_server: RunningServer,
) -> None:
    nats_server.kill()
    bus = EventBus(nats_server.url, "ledger")
    got: list[tuple[str, bytes]] = []

    async def handle(subject: str, payload: bytes) -> None:
        got.append((subject, payload))

    await bus.subscribe("quotes.*", handle)
    await bus.connect(patience_seconds=0.3)
    assert not bus.is_connected
    assert not await bus.publish("quotes.AAPL", b"dropped")
    nats_server.start_again()
    assert await bus.wait_connected(PATIENCE_SECONDS)
    assert await bus.publish("quotes.AAPL", b"1.5")
    await until(lambda: bool(got))
    await bus.close()
    assert got == [("quotes.AAPL", b"1.5")]
