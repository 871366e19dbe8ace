"""What seeds share: real servers, on which each begins with empty tables."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer, ServiceDatabase
from quantmesh.local.testing.databases import cloned_database

from .replica import SteppedDatabase, Watcher
from .scheduler import Scheduler

_READER = Path(__file__).with_name("reader")
_POOL = 24
_CRASH_SECONDS = 10.0
Restart = Callable[[], None]


class Cluster:
    """Two databases, their pools, and a look at them from outside; `restart` ends Postgres and starts it again."""

    def __init__(self, portfolio: ServiceDatabase, reader: ServiceDatabase, restart: Restart | None = None) -> None:
        self.portfolio_watcher = Watcher(portfolio)
        self.reader_watcher = Watcher(reader)
        self.portfolios = [SteppedDatabase(portfolio, _POOL, self.portfolio_watcher.ended) for _ in range(2)]
        self.reader = SteppedDatabase(reader, _POOL, self.reader_watcher.ended)
        self._restart = restart

    async def prepare(self) -> None:
        """Before anybody else connects."""
        for watcher in (self.portfolio_watcher, self.reader_watcher):
            await watcher.prepare()

    async def begin(self, scheduler: Scheduler | None) -> None:
        """For a run of `scheduler`, on empty tables."""
        for stepped in (*self.portfolios, self.reader):
            stepped.scheduler = scheduler
            # What connections remember of the run before, such as plans, would change the steps of this one.
            await stepped.database.close()
        if scheduler is not None:
            for watcher in (self.portfolio_watcher, self.reader_watcher):
                watcher.ended.clear()
                await watcher.empty()

    async def restart(self) -> None:
        """As by a crash: nothing is flushed, everybody is cut off."""
        if self._restart is None:
            msg = "this server is shared; restarts need one of their own"
            raise RuntimeError(msg)
        await self._stop_watching()
        self._restart()

    async def close(self) -> None:
        for stepped in (*self.portfolios, self.reader):
            await stepped.database.close()
        await self._stop_watching()

    async def _stop_watching(self) -> None:
        for watcher in (self.portfolio_watcher, self.reader_watcher):
            await watcher.close()


def crash(server: PostgresServer) -> None:
    """As `pg_ctl stop -m immediate`: nothing is flushed, nobody is told, and the next start recovers."""
    postmaster = psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
    postmaster.send_signal(signal.SIGQUIT)
    postmaster.wait(_CRASH_SECONDS)


def crash_and_start_again(server: PostgresServer, started: RunningServer) -> None:
    crash(server)
    started.kill()
    started.start_again()


@asynccontextmanager
async def open_cluster(server: PostgresServer, restart: Restart | None = None) -> AsyncIterator[Cluster]:
    with cloned_database(server, "portfolio") as portfolio, cloned_database(server, "reader", _READER) as reader:
        cluster = Cluster(portfolio, reader, restart)
        await cluster.prepare()
        yield cluster
        await cluster.close()
