"""What was recorded wrongly is taken back by a further entry, and the past stays what it was known to be."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import NotFound
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.core.errors import BeforeSplit, InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.ledger_errors import (
    AlreadyReversed,
    FillNotReversed,
    ImportNotFound,
    ReversalNotReversed,
)

from .fakes import NO_CONTEXT, Service, User
from .order_desk import Desk, sized

CSV = """type,symbol,quantity,price,amount,executed_at
deposit,,,,1000,2020-01-02T15:00:00Z
buy,IBM,5,100,,2020-01-03T15:00:00Z
sell,IBM,2,110,,2020-01-06T15:00:00Z
"""


async def reverse(
    user: User, portfolio_id: str, transaction_id: str, *, key: str = "", note: str = ""
) -> pb.ReverseTransactionResponse:
    user.call(key or uuid.uuid4().hex)
    request = pb.ReverseTransactionRequest(portfolio_id=portfolio_id, transaction_id=transaction_id, note=note)
    return await user.rpc.ReverseTransaction(request, NO_CONTEXT)


async def reverse_import(user: User, portfolio_id: str, import_id: str) -> pb.ReverseImportResponse:
    user.call(uuid.uuid4().hex)
    request = pb.ReverseImportRequest(portfolio_id=portfolio_id, import_id=import_id)
    return await user.rpc.ReverseImport(request, NO_CONTEXT)


async def listed(user: User, portfolio_id: str) -> dict[str, pb.Transaction]:
    user.call()
    answer = await user.rpc.ListTransactions(pb.ListTransactionsRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    return {item.id: item for item in answer.transactions}


async def held(user: User, portfolio_id: str, **view: Any) -> dict[str, str]:
    answer = await user.positions(portfolio_id, **view)
    cash = {money.currency: money.amount.value for money in answer.cash}
    return cash | {position.symbol: position.quantity.value for position in answer.positions}


@pytest.fixture
async def account(service: Service) -> tuple[Service, User, str]:
    user = service.user()
    portfolio = await user.create(lots=pb.LOT_METHOD_FIFO)
    await user.deposit(portfolio.id, "10000.00")
    return service, user, portfolio.id


async def test_a_reversal_leaves_what_would_be_without_the_transaction(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    wrong = await user.buy(portfolio_id, "7", "200", "2020-01-06", "IBM")
    answer = await reverse(user, portfolio_id, wrong.transaction.id, note="never happened")
    assert (answer.position.quantity.value, answer.position.average_cost.value) == ("10", "100")
    assert answer.cash.amount.value == "9000.00"
    reversal = answer.transaction
    assert (reversal.reverses, reversal.cash_effect.amount.value) == (wrong.transaction.id, "1400.00")
    # Dated where the mistake is, so that it never was from then on.
    assert reversal.input.executed_at == wrong.transaction.input.executed_at
    assert await held(user, portfolio_id) == {"USD": "9000.00", "IBM": "10"}
    rows = await listed(user, portfolio_id)
    assert rows[wrong.transaction.id].reversed_by == reversal.id
    assert (rows[reversal.id].input.type, rows[reversal.id].input.note) == (
        pb.TRANSACTION_TYPE_REVERSAL,
        "never happened",
    )


async def test_what_was_known_before_the_correction_is_still_known(account: tuple[Service, User, str]) -> None:
    service, user, portfolio_id = account
    wrong = await user.buy(portfolio_id, "7", "200", "2020-01-06", "IBM")
    then = service.clock.time
    service.clock.time += timedelta(days=1)
    await reverse(user, portfolio_id, wrong.transaction.id)
    at = datetime(2020, 1, 7, tzinfo=UTC)
    assert await held(user, portfolio_id, as_of=at, known_at=then) == {"USD": "8600.00", "IBM": "7"}
    assert await held(user, portfolio_id, as_of=at) == {"USD": "10000.00"}


async def test_a_reversal_that_a_later_balance_cannot_bear_is_refused_with_the_shortfall(
    account: tuple[Service, User, str],
) -> None:
    _, user, portfolio_id = account
    bought = await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    sale = {"type": "sell", "symbol": "IBM", "quantity": "4", "price": "100", "currency": "USD"}
    sold = await user.record(portfolio_id, **sale, at="2020-01-06")
    with pytest.raises(InsufficientHolding, match=r"2020-01-06T15:00:00Z, when later.*: 4 IBM too much") as no:
        await reverse(user, portfolio_id, bought.transaction.id)
    assert [violation.field for violation in no.value.violations] == ["transaction_id"]
    await user.buy(portfolio_id, "31", "300", "2020-01-07", "IBM")
    with pytest.raises(InsufficientCash, match=r"2020-01-07T15:00:00Z, when later.*: 300\.00 USD too much"):
        await reverse(user, portfolio_id, sold.transaction.id)
    assert (await user.events(portfolio_id)).last_seq == 4


async def test_a_transaction_is_reversed_once_and_a_reversal_never(account: tuple[Service, User, str]) -> None:
    service, user, portfolio_id = account
    bought = await user.buy(portfolio_id, "1", "100", "2020-01-03", "IBM")
    first = await reverse(user, portfolio_id, bought.transaction.id, key="one")
    again = await reverse(user, portfolio_id, bought.transaction.id, key="one")
    assert again == first
    with pytest.raises(AlreadyReversed, match=first.transaction.id):
        await reverse(user, portfolio_id, bought.transaction.id)
    with pytest.raises(ReversalNotReversed):
        await reverse(user, portfolio_id, first.transaction.id)
    for unknown in (str(uuid.uuid4()), "nonsense"):
        with pytest.raises(NotFound):
            await reverse(user, portfolio_id, unknown)
    with pytest.raises(NotFound):
        await reverse(service.user(), portfolio_id, bought.transaction.id)


async def test_what_an_order_traded_is_not_undone(account: tuple[Service, User, str]) -> None:
    service, user, portfolio_id = account
    bought = await user.order(portfolio_id, "3")
    sold = await user.order(portfolio_id, "2", side="sell")
    resting = await user.order(portfolio_id, "4", limit="128.00", tif="gtc")
    await Desk(service, user).fill(resting.id, "4", sized("127", None, minutes=1))
    before, kept = await user.events(portfolio_id), await held(user, portfolio_id)
    traded = {item.order_id: item for item in (await listed(user, portfolio_id)).values() if item.order_id}
    for order, opposite in ((sold, "buy 2 AAPL"), (resting, "sell 4 AAPL"), (bought, "sell 3 AAPL")):
        with pytest.raises(FillNotReversed, match=f"filled order {order.id}.* an order to {opposite} ") as no:
            await reverse(user, portfolio_id, traded[order.id].id)
        assert [violation.field for violation in no.value.violations] == ["transaction_id"]
        assert (await user.shown(order.id)).status == pb.ORDER_STATUS_FILLED
    assert (await user.events(portfolio_id), await held(user, portfolio_id)) == (before, kept)


async def test_of_many_who_reverse_the_same_one_does(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    bought = await user.buy(portfolio_id, "1", "100", "2020-01-03", "IBM")
    outcomes = await asyncio.gather(
        *(reverse(user, portfolio_id, bought.transaction.id) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, pb.ReverseTransactionResponse) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} == {AlreadyReversed}
    assert (await user.events(portfolio_id)).last_seq == 3


async def test_the_database_takes_no_second_reversal_whatever_the_code_does(
    account: tuple[Service, User, str],
) -> None:
    service, user, portfolio_id = account
    bought = await user.buy(portfolio_id, "1", "100", "2020-01-03", "IBM")
    await reverse(user, portfolio_id, bought.transaction.id)
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio", autocommit=True
    ) as admin:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await admin.execute(
                """
                INSERT INTO transaction (portfolio_id, id, owner_id, seq, type, symbol, currency, note, cash_effect,
                                         postings, executed_at, recorded_at, reverses)
                SELECT portfolio_id, uuidv7(), owner_id, 99, type, symbol, currency, note, cash_effect,
                       postings, executed_at, recorded_at, reverses
                FROM transaction WHERE type = 'reversal'
                """
            )


async def test_a_trade_before_a_split_is_recorded_by_reversing_the_split(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    first = await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    split = {"type": "split", "symbol": "IBM", "split_ratio": "2", "at": "2020-03-03"}
    made = await user.record(portfolio_id, **split)
    with pytest.raises(BeforeSplit):
        await user.buy(portfolio_id, "1", "100", "2020-02-03", "IBM")
    with pytest.raises(BeforeSplit) as no:
        await reverse(user, portfolio_id, first.transaction.id)
    assert [violation.field for violation in no.value.violations] == ["transaction_id"]
    await reverse(user, portfolio_id, made.transaction.id)
    await user.buy(portfolio_id, "1", "100", "2020-02-03", "IBM")
    assert (await user.record(portfolio_id, **split)).position.quantity.value == "22"


async def test_a_reversed_entry_leaves_no_dip_for_what_is_dated_before_it(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    spent = await user.buy(portfolio_id, "100", "100", "2020-03-03", "IBM")
    await reverse(user, portfolio_id, spent.transaction.id)
    taken = {"type": "withdrawal", "amount": "9000", "currency": "USD"}
    assert (await user.record(portfolio_id, **taken, at="2020-02-03")).cash.amount.value == "1000.00"


async def test_a_deposit_that_was_reversed_is_no_flow(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    wrong = await user.record(portfolio_id, type="deposit", amount="500", currency="USD", at="2020-01-03")
    await reverse(user, portfolio_id, wrong.transaction.id)
    user.call()
    answer = await user.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    assert [(point.date, point.net_flow.value) for point in answer.series] == [("2020-01-02", "10000.00")]


async def test_an_import_is_taken_back_as_a_whole_and_may_come_again(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    imported = await user.import_csv(portfolio_id, CSV)
    bought = next(item for item in imported.accepted if item.input.type == pb.TRANSACTION_TYPE_BUY)
    # Alone the purchase cannot go, since what it brought was sold.
    with pytest.raises(InsufficientHolding):
        await reverse(user, portfolio_id, bought.id)
    answer = await reverse_import(user, portfolio_id, imported.import_id)
    assert (answer.reversed_rows, answer.first_seq, answer.last_seq) == (3, 5, 7)
    assert await held(user, portfolio_id) == {"USD": "10000.00"}
    with pytest.raises(AlreadyReversed):
        await reverse_import(user, portfolio_id, imported.import_id)
    again = await user.import_csv(portfolio_id, CSV)
    assert (len(again.accepted), len(again.duplicates)) == (3, 0)
    assert await held(user, portfolio_id) == {"USD": "10720.00", "IBM": "3"}


async def test_of_an_import_only_what_still_stands_is_reversed(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    imported = await user.import_csv(portfolio_id, CSV)
    await reverse(user, portfolio_id, imported.accepted[2].id)
    assert (await reverse_import(user, portfolio_id, imported.import_id)).reversed_rows == 2
    assert await held(user, portfolio_id) == {"USD": "10000.00"}


async def test_an_import_that_something_else_needs_stays_whole(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    imported = await user.import_csv(portfolio_id, CSV)
    sale = {"type": "sell", "symbol": "IBM", "quantity": "1", "price": "100", "currency": "USD"}
    await user.record(portfolio_id, **sale, at="2020-02-03")
    before = (await user.events(portfolio_id)).last_seq
    with pytest.raises(InsufficientHolding) as no:
        await reverse_import(user, portfolio_id, imported.import_id)
    assert [violation.field for violation in no.value.violations] == ["import_id"]
    assert (await user.events(portfolio_id)).last_seq == before
    assert len((await user.import_csv(portfolio_id, CSV)).duplicates) == 3


@pytest.mark.parametrize("import_id", ["01a1fbe8-618f-751c-9672-9d46380b0960", "nonsense"])
async def test_an_unknown_import_is_not_found(account: tuple[Service, User, str], import_id: str) -> None:
    _, user, portfolio_id = account
    with pytest.raises(ImportNotFound):
        await reverse_import(user, portfolio_id, import_id)


async def test_a_reversal_leaves_open_orders_what_they_reserve(account: tuple[Service, User, str]) -> None:
    _, user, portfolio_id = account
    paid_in = await user.record(portfolio_id, type="deposit", amount="500", currency="USD", at="2020-01-03")
    # The ask is 130.05: 80 of them at 128 reserve 10,240 and their fee.
    resting = await user.order(portfolio_id, "80", limit="128.00", tif="gtc")
    assert resting.status == pb.ORDER_STATUS_ACCEPTED
    with pytest.raises(InsufficientCash, match="that open orders reserve"):
        await reverse(user, portfolio_id, paid_in.transaction.id)
    await user.cancel(resting.id)
    await reverse(user, portfolio_id, paid_in.transaction.id)
    assert await held(user, portfolio_id) == {"USD": "10000.00"}


async def test_a_reversal_of_what_a_snapshot_holds_is_folded_in(account: tuple[Service, User, str]) -> None:
    service, user, portfolio_id = account
    await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    wrong = await user.buy(portfolio_id, "7", "200", "2020-01-06", "IBM")
    maker = SnapshotMaker(service.database, due_events=1, step=1)
    await maker.make_due()
    answer = await reverse(user, portfolio_id, wrong.transaction.id)
    assert (answer.position.quantity.value, answer.position.average_cost.value) == ("10", "100")
    assert await held(user, portfolio_id) == {"USD": "9000.00", "IBM": "10"}
    await maker.make_due()
    assert await held(user, portfolio_id) == {"USD": "9000.00", "IBM": "10"}


async def test_a_long_import_is_taken_back_by_a_job(account: tuple[Service, User, str]) -> None:
    service, user, portfolio_id = account
    rows = [f"deposit,{number + 1},2020-01-0{2 + number % 8}T15:00:00Z" for number in range(1_002)]
    async with service.worker():
        imported = await user.import_csv(portfolio_id, "type,amount,executed_at\n" + "\n".join(rows))
        import_id = str((await service.ended(user, imported.job.id)).result["import_id"])
        answer = await reverse_import(user, portfolio_id, import_id)
        job = await service.ended(user, answer.job.id)
    assert dict(job.result) == {
        "import_id": import_id,
        "reversed_rows": 1_002,
        "first_seq": 1_004,
        "last_seq": 2_005,
    }
    assert await held(user, portfolio_id) == {"USD": "10000.00"}
