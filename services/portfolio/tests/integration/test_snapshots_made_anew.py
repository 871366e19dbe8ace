"""Snapshots that are made anew: the past reads the same meanwhile, and what nobody begins from goes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.verifier import Verifier
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View

from .fakes import Service, User
from .ledger_views import WithoutSnapshots, folded, grow, reads_the_same

FIRST_DAY = datetime(2020, 1, 2, 15, tzinfo=UTC)


async def test_a_bulk_that_comes_late_has_snapshots_made_anew_and_most_of_the_old_ones_go(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id, at="2020-01-02")
    maker = SnapshotMaker(service.database, due_events=1, step=5)
    for day in range(1, 25):
        await user.buy(portfolio.id, "1", "10", f"2020-03-{day:02}")
        await maker.make_due()
    before = (await user.events(portfolio.id)).last_seq
    rows = [f"buy,AAPL,1,9,2020-02-{day:02}T15:00:00Z" for day in range(1, 20)]
    await user.import_csv(portfolio.id, "type,symbol,quantity,price,executed_at\n" + "\n".join(rows))
    await maker.make_due()
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as admin:
        await admin.execute("UPDATE portfolio.ledger_snapshot SET dropped_at = dropped_at - interval '1 hour'")
        await user.buy(portfolio.id, "1", "10", "2020-03-30")
        await maker.make_due()
        found = await admin.execute("SELECT number, executed_until FROM portfolio.ledger_snapshot ORDER BY number")
        made = await found.fetchall()
    assert [number for number, _ in made if number <= 24] == [4, 8, 10, 12, 14, 16, *range(17, 25)]
    # In order of execution from the first, five transactions at a time, and then what was new.
    assert [until.date().isoformat() for number, until in made if number > 24] == [
        "2020-02-04", "2020-02-09", "2020-02-14", "2020-02-19", "2020-03-05", "2020-03-10", "2020-03-15", "2020-03-20",
        "2020-03-24", "2020-03-30",
    ]  # fmt: skip
    for seq in (before, before + 19, before + 20):
        for as_of in (None, FIRST_DAY + timedelta(days=40), FIRST_DAY + timedelta(days=70)):
            view = View(as_of, None, seq)
            quick = await reads_the_same(service, user, portfolio.id, LotMethod.FIFO, view)
            assert quick.snapshot is not None or not quick.positions


async def expect_msft_of_a_snapshot(service: Service, user: User, portfolio_id: str, view: View) -> None:
    """As it was kept, and not folded; with AAPL what a fold of everything comes to."""
    slow = await folded(service, user, portfolio_id, LotMethod.FIFO, view, WithoutSnapshots)
    assert [position.symbol for position in slow.positions] == ["AAPL", "MSFT"]
    quick = await folded(service, user, portfolio_id, LotMethod.FIFO, view)
    assert "MSFT" not in quick.folded
    assert quick.positions == slow.positions


async def test_the_past_reads_the_same_while_snapshots_are_made_anew(service: Service) -> None:
    """A first pass knows nothing yet of what is traded later than where it ends."""
    user = service.user()
    portfolio = await user.create(lots=2)
    # With the first of what comes late, so that no snapshot has it alone, which would serve every view of the past.
    await user.deposit(portfolio.id, at="2020-02-01")
    rows = [f"buy,AAPL,1,10,2020-03-{1 + number // 4:02}T{15 + number % 4}:00:00Z" for number in range(80)]
    rows.append("buy,MSFT,1,10,2020-05-04T15:00:00Z")
    header = "type,symbol,quantity,price,executed_at\n"
    await user.import_csv(portfolio.id, header + "\n".join(rows))
    maker = SnapshotMaker(service.database, due_events=1, step=1)
    await maker.make_due()
    view = View(seq=(await user.events(portfolio.id)).last_seq)
    await user.import_csv(portfolio.id, header + "\n".join(row.replace("03-", "02-") for row in rows[:60]))
    assert not await maker._take_step(UUID(portfolio.id))
    await expect_msft_of_a_snapshot(service, user, portfolio.id, view)
    assert [broken async for broken in Verifier(service.database).verify()] == []


async def test_the_past_reads_the_same_while_a_pass_that_was_begun_anew_takes_long(service: Service) -> None:
    """What was traded later than where either of two passes has come to ends where the first of them began."""
    user = service.user()
    portfolio = await user.create(lots=2)
    # With the first of what comes late, as above.
    await user.deposit(portfolio.id, at="2020-01-02")
    header = "type,symbol,quantity,price,executed_at\n"
    late = [f"buy,AAPL,1,10,2020-03-{2 + number // 4:02}T{15 + number % 4}:00:00Z" for number in range(80)]
    await user.import_csv(portfolio.id, header + "\n".join(["buy,MSFT,1,10,2020-03-01T15:00:00Z", *late]))
    maker = SnapshotMaker(service.database, due_events=1, step=1)
    await maker.make_due()
    view = View(seq=(await user.events(portfolio.id)).last_seq)
    for price in ("9", "8"):
        rows = [row.replace(",10,2020-03", f",{price},2020-01") for row in late]
        await user.import_csv(portfolio.id, header + "\n".join(rows))
        assert not await maker._take_step(UUID(portfolio.id))
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as admin:
        await admin.execute("UPDATE portfolio.ledger_snapshot SET dropped_at = dropped_at - interval '1 hour'")
    assert not await maker._take_step(UUID(portfolio.id))
    await expect_msft_of_a_snapshot(service, user, portfolio.id, view)


async def test_snapshots_folded_by_other_rules_are_not_used_and_made_anew(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await grow(user, portfolio.id, 3)
    maker = SnapshotMaker(service.database, due_events=1)
    await maker.make_due()
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as admin:
        await admin.execute("UPDATE portfolio.ledger_snapshot SET fold = 'other', cash = '{}'")
        await admin.execute("UPDATE portfolio.snapshot_position SET quantity = 99, folded = 'other'")
    view = View(seq=100)
    assert (await folded(service, user, portfolio.id, LotMethod.AVERAGE, view)).snapshot is None
    await maker.make_due()
    state = await folded(service, user, portfolio.id, LotMethod.AVERAGE, view)
    assert state.snapshot is not None
    assert [position.quantity for position in state.positions] == [Decimal(3), Decimal(3)]


@pytest.mark.parametrize("table", ["snapshot_position", "held_quarter", "daily_flow"])
async def test_what_lay_beside_snapshots_that_nobody_begins_from_goes_with_them(service: Service, table: str) -> None:
    user = service.user()
    portfolio = await user.create()
    await grow(user, portfolio.id, 3)
    maker = SnapshotMaker(service.database, due_events=1)
    await maker.make_due()
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as admin:

        async def began() -> list[int]:
            """The snapshots from which on a row is true."""
            found = await admin.execute(f"SELECT DISTINCT from_number FROM portfolio.{table} ORDER BY 1".encode())  # noqa: S608  our own table
            return [number for (number,) in await found.fetchall()]

        await admin.execute("UPDATE portfolio.ledger_snapshot SET fold = 'other'")
        await maker.make_due()
        # Whoever began before they were dropped reads on.
        assert await began() == [1, 2]
        await admin.execute("UPDATE portfolio.ledger_snapshot SET dropped_at = dropped_at - interval '1 hour'")
        await user.buy(portfolio.id, "1", "10", "2020-04-30")
        await maker.make_due()
        assert await began() == [2, 3]
