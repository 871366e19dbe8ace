"""A ledger that somebody altered behind the service's back is named; one that nobody touched is not."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest

from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.verifier import Verifier

from .fakes import Service, User


async def differences(service: Service, portfolio_id: str | None = None, window: int = 7) -> list[str]:
    verifier = Verifier(service.database, window=window)
    return [str(broken) async for broken in verifier.verify(None if portfolio_id is None else UUID(portfolio_id))]


async def recorded(service: Service, user: User) -> str:
    """A portfolio with late entries, sales, several snapshots and something after the last of them."""
    portfolio = await user.create(lots=2)
    await user.deposit(portfolio.id)
    maker = SnapshotMaker(service.database, due_events=1, step=6)
    for number in range(24):
        await user.buy(portfolio.id, str(1 + number % 3), "10", f"2020-02-{28 - number % 12:02}")
        if number % 5 == 4:
            trade = {"type": "sell", "symbol": "AAPL", "quantity": "2", "price": "11", "fee": "1"}
            await user.record(portfolio.id, **trade, at="2020-03-01")
            await maker.make_due()
    await user.buy(portfolio.id, "1", "20", "2020-02-02", "MSFT")
    await user.order(portfolio.id, "1")
    return portfolio.id


@pytest.fixture
async def as_superuser(service: Service) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as connection:
        await connection.execute("SET search_path = portfolio")
        await connection.execute("SET session_replication_role = replica")
        yield connection


async def test_an_untouched_ledger_is_what_its_journal_says(service: Service) -> None:
    user = service.user()
    await recorded(service, user)
    await user.create("Empty")
    assert await differences(service) == []


@pytest.mark.parametrize(
    ("alteration", "named"),
    [
        (
            """UPDATE posting SET amount = amount + 1
               WHERE ordinal = 0 AND transaction_id = (SELECT id FROM transaction WHERE seq = 4)""",
            "entry AAPL, at 4: expected a sum of zero",
        ),
        (
            "DELETE FROM posting WHERE ordinal = 1 AND transaction_id = (SELECT id FROM transaction WHERE seq = 5)",
            "entry AAPL, at 5: expected 4 postings, found 3",
        ),
        (
            "UPDATE transaction SET cash_effect = cash_effect - 1 WHERE seq = 9",
            "entry, at 9: expected cash of",
        ),
        ("DELETE FROM transaction WHERE seq = 3", "account log, at 3: expected an event, found transaction.recorded"),
        (
            "DELETE FROM account_event WHERE seq = 6",
            "account log, at 6: expected the event of a transaction, found none",
        ),
        (
            "UPDATE account_event SET seq = 1000 WHERE seq = 6",
            "account log, at 6: expected the event of a transaction, found none",
        ),
        (
            """INSERT INTO account_event SELECT portfolio_id, 1000, owner_id, type, occurred_at, recorded_at, data
               FROM account_event WHERE seq = 1""",
            "account log, at 1000: expected no event after",
        ),
        (
            "UPDATE account_event SET recorded_at = recorded_at - interval '1 year' WHERE seq = 8",
            "account log, at 8: expected recorded at",
        ),
        (
            """INSERT INTO posting SELECT portfolio_id, gen_random_uuid(), ordinal, owner_id, account, commodity, amount
               FROM posting LIMIT 1""",
            "expected a transaction of its own",
        ),
        ("UPDATE holding SET amount = amount + 1 WHERE account = 'assets:cash'", "assets:cash USD"),
        ("DELETE FROM holding WHERE commodity = 'MSFT'", "assets:securities MSFT"),
        ("UPDATE holding SET reserved = 1 WHERE account = 'assets:cash'", "assets:cash reserved USD"),
        ('UPDATE ledger_snapshot SET cash = \'{"USD": "1"}\' WHERE number = 3', "snapshot 3 cash USD"),
        ("UPDATE snapshot_position SET cost = cost + 1 WHERE from_number = 3", "snapshot 3 position AAPL"),
        ("UPDATE snapshot_position SET symbol = 'IBM' WHERE from_number = 3", "snapshot 3 position AAPL"),
        ("DELETE FROM snapshot_position WHERE from_number = 4", "snapshot 4 position AAPL"),
        (
            "UPDATE snapshot_position SET folded = replace(folded, '2020-02-28', '2020-02-27') WHERE from_number = 1",
            "snapshot 1 lots AAPL",
        ),
        ("UPDATE snapshot_position SET paid = paid + 1 WHERE from_number = 3", "snapshot 3 gains AAPL"),
        (
            "UPDATE daily_flow SET flows = replace(flows, '100000', '100001') WHERE from_number = 1",
            "snapshot 1 flows on 2020-01-02 USD",
        ),
        ("DELETE FROM daily_flow WHERE from_number = 2", "snapshot 2 flows on 2020-"),
        (
            "UPDATE daily_flow SET fees = set_byte(fees, 2, 2) WHERE from_number = 3",
            "snapshot 3 income on 2020-03-01 USD",
        ),
        (
            "UPDATE daily_flow SET last_day = '2020-02-01' WHERE from_number = 3",
            "last day of income beside snapshot 3, at 33: expected 2020-03-01, found 2020-02-01",
        ),
        (
            "UPDATE held_quarter SET quantities = set_byte(quantities, 2, 7) WHERE until_number > 1000",
            "day 2020-02-17 AAPL",
        ),
        ("UPDATE held_quarter SET costs = set_byte(costs, 2, 7) WHERE until_number < 1000", "day 2020-02-2"),
        ("DELETE FROM held_quarter WHERE until_number > 1000", "day 2020-02-17 AAPL"),
        ("UPDATE held_quarter SET first_day = quarter", "first day of the quarter from 2020-01-01 AAPL"),
        ("UPDATE held_quarter SET from_number = 2 WHERE from_number = 1", "day 2020-02-24 AAPL, at 7"),
        ("UPDATE held_quarter SET until_number = 2 WHERE until_number = 3", "day 2020-02-24 AAPL, at 7"),
        (
            """DELETE FROM held_quarter WHERE from_number = 1;
               UPDATE held_quarter SET from_number = 1 WHERE from_number = 3""",
            "day 2020-02-24 AAPL, at 7",
        ),
        ("UPDATE holding SET owner_id = gen_random_uuid()", "owner of holding, at"),
        ("UPDATE ledger_snapshot SET owner_id = gen_random_uuid()", "owner of ledger_snapshot, at"),
        ("UPDATE snapshot_position SET owner_id = gen_random_uuid()", "owner of snapshot_position, at"),
        ("UPDATE held_quarter SET owner_id = gen_random_uuid()", "owner of held_quarter, at"),
        ("UPDATE daily_flow SET owner_id = gen_random_uuid()", "owner of daily_flow, at"),
    ],
)
async def test_each_alteration_is_named(
    service: Service, as_superuser: psycopg.AsyncConnection, alteration: str, named: str
) -> None:
    portfolio_id = await recorded(service, service.user())
    untouched = await service.user().create()
    changed = await as_superuser.execute(alteration.encode())
    assert changed.rowcount > 0
    (found,) = await differences(service)
    assert named in found
    assert portfolio_id in found
    assert await differences(service, untouched.id) == []


@pytest.mark.parametrize(
    ("alteration", "named"),
    [
        ("UPDATE held_quarter SET paid = '\\x'", "days beside snapshot 1, at 33"),
        ("UPDATE held_quarter SET quantities = '\\x0001'", "days beside snapshot 1, at 33"),
        ("UPDATE held_quarter SET days = days || '\\x00'", "days beside snapshot 1, at 33"),
        ("UPDATE held_quarter SET costs = set_byte(costs, 1, 3)", "days beside snapshot 1, at 33"),
        ("UPDATE held_quarter SET realized = set_byte(realized, 1, 0)", "days beside snapshot 1, at 33"),
        ("UPDATE daily_flow SET days = '\\x00' WHERE from_number = 3", "income beside snapshots, at 33"),
        ("UPDATE daily_flow SET owners = set_byte(owners, 2, 9) WHERE from_number = 3", "snapshot 3, at 33"),
        ("UPDATE daily_flow SET earners = 'AAPL' WHERE from_number = 3", "snapshot 3, at 33"),
        ("UPDATE daily_flow SET earners = NULL WHERE from_number = 3", "snapshot 3, at 33"),
        ("UPDATE daily_flow SET flows = '[' WHERE from_number = 2", "snapshot 2, at 33"),
        ("UPDATE snapshot_position SET folded = '[' WHERE from_number = 1", "snapshot 1, at 33"),
        ('UPDATE ledger_snapshot SET cash = \'{"USD": "much"}\' WHERE number = 1', "snapshots, at 33"),
    ],
)
async def test_what_cannot_be_read_any_more_is_named_and_keeps_no_other_ledger_from_it(
    service: Service, as_superuser: psycopg.AsyncConnection, alteration: str, named: str
) -> None:
    portfolio_id = await recorded(service, service.user())
    assert (await as_superuser.execute(alteration.encode())).rowcount > 0
    user = service.user()
    other = (await user.create()).id
    await user.deposit(other)
    await as_superuser.execute("UPDATE holding SET amount = 5 WHERE portfolio_id = %s", [other])
    found = await differences(service)
    assert [each.split(",")[0] for each in found] == [f"portfolio {each}" for each in (portfolio_id, other)]
    assert f"{named}: expected what can be read, found " in found[0]


def command(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As `quantmesh ledger verify` runs it."""
    program = [sys.executable, "-m", "quantmesh.portfolio", "verify", *arguments]
    environment = {**os.environ, "QUANTMESH_DATABASE_URL": service.app_url}
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_the_command_ends_with_1_where_a_ledger_is_broken(
    service: Service, as_superuser: psycopg.AsyncConnection
) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    whole = await asyncio.to_thread(command, service)
    assert (whole.returncode, whole.stdout) == (0, "Every ledger is what its journal says.\n")
    await as_superuser.execute("UPDATE holding SET amount = 5")
    broken = await asyncio.to_thread(command, service, "--portfolio", portfolio.id)
    assert broken.returncode == 1
    assert broken.stdout.startswith(f"portfolio {portfolio.id}, assets:cash USD, at 1: expected 100000")
    assert "entries to 1 of 1" in broken.stderr
    unknown = await asyncio.to_thread(command, service, "--portfolio", str(uuid4()))
    assert unknown.returncode == 1
    assert "There is no portfolio" in unknown.stderr
