"""Importing a file: a dry run tells what a run does, good rows are recorded, bad ones reported with their line."""

import time

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, NotFound
from quantmesh.portfolio.core.errors import UnreadableImport
from quantmesh.portfolio.core.ledger_errors import AlreadyReversed

from .fakes import NO_CONTEXT, Service
from .test_corrections import reverse, reverse_import

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


@pytest.mark.parametrize(
    "row", ["deposit,,,,10,,,2020-01-02T15:00:00Z,", "sell,MSFT,1,10,,,,2020-01-03T15:00:00Z,", ""]
)
async def test_a_file_of_which_nothing_is_recorded_has_no_id_that_nobody_would_find(service: Service, row: str) -> None:
    """Every row is known already, or refused, or there is none."""
    user = service.user()
    portfolio = await user.create()
    assert (await user.import_csv(portfolio.id, f"{HEADER}\ndeposit,,,,10,,,2020-01-02T15:00:00Z,\n")).import_id
    answer = await user.import_csv(portfolio.id, f"{HEADER}\n{row}\n")
    assert (answer.dry_run, answer.import_id, list(answer.accepted)) == (False, "", [])


async def test_the_same_file_under_another_key_records_nothing_twice(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    first = await user.import_csv(portfolio.id, FILE)
    for rehearsal in (True, False):
        again = await user.import_csv(portfolio.id, FILE, dry_run=rehearsal)
        assert list(again.accepted) == []
        assert {row.line: row.transaction_id for row in again.duplicates} == {
            2: first.accepted[0].id,
            4: first.accepted[1].id,
        }
        assert list(again.rejected) == list(first.rejected)
    assert (await user.events(portfolio.id)).last_seq == 2
    assert len((await user.import_csv((await user.create()).id, FILE)).accepted) == 2


async def test_equal_rows_of_one_file_all_count_and_a_longer_file_adds_the_rest(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    row = "deposit,,,,5.00,,USD,2020-01-02T15:00:00Z,allowance\n"
    assert len((await user.import_csv(portfolio.id, f"{HEADER}\n{row * 2}")).accepted) == 2
    longer = await user.import_csv(portfolio.id, f"{HEADER}\n{row * 3}")
    assert ([row.line for row in longer.duplicates], len(longer.accepted)) == ([2, 3], 1)
    assert (await user.positions(portfolio.id)).cash[0].amount.value == "15.00"


async def test_a_row_that_was_refused_is_recorded_once_it_can_be(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    file = f"{HEADER}\nbuy,AAPL,1,50,,,USD,2020-01-03T15:00:00Z,\n"
    assert len((await user.import_csv(portfolio.id, file)).rejected) == 1
    await user.deposit(portfolio.id)
    assert len((await user.import_csv(portfolio.id, file)).accepted) == 1


async def test_a_rehearsal_leaves_its_key_for_the_import(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    assert (await user.import_csv(portfolio.id, FILE, dry_run=True, key="file")).dry_run
    assert not (await user.import_csv(portfolio.id, FILE, key="file")).dry_run


async def test_without_a_currency_a_row_is_in_its_instrument_s_or_in_the_base_currency(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(currency="GBP")
    rows = "deposit,,1000,2020-01-02T15:00:00Z\nbuy,SAP,,2020-01-03T15:00:00Z\n"
    answer = await user.import_csv(portfolio.id, f"type,symbol,amount,executed_at\n{rows}")
    assert [row.input.currency for row in answer.accepted] == ["GBP"]
    await user.record(portfolio.id, type="deposit", amount="500", currency="EUR", at="2020-01-02")
    bought = await user.record(portfolio.id, type="buy", symbol="SAP", quantity="1", price="100", at="2020-01-03")
    assert (bought.transaction.input.currency, bought.cash.currency) == ("EUR", "EUR")
    paid = await user.record(portfolio.id, type="deposit", amount="5", at="2020-01-04")
    assert (paid.cash.amount.value, paid.cash.currency) == ("1005.00", "GBP")


async def test_the_transactions_of_an_import_are_listed_by_its_id(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    answer = await user.import_csv(portfolio.id, FILE)
    request = pb.ListTransactionsRequest(portfolio_id=portfolio.id, import_id=answer.import_id)
    listed = await service.rpc.ListTransactions(request, NO_CONTEXT)
    assert {row.id for row in listed.transactions} == {row.id for row in answer.accepted}
    request.import_id = "nonsense"
    with pytest.raises(InvalidInput):
        await service.rpc.ListTransactions(request, NO_CONTEXT)


async def test_a_refused_row_names_the_column_that_it_means(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    answer = await user.import_csv(portfolio.id, FILE)
    assert [(row.field, row.column) for row in answer.rejected][:2] == [("quantity", 3), ("symbol", 2)]
    narrow = await user.import_csv(portfolio.id, "executed_at,type\n2020-01-03T15:00:00Z,deposit\nx\n")
    assert [(row.line, row.field, row.column) for row in narrow.rejected] == [(2, "amount", 0), (3, "", 0)]


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


async def test_a_portfolio_is_read_at_once_after_an_import_that_the_planner_has_not_heard_of(service: Service) -> None:
    user = service.user()
    for _ in range(30):
        small = await user.create()
        await user.deposit(small.id)
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True) as connection:
        await connection.execute("ANALYZE")
    portfolio = await user.create()
    rows = "\n".join(f"buy,AAPL,1,70.25,,1.00,USD,2020-01-03T15:00:00Z,row {number}" for number in range(6000))
    queued = await user.import_csv(portfolio.id, f"{HEADER}\ndeposit,,,,1000000,,USD,2020-01-02T15:00:00Z,\n{rows}\n")
    async with service.worker():
        await service.ended(user, queued.job.id)
    started = time.perf_counter()
    positions = await user.positions(portfolio.id)
    assert [position.quantity.value for position in positions.positions] == ["6000"]
    # Comparing each transaction with each posting takes tens of seconds.
    assert time.perf_counter() - started < 15


async def test_a_row_that_was_taken_back_alone_may_come_again(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    row = "deposit,,,,10,,,2020-01-02T15:00:00Z,\n"
    file = f"{HEADER}\n{row * 3}"
    first, second, third = (await user.import_csv(portfolio.id, file)).accepted
    await reverse(user, portfolio.id, second.id)
    again = await user.import_csv(portfolio.id, file)
    assert len(again.accepted) == 1
    # Whichever is taken back, it is the last of them that is not there.
    assert [(each.line, each.transaction_id) for each in again.duplicates] == [(2, first.id), (3, third.id)]
    assert (await user.positions(portfolio.id)).cash[0].amount.value == "30.00"
    for each in (first, third, again.accepted[0]):
        await reverse(user, portfolio.id, each.id)
    with pytest.raises(AlreadyReversed):
        await reverse_import(user, portfolio.id, first.import_id)
    assert len((await user.import_csv(portfolio.id, file)).accepted) == 3
