"""What edges hear ahead of the events: what was committed, as the log has it, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis import failpoints
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.portfolio.adapters.early_copies import SUBJECT, EarlyCopies
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.venue.model import Action, Proposal

from .fakes import COSTS, Service, User, quote

FILLED = ["order.accepted", "order.filled", "transaction.recorded"]
COSTS_OF_VENUE = ExecutionCosts(**COSTS)


class Edge:
    """Hears everything at once, and keeps what the log says in it."""

    def __init__(self) -> None:
        self.copies = EarlyCopies(self.hear)
        self.heard: list[tuple[str, int, str]] = []

    async def hear(self, subject: str, payload: bytes) -> None:
        assert subject == SUBJECT
        page = pb.ListEventsResponse.FromString(payload)
        self.heard += [(event.type, event.seq, event.data_json) for event in page.events]


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
async def trader(service: Service, edge: Edge) -> User:
    rpc = PortfolioRpc(service.database, service.market, service.clock, COSTS_OF_VENUE, early_copies=edge.copies)
    return User(rpc)


async def funded(trader: User) -> str:
    portfolio = await trader.create()
    await trader.deposit(portfolio.id, "10000.00")
    return portfolio.id


async def log_behind_the_deposit(trader: User, portfolio_id: str) -> list[tuple[str, int, str]]:
    events = (await trader.events(portfolio_id, after=1)).events
    return [(each.type, each.seq, each.data_json) for each in events]


async def test_an_order_that_fills_at_once_is_told_as_the_log_has_it(trader: User, edge: Edge) -> None:
    portfolio_id = await funded(trader)
    await trader.order(portfolio_id, "1", key="once")
    assert [kind for kind, _, _ in edge.heard] == FILLED
    assert edge.heard == await log_behind_the_deposit(trader, portfolio_id)
    await trader.order(portfolio_id, "1", key="once")
    assert len(edge.heard) == len(FILLED), "a repetition has no effect to tell of"


async def test_what_was_not_committed_is_not_told(trader: User, edge: Edge) -> None:
    portfolio_id = await funded(trader)
    with pytest.raises(InsufficientCash):
        await trader.order(portfolio_id, "1000")

    async def die(point: Failpoint) -> None:
        if point is Failpoint.BEFORE_COMMIT:
            raise Unavailable("Died.")

    with failpoints.watched(die), pytest.raises(Unavailable):
        await trader.order(portfolio_id, "1")
    assert edge.heard == []


async def test_a_resting_order_that_the_venue_fills_is_told_too(service: Service, trader: User, edge: Edge) -> None:
    portfolio_id = await funded(trader)
    order = await trader.order(portfolio_id, "1", limit="120", tif="gtc")
    desk = OrderDesk(service.database, service.market, service.clock, COSTS_OF_VENUE, edge.copies)
    (resting,) = await desk.open_orders([UUID(order.id)])
    time = service.market.time + timedelta(seconds=1)
    now = replace(quote("AAPL", "110"), time=time, received_at=service.clock.time)
    assert await desk.decide(Proposal(Action.FILL, resting, Decimal(1)), time, now) is None
    assert [kind for kind, _, _ in edge.heard] == FILLED
    assert edge.heard == await log_behind_the_deposit(trader, portfolio_id)
