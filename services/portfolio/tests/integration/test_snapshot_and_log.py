"""One log per account: a snapshot and the events after it are the state, whatever is written meanwhile."""

import asyncio
import json
from collections import defaultdict
from decimal import Decimal
from uuid import uuid4

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.sql import Parameters, Result, Session, Statement

from .fakes import NO_CONTEXT, Service, User

WRITERS, WRITES = 4, 12


class Mirror:
    """A client's copy of an account: a snapshot, brought on by events."""

    def __init__(self, snapshot: pb.GetSnapshotResponse) -> None:
        self.seq = snapshot.seq
        self.cash = Decimal(next((item.amount.value for item in snapshot.cash), "0"))
        self.units = defaultdict(Decimal, {item.symbol: Decimal(item.quantity.value) for item in snapshot.positions})

    def apply(self, event: pb.AccountEvent) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        if event.type != "transaction.recorded":
            return
        data = json.loads(event.data_json)
        self.cash += Decimal(data["cash_effect"]["amount"])
        if data["type"] in {"buy", "sell"}:
            self.units[data["symbol"]] += Decimal(data["quantity"]) * (1 if data["type"] == "buy" else -1)

    @property
    def state(self) -> tuple[int, Decimal, dict[str, Decimal]]:
        return self.seq, self.cash, {symbol: amount for symbol, amount in self.units.items() if amount}


async def snapshot(service: Service, user: User, portfolio_id: str) -> pb.GetSnapshotResponse:
    user.call()
    return await service.rpc.GetSnapshot(pb.GetSnapshotRequest(portfolio_id=portfolio_id), NO_CONTEXT)


async def test_snapshots_and_the_events_after_them_end_in_the_same_state_while_writers_write(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000000")
    writing = True

    async def write(writer: int) -> None:
        for number in range(WRITES):
            if (writer + number) % 3:
                await user.buy(portfolio.id, "1", "70")
            else:
                await user.order(portfolio.id, "2")

    async def mirror(pause: float) -> Mirror:
        """From a snapshot at some moment on, behind the log until the writers are done."""
        await asyncio.sleep(pause)
        copy = Mirror(await snapshot(service, user, portfolio.id))
        while True:
            done = not writing
            page = await user.events(portfolio.id, after=copy.seq, limit=7)
            for event in page.events:
                copy.apply(event)
            if done and copy.seq == page.last_seq:
                return copy

    async def all_writers() -> None:
        nonlocal writing
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        writing = False

    mirrors = asyncio.gather(*(mirror(0.07 * number) for number in range(8)))
    await all_writers()
    wanted = Mirror(await snapshot(service, user, portfolio.id)).state
    assert [copy.state for copy in await mirrors] == [wanted] * 8
    assert wanted[2] == {"AAPL": Decimal(WRITERS * WRITES + WRITERS * WRITES // 3)}


async def test_each_snapshot_is_of_one_moment(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000")

    interruptions: list[str] = []

    class Interrupted(Session):
        """After its first statement somebody buys one unit at 100: cash and units tell which moment it was."""

        async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
            result = await super().execute(statement, parameters)
            if interruptions:
                interruptions.pop()
                await user.buy(portfolio.id, "1", "100")
            return result

    service.database.session_type = Interrupted
    for _ in range(4):
        interruptions.append("a purchase")
        mirror = Mirror(await snapshot(service, user, portfolio.id))
        assert not interruptions
        assert mirror.cash == 1000 - 100 * mirror.units["AAPL"]
        assert mirror.seq == 1 + mirror.units["AAPL"]


async def test_a_snapshot_shows_the_open_orders_and_what_they_keep(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000")
    await user.buy(portfolio.id, "4", "100")
    buying = await user.order(portfolio.id, "2", limit="50", tif="gtc")
    selling = await user.order(portfolio.id, "3", side="sell", limit="9999", tif="gtc")
    cancelled = await user.order(portfolio.id, "1", limit="40", tif="gtc")
    user.call()
    await service.rpc.CancelOrder(pb.CancelOrderRequest(id=cancelled.id), NO_CONTEXT)
    shown = await snapshot(service, user, portfolio.id)
    assert [order.id for order in shown.open_orders] == [buying.id, selling.id]
    reserved = {item.commodity: Decimal(item.amount.value) for item in shown.reserved}
    assert reserved["AAPL"] == 3
    assert reserved["USD"] == Decimal(buying.reserved.amount.value) >= 100
    # Kept for them, and still there.
    assert Decimal(shown.cash[0].amount.value) == 600
    assert shown.seq == (await user.events(portfolio.id)).last_seq


async def test_a_foreign_snapshot_is_not_found(service: Service) -> None:
    portfolio = await service.user().create()
    for unknown in (portfolio.id, str(uuid4()), "nonsense"):
        with pytest.raises(NotFound):
            await snapshot(service, service.user(), unknown)
