"""Snapshots change how fast the ledger is read, and nothing else."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.translate import LOT_METHODS
from quantmesh.portfolio.adapters.verifier import Verifier
from quantmesh.portfolio.core.fold_ledger import fold_ledger, fold_open_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View

from .fakes import Service, User
from .ledger_views import Counting, WithoutSnapshots, folded, grow, reads_the_same
from .random_entries import random_trade, record_or_take_back

FIRST_DAY = datetime(2020, 1, 2, 15, tzinfo=UTC)


async def record_at_random(
    service: Service, user: User, portfolio_id: str, recorded: list[str], chance: random.Random
) -> None:
    """In any order of execution, so that many come late; what the books refuse is left out."""
    service.clock.time += timedelta(minutes=1)
    at = FIRST_DAY + timedelta(days=chance.randrange(1, 60))
    trade = random_trade(chance, ["AAPL", "MSFT", "IBM"])
    kind = chance.choice(["buy", "buy", "buy", "sell", "sell", "split", "deposit", "reversal"])
    fields = {"buy": trade, "sell": trade, "split": {"symbol": "IBM", "split_ratio": "2"}}
    await record_or_take_back(
        user, portfolio_id, recorded, chance, kind, at, fields.get(kind, {"amount": trade["price"]})
    )


@pytest.mark.parametrize(("lots", "method"), LOT_METHODS.items())
async def test_every_view_reads_the_same_with_snapshots_and_without(
    service: Service, lots: int, method: LotMethod
) -> None:
    chance = random.Random(lots)  # noqa: S311  a ledger that can be replayed, no secret
    user = service.user()
    portfolio = await user.create(lots=lots)
    await user.deposit(portfolio.id)
    # So many lots that most of them lie apart.
    days = [FIRST_DAY + timedelta(days=number) for number in range(2, 50)]
    rows = [f"buy,AAPL,{1 + day.day % 3},{80 + day.day},{day.isoformat()}" for day in days]
    await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(rows))
    known: list[datetime] = []
    recorded: list[str] = []
    for number in range(70):
        await record_at_random(service, user, portfolio.id, recorded, chance)
        known.append(service.clock.now())
        if number % 9 == 8:
            await SnapshotMaker(service.database, due_events=1, step=chance.choice([3, 10, 1000])).make_due()
    seq = (await user.events(portfolio.id)).last_seq
    views = [View(seq=seq)]
    for _ in range(60):
        as_of = FIRST_DAY + timedelta(days=chance.randrange(60)) if chance.random() < 0.7 else None
        views.append(View(as_of, chance.choice([None, *known]), chance.choice([seq, chance.randrange(1, seq + 1)])))
    used = 0
    for view in views:
        used += (await reads_the_same(service, user, portfolio.id, method, view)).snapshot is not None
    # The comparison is of something.
    assert used > 10


async def test_a_read_folds_what_is_new_and_what_came_late_alone(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await grow(user, portfolio.id, 20)
    maker = SnapshotMaker(service.database, due_events=1, step=1000)
    await maker.make_due()

    async def movements_read() -> int:
        seq = (await user.events(portfolio.id)).last_seq
        async with service.database.transaction(user.owner_id) as session:
            store = Counting(session, user.owner_id)
            await fold_ledger(store, UUID(portfolio.id), LotMethod.FIFO, View(seq=seq))
            return store.read

    assert await movements_read() == 0
    await user.buy(portfolio.id, "1", "11", "2020-03-01")
    assert await movements_read() == 1
    # Late: the whole of that instrument is folded again, and nothing of the other.
    await user.buy(portfolio.id, "1", "12", "2020-02-03")
    assert await movements_read() == 2 + 22
    await maker.make_due()
    assert await movements_read() == 0


async def test_lots_are_read_from_a_snapshot_and_what_is_new_alone(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await grow(user, portfolio.id, 20)
    await SnapshotMaker(service.database, due_events=1, step=1000).make_due()
    await user.buy(portfolio.id, "1", "11", "2020-03-01")
    seq = (await user.events(portfolio.id)).last_seq
    async with service.database.transaction(user.owner_id) as session:
        store = Counting(session, user.owner_id)
        _, lots = await fold_open_lots(store, UUID(portfolio.id), LotMethod.FIFO, View(seq=seq))
    assert {symbol: len(folded.lots) for symbol, folded in lots.items()} == {"AAPL": 21, "MSFT": 20}
    assert store.read == 1


async def test_what_comes_late_while_snapshots_are_made_is_in_the_next_ones(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await grow(user, portfolio.id, 20)

    class Interrupted(SnapshotMaker):
        passes = 0

        async def _take_step(self, portfolio_id: UUID) -> bool:
            done = await super()._take_step(portfolio_id)
            self.passes += 1
            if self.passes == 1:
                await user.buy(str(portfolio_id), "7", "8", "2020-01-20")
            return done

    # A pass of fifty at a time does not reach the end of these in one.
    rows = [f"sell,AAPL,1,10,2020-03-01T15:{number // 60:02}:{number % 60:02}Z" for number in range(15)]
    rows += [f"buy,MSFT,1,10,2020-03-02T15:00:{number:02}Z" for number in range(10)]
    await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(rows))
    maker = Interrupted(service.database, due_events=1, step=1)
    await maker.make_due()
    assert maker.passes > 2
    seq = (await user.events(portfolio.id)).last_seq
    for days in range(15, 70):
        view = View(FIRST_DAY + timedelta(days=days, seconds=5), None, seq)
        await reads_the_same(service, user, portfolio.id, LotMethod.FIFO, view)
    assert [broken async for broken in Verifier(service.database).verify()] == []


@pytest.mark.parametrize("step", [5, 20, 1000])
async def test_lots_that_lie_apart_stay_whole_as_more_come(service: Service, step: int) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id)
    maker = SnapshotMaker(service.database, due_events=1, step=step)
    for month in range(2, 8):
        bought = [f"buy,AAPL,1,{month + day},2020-{month:02}-{day:02}T15:00:00Z" for day in range(1, 13)]
        await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(bought))
        await maker.make_due()
    # Beyond those at the end; and what came before all of them.
    minutes = [f"sell,AAPL,1,11,2020-08-01T15:{minute:02}:00Z" for minute in range(40)]
    await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(minutes))
    await maker.make_due()
    await user.buy(portfolio.id, "3", "12", "2020-02-01")
    await maker.make_due()
    await user.record(portfolio.id, type="sell", symbol="AAPL", quantity="20", price="11", at="2020-08-02")
    seq = (await user.events(portfolio.id)).last_seq
    for days in range(28, 220, 3):
        view = View(FIRST_DAY + timedelta(days=days), None, seq)
        await reads_the_same(service, user, portfolio.id, LotMethod.FIFO, view)
    assert [broken async for broken in Verifier(service.database).verify()] == []


async def test_a_snapshot_is_made_once_there_is_enough_to_fold_and_not_again(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await grow(user, portfolio.id, 10)
    maker = SnapshotMaker(service.database, due_events=21, step=1000)

    async def numbers() -> list[int]:
        async with await psycopg.AsyncConnection.connect(service.admin_url) as admin:
            found = await admin.execute("SELECT number FROM portfolio.ledger_snapshot ORDER BY number")
            return [number for (number,) in await found.fetchall()]

    await maker.make_due()
    await maker.make_due()
    assert await numbers() == [1]
    await user.deposit(portfolio.id)
    await maker.make_due()
    assert await numbers() == [1]
    await SnapshotMaker(service.database, due_events=1, step=5).make_due()
    assert await numbers() == [1, 2]


async def test_a_view_of_the_past_folds_no_more_than_lies_between_two_snapshots(service: Service) -> None:
    """Whether it is of what was true, or of what was known, then; and when most was recorded after it."""
    user = service.user()
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id, at="2020-01-02")
    known: list[datetime] = []
    for month in (2, 3, 4):
        rows = [
            f"{'sell' if day % 3 == 0 else 'buy'},{symbol},1,{10 + day},2020-{month:02}-{day:02}T15:00:00Z"
            for day in range(1, 29)
            for symbol in ("AAPL", "MSFT")
        ]
        service.clock.time += timedelta(minutes=1)
        known.append(service.clock.now())
        await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(rows))
        if month > 2:
            await SnapshotMaker(service.database, due_events=1, step=6).make_due()
    seq = (await user.events(portfolio.id)).last_seq
    views = [View(FIRST_DAY + timedelta(days=days, minutes=1), None, seq) for days in range(30, 117)]
    views += [View(None, moment, seq) for moment in known] + [View(views[20].as_of, known[1], seq)]
    for view in views:
        async with service.database.transaction(user.owner_id) as session:
            store = Counting(session, user.owner_id)
            quick = await fold_ledger(store, UUID(portfolio.id), LotMethod.FIFO, view)
        slow = await folded(service, user, portfolio.id, LotMethod.FIFO, view, WithoutSnapshots)
        assert (quick.positions, quick.cash) == (slow.positions, slow.cash), view
        assert store.read < 6 + 2, view
