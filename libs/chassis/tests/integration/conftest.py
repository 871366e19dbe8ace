"""An imagined service "ledger" whose schema holds every table the chassis brings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from quantmesh.chassis.database import Database
from quantmesh.chassis.events import EventBus
from quantmesh.local.testing import NewDatabase, RunningServer, ServiceDatabase

from .events import PATIENCE_SECONDS

MIGRATIONS = Path(__file__).parent / "ledger"


@pytest.fixture
def ledger(service_database: NewDatabase) -> ServiceDatabase:
    return service_database("ledger", MIGRATIONS)


@pytest.fixture
async def open_database() -> AsyncIterator[Callable[..., Database]]:
    """Opens what the test then need not close."""
    opened: list[Database] = []

    def open_one(url: str, **options: Any) -> Database:
        # Callers that wait for a connection for long are none of a test that does not say so.
        opened.append(Database(url, "ledger", **{"pool_timeout_seconds": PATIENCE_SECONDS, **options}))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()


@pytest.fixture
def database(ledger: ServiceDatabase, open_database: Callable[..., Database]) -> Database:
    return open_database(ledger.url)


@pytest.fixture
async def start() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]]:
    """Starts what runs beside the test, and cancels it at its end."""
    tasks: list[asyncio.Task[None]] = []

    def start_one(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(work))
        return tasks[-1]

    yield start_one
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def bus(nats_server: RunningServer) -> AsyncIterator[EventBus]:
    bus = EventBus(nats_server.url, "ledger")
    await bus.connect(patience_seconds=PATIENCE_SECONDS)
    yield bus
    await bus.close()
