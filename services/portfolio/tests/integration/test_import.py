"""Importing a file: a dry run tells what a run does, good rows are recorded, bad ones reported with their line."""

import time

import psycopg
import pytest

from quantmesh.chassis.errors import NotFound
from quantmesh.portfolio.core.errors import UnreadableImport

from .fakes import Service

HEADER = "type,symbol,quantity,price,amount,fee,currency,executed_at,note"
FILE = f"""{HEADER}
buy,AAPL,10,73.35,,1.00,USD,2020-01-03T15:00:00Z,
sell,MSFT,1,100,,,USD,2020-01-06T15:00:00Z,
deposit,,,,1000.00,,USD,2020-01-02T15:00:00Z,salary
buy,NOPE,1,1,,,USD,2020-01-03T15:00:00Z,
dividend,AAPL,,,1.00,,USD,2020-01-07T15:00:00Z,
deposit,,,,-5,,USD,2020-01-02T15:00:00Z,
deposit,,,,5.00,,USD,2099-01-02T15:00:00Z,
"""


async def test_a_dry_run_tells_what_would_happen_and_does_nothing(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    answer = await user.import_csv(portfolio.id, FILE, dry_run=True)
    assert answer.dry_run
    assert [(row.id, row.input.symbol, row.cash_effect.amount.value) for row in answer.accepted] == [
        ("", "AAPL", "-734.50"),
        ("", "", "1000.00"),
    ]
    assert [(row.line, row.field) for row in answer.rejected] == [
        (3, "quantity"),
        (5, "symbol"),
        (6, "type"),
        (7, "amount"),
        (8, "executed_at"),
    ]
    assert "needs 1 MSFT, but only 0 is there" in answer.rejected[0].reason
    assert (await user.events(portfolio.id)).last_seq == 0


async def test_a_run_records_what_the_dry_run_accepted(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    promised = await user.import_csv(portfolio.id, FILE, dry_run=True)
    answer = await user.import_csv(portfolio.id, FILE)
    assert [row.input for row in answer.accepted] == [row.input for row in promised.accepted]
    assert list(answer.rejected) == list(promised.rejected)
    assert {row.import_id for row in answer.accepted} == {answer.import_id}
    log = await user.events(portfolio.id)
    # Numbered in order of execution: the deposit comes before what it pays for.
    assert [(event.seq, event.type) for event in log.events] == [
        (1, "transaction.recorded"),
        (2, "transaction.recorded"),
    ]
    assert '"type":"deposit"' in log.events[0].data_json
    positions = await user.positions(portfolio.id)
    assert (positions.positions[0].quantity.value, positions.cash[0].amount.value) == ("10", "265.50")


async def test_rows_are_checked_against_what_was_there_before(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100.00", "2020-01-02")
    await user.buy(portfolio.id, "1", "60", "2020-03-02")
    rows = "\n".join(f"buy,MSFT,1,15,,,USD,2020-02-0{day}T15:00:00Z," for day in range(1, 5))
    answer = await user.import_csv(portfolio.id, f"{HEADER}\n{rows}\n")
    assert [row.line for row in answer.rejected] == [4, 5]
    assert len(answer.accepted) == 2


async def test_the_same_key_imports_once(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    first = await user.import_csv(portfolio.id, FILE, key="file")
    again = await user.import_csv(portfolio.id, FILE, key="file")
    assert again == first
    assert (await user.events(portfolio.id)).last_seq == 2


async def test_a_file_without_good_rows_records_nothing(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    answer = await user.import_csv(portfolio.id, f"{HEADER}\nbuy,AAPL,1,1,,,USD,2020-01-03T15:00:00Z,\n")
    assert (len(answer.accepted), len(answer.rejected)) == (0, 1)
    assert (await user.events(portfolio.id)).last_seq == 0


async def test_each_symbol_is_asked_for_once(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    rows = "\n".join("buy,AAPL,1,1,,,USD,2020-01-03T15:00:00Z," for _ in range(50))
    await user.import_csv(portfolio.id, f"{HEADER}\ndeposit,,,,100,,USD,2020-01-02T15:00:00Z,\n{rows}\n")
    assert service.market.asked_assets == ["AAPL"]


async def test_an_unreadable_file_is_refused_whole(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    with pytest.raises(UnreadableImport):
        await user.import_csv(portfolio.id, "type,executed_at,colour\n")
    with pytest.raises(NotFound):
        await user.import_csv("nonsense", FILE)


async def test_thousands_of_rows_are_recorded_within_seconds(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    rows = "\n".join(
        f"buy,AAPL,1,{70 + number % 9}.25,,1.00,USD,2020-{1 + number % 12:02}-03T15:00:00Z,row {number}"
        for number in range(3000)
    )
    started = time.perf_counter()
    answer = await user.import_csv(portfolio.id, f"{HEADER}\ndeposit,,,,1000000,,USD,2020-01-02T15:00:00Z,\n{rows}\n")
    assert len(answer.accepted) == 3001
    # A loop of single recordings takes several times as long.
    assert time.perf_counter() - started < 15
    assert (await user.events(portfolio.id, after=2999)).last_seq == 3001


async def test_a_portfolio_is_read_at_once_after_an_import_that_the_planner_has_not_heard_of(service: Service) -> None:
    user = service.user()
    for _ in range(30):
        small = await user.create()
        await user.deposit(small.id)
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as connection:
        await connection.execute("ANALYZE")
    portfolio = await user.create()
    rows = "\n".join(f"buy,AAPL,1,70.25,,1.00,USD,2020-01-03T15:00:00Z,row {number}" for number in range(6000))
    await user.import_csv(portfolio.id, f"{HEADER}\ndeposit,,,,1000000,,USD,2020-01-02T15:00:00Z,\n{rows}\n")
    started = time.perf_counter()
    positions = await user.positions(portfolio.id)
    assert [position.quantity.value for position in positions.positions] == ["6000"]
    # Comparing each transaction with each posting takes tens of seconds.
    assert time.perf_counter() - started < 5
