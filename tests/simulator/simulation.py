"""One seed: clients, replicas, relay, readers, broker and market for a while, then everything at rest and looked at."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from uuid import UUID

from google.protobuf.message import Message
from structlog.testing import capture_logs

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.risk_alerts import RiskAlerts
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.adapters.rpc.rebalance import RebalanceRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .alarms import Alarms
from .broker import Broker, bus_of
from .clients import Claim, Client, Replica
from .cluster import Cluster
from .commands import Account, Wishes
from .couriers import Readers, Relays
from .disasters import Disasters
from .followers import Follower, check_snapshots
from .groups import stepped_groups
from .history import History
from .identifiers import seeded_ids
from .invariants import (
    check_alarms,
    check_always,
    check_arrivals,
    check_book,
    check_claims,
    check_log_rebuilds_state,
    check_sizes,
)
from .ledgers import Snapshots, check_ledgers
from .margins import check_margins
from .market import SYMBOLS, SeededMarket
from .operators import Operator
from .owners import Owner
from .replica import SteppedDatabase
from .scheduler import Actor, Scheduler, State, Stuck
from .shape import shape_of
from .venues import Venue

_RESTARTED_EACH = 20
_LONGEST_RUN = 12_000
_COSTS = ExecutionCosts(Decimal(1), Decimal("0.01"), Decimal(1))
_SUBJECTS: dict[str, type[Message]] = {
    "portfolio.transaction.recorded": events_pb2.TransactionRecorded,
    "portfolio.order.accepted": events_pb2.OrderAccepted,
    "portfolio.order.triggered": events_pb2.OrderTriggered,
    "portfolio.order.replaced": events_pb2.OrderReplaced,
    "portfolio.order.partially_filled": events_pb2.OrderPartiallyFilled,
    "portfolio.order.filled": events_pb2.OrderFilled,
    "portfolio.order.cancelled": events_pb2.OrderCancelled,
    "portfolio.order.expired": events_pb2.OrderExpired,
    "portfolio.order.rejected": events_pb2.OrderRejected,
    "portfolio.alert.raised": events_pb2.AlertRaised,
}


@contextmanager
def replayable(seed: int) -> Iterator[None]:
    """Whatever is raised says how to have it again."""
    try:
        yield
    except Exception as error:
        error.add_note(f"seed {seed}; again, step by step: .venv/bin/python -m tests.simulator --seed {seed}")
        raise


def restarts_postgres(seed: int) -> bool:
    """Such a seed needs a server that nobody else uses."""
    return seed % _RESTARTED_EACH == 0


async def simulate(cluster: Cluster, seed: int, watch: Callable[[str], None] | None = None) -> History:
    """Raises Violation, Stuck, or what production code let through."""
    scheduler = Scheduler(seed, cluster.portfolio_watcher)
    scheduler.history.watch = watch
    await cluster.begin(scheduler)
    run = _Run(cluster, scheduler)
    try:
        # The logs tell of what goes wrong on purpose.
        ids = seeded_ids(scheduler.draws("ids"), scheduler.clock)
        with capture_logs(), ids, stepped_groups(scheduler, run.replicas):
            await run.populate()
            await scheduler.run(run.disturb)
            await run.check_at_rest()
            await run.tell_log()
    finally:
        await scheduler.stop()
        await cluster.begin(None)
    return scheduler.history


class _Run:
    def __init__(self, cluster: Cluster, scheduler: Scheduler) -> None:
        self._cluster = cluster
        self._scheduler = scheduler
        self._market = SeededMarket(scheduler.draws("market"), scheduler.clock)
        self._broker = Broker(lambda name: scheduler.draws(f"broker, {name}"))
        self.replicas = [
            Replica(name, partial(self._servicers, stepped))
            for name, stepped in zip(("A", "B"), cluster.portfolios, strict=True)
        ]
        self._restart_due = scheduler.draws("restart").randrange(50, 400) if restarts_postgres(scheduler.seed) else None
        self._shape = shape_of(scheduler.seed)
        self._disasters = Disasters(
            scheduler, cluster, self.replicas, self._broker, self._market, self._shape.move_seconds
        )
        self._venues: list[Venue] = []
        self._followers: list[Follower] = []
        self._steps = 0
        self._is_over = False
        self.claims: dict[str, Claim] = {}

    async def populate(self) -> None:
        """Some owners with portfolios and some money in each; then everybody who takes part."""
        scheduler, shape = self._scheduler, self._shape
        accounts = [
            await self._open(UUID(int=owner + 1), f"account {number}", shape.cash, shape.units_of(number))
            for number, owner in enumerate(shape.owners)
        ]
        for number in range(shape.clients):
            client = self._client(f"client {number}", accounts[number % len(accounts)], accounts)
            scheduler.add(client.name, client.live)
        for number, account in enumerate(accounts):
            client = self._client(f"client who changes account {number}", account)
            scheduler.add(client.name, Owner(client).change)
        emptied = await self._open(accounts[0].owner_id, "account to close", "", 0)
        paying, closing = (self._client(f"client who {does}", emptied) for does in ("pays", "closes"))
        scheduler.add(paying.name, Owner(paying).pay)
        scheduler.add(closing.name, Owner(closing).close)
        watcher = self._cluster.portfolio_watcher
        operator = Operator(scheduler, self.replicas, scheduler.draws("halts"), watcher, self._clients_have_left)
        scheduler.add("operator", operator.live)
        bus = bus_of(self._broker)
        self._relays = relays = Relays(scheduler, self._cluster.portfolios[0].database, bus, self._commits)
        scheduler.add("relay", lambda: relays.run(self._over))
        readers = Readers(scheduler, self._cluster.reader.database, bus, self._broker)
        for subject, message in _SUBJECTS.items():
            scheduler.add(f"reader of {subject}", partial(readers.run, subject, message, self._over))
        # Two leaders may overlap for a moment.
        for name, stepped in zip(("venue", "second venue"), self._cluster.portfolios, strict=True):
            venue = Venue(scheduler, stepped.database, self._market, self._broker, _COSTS, self._over)
            self._venues.append(venue)
            scheduler.add(name, partial(venue.trade, self._clients_have_left))
            scheduler.add(f"{name} hears", venue.hear)
            scheduler.add(f"{name} reads", venue.read)
        snapshots = Snapshots(scheduler, self._cluster.portfolios[1].database, self._commits)
        scheduler.add("snapshots", partial(snapshots.make, self._clients_have_left))
        self._alarms = Alarms(scheduler, bus, accounts, scheduler.draws("breaches"))
        scheduler.add("risk", lambda: self._alarms.run(self._over))
        alerts = Readers(scheduler, self._cluster.portfolios[1].database, bus, self._broker)
        (breaches, _) = RiskAlerts(scheduler.clock).consumers()
        scheduler.add("reader of breaches", partial(alerts.consume, breaches, self._over))
        subject = "portfolio.transaction.recorded"
        scheduler.add(f"second reader of {subject}", partial(readers.run, subject, _SUBJECTS[subject], self._over))

    async def disturb(self) -> str:
        """Now and then something happens to the world, between two steps; what it was."""
        self._steps += 1
        if self._steps > _LONGEST_RUN:
            raise Stuck(f"{self._steps} steps, and no end")
        if self._clients_have_left() and all(venue.rests for venue in self._venues):
            await self._end()
            return ""
        if self._steps == self._restart_due:
            await self._cluster.restart()
            self._scheduler.locks_released()
            return "Postgres restarts"
        return await self._disasters.strike(self._waiting(), self._look)

    async def check_at_rest(self) -> None:
        await self._check()
        watcher = self._cluster.portfolio_watcher
        await check_claims(watcher, self.claims)
        await check_log_rebuilds_state(watcher)
        owing = await check_margins(watcher)
        self._scheduler.history.add(f"something was owed after {owing} transactions")
        await check_arrivals(watcher, self._cluster.reader_watcher)
        await check_sizes(watcher, self._market.history)
        await check_alarms(watcher, self._alarms.told)
        for venue in self._venues:
            await check_book(watcher, venue.versions)
        for follower in self._followers:
            await check_snapshots(watcher, follower.snapshots)
        await check_ledgers(self._cluster.portfolios[0].database)

    async def tell_log(self) -> None:
        """The accounts' logs go into the history."""
        rows = await self._cluster.portfolio_watcher.rows(
            "SELECT p.name, e.seq, e.type, e.recorded_at FROM account_event e JOIN portfolio p ON p.id = e.portfolio_id"
            " ORDER BY p.name, e.seq"
        )
        for name, seq, kind, recorded_at in rows:
            self._scheduler.history.add(f"{name} {seq} {kind} {recorded_at.isoformat()}")

    def _servicers(self, stepped: SteppedDatabase) -> list[object]:
        database, market, clock = stepped.database, self._market, self._scheduler.clock
        return [
            PortfolioRpc(database, market, clock, _COSTS),
            RebalanceRpc(database, market, clock, _COSTS),
            HaltRpc(database, market, clock),
        ]

    def _commits(self) -> int:
        return sum(stepped.commits for stepped in self._cluster.portfolios)

    def _clients_have_left(self) -> bool:
        return not any(actor.name.startswith("client") for actor in self._scheduler.actors)

    def _over(self) -> bool:
        return self._is_over

    def _waiting(self) -> list[Actor]:
        return [actor for actor in self._scheduler.actors if actor.state is State.WAITING]

    def _client(self, name: str, account: Account, accounts: Sequence[Account] = ()) -> Client:
        draw, shape = self._scheduler.draws(f"wishes of {name}"), self._shape
        wishes = Wishes(draw, account, self._scheduler.clock.now, self._market.latest, shape.weights)
        owned = [each for each in accounts if each.owner_id == account.owner_id]
        follower = Follower(account)
        self._followers.append(follower)
        return Client(
            name, account, draw, wishes, self._scheduler, self.replicas, self.claims, shape.commands, owned, follower
        )

    async def _open(self, owner_id: UUID, name: str, cash: str, units: int) -> Account:
        margin_enabled = self._shape.margin_enabled
        request = pb.CreatePortfolioRequest(name=name, base_currency="USD", margin_enabled=margin_enabled)
        answer = await self.replicas[0].handle(owner_id, "", "CreatePortfolio", request)
        if not isinstance(answer, pb.CreatePortfolioResponse):
            raise TypeError(answer)
        account = Account(owner_id, answer.portfolio.id, margin_enabled)
        wishes = Wishes(self._scheduler.draws(name), account, self._scheduler.clock.now, self._market.latest)
        begun = [wishes.deposit(f"begin {name}", cash)] if cash else []
        if units:
            begun += [wishes.trade(f"begin {name} {symbol}", symbol, units) for symbol in SYMBOLS]
        for command in begun:
            claim = self.claims[command.key] = Claim(command)
            recorded = await self.replicas[0].handle(owner_id, command.key, command.method, command.request)
            claim.told(recorded.SerializeToString(deterministic=True))
        return account

    async def _end(self) -> None:
        """Nothing goes wrong any more; over once nothing is on its way."""
        if self._is_over:
            return
        self._broker.is_faulty = False
        ((unpublished,),) = await self._cluster.portfolio_watcher.rows(
            "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        )
        self._is_over = (
            not unpublished
            and self._alarms.are_through
            and all(venue.is_level for venue in self._venues)
            and self._relays.swept_epoch == self._broker.restarts
            and not any(durable.has_more() for durable in self._broker.durables.values())
        )

    async def _look(self) -> str:
        await self._check()
        return ""

    async def _check(self) -> None:
        await check_always(self._cluster.portfolio_watcher)
