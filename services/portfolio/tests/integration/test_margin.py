"""Accounts that may owe, and those that may not, on a real ledger."""

import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.ledger_errors import MarginExceeded, MarginInUse

from .fakes import NO_CONTEXT, Service, User
from .messages import decimal, order_request
from .order_desk import Desk, sized
from .test_lots_and_options import account, record


async def test_borrowed_shares_are_sold_and_bought_back(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    sold = await record(user, portfolio_id, "sell", "IBM", "10", price="100")
    assert (sold.position.quantity.value, sold.cash.amount.value) == ("-10", "2000.00")
    paid: dict[str, Any] = {
        "type": "dividend",
        "symbol": "IBM",
        "amount": "5",
        "side": pb.POSITION_SIDE_SHORT,
        "currency": "USD",
    }
    assert (await user.record(portfolio_id, **paid, at="2020-03-03")).cash.amount.value == "1995.00"
    bought = await record(user, portfolio_id, "buy", "IBM", "10", price="90", at="2020-03-04")
    assert (bought.position.quantity.value, bought.position.realized_pnl.value) == ("0", "100.00")


async def test_an_account_with_margin_owes_as_much_as_its_equity_carries(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    # At half, a thousand carries two thousand.
    with pytest.raises(MarginExceeded, match=r"needs an equity of 1000\.05 USD at cost, but there would be 1000\.00"):
        await record(user, portfolio_id, "buy", "IBM", "1", price="2000.10")
    bought = await record(user, portfolio_id, "buy", "IBM", "20", price="100")
    assert bought.cash.amount.value == "-1000.00"
    taken: dict[str, Any] = {"type": "withdrawal", "amount": "0.01", "currency": "USD"}
    with pytest.raises(MarginExceeded):
        await user.record(portfolio_id, **taken, at="2020-03-03")
    assert (await user.positions(portfolio_id)).cash[0].amount.value == "-1000.00"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("buy", {"quantity": "30", "price": "100"}),
        ("sell", {"quantity": "45.5", "price": "33.33"}),
        ("buy", {"quantity": "7.25", "price": "350.01", "fee": "3.00"}),
    ],
)
async def test_a_shortfall_says_how_much_would_pass_and_it_does(service: Service, kind: str, asked: Any) -> None:
    user, portfolio_id = await account(service, margin=True, cash="700.00")
    # A position of the other side is closed before one is opened.
    await record(user, portfolio_id, "sell" if kind == "buy" else "buy", "IBM", "2", price="90")
    with pytest.raises(MarginExceeded) as refused:
        await record(user, portfolio_id, kind, "IBM", at="2020-03-04", **asked)
    told = refused.value.metadata
    (denial,) = json.loads(told["denials"])
    assert (told["rule"], denial["rule"], denial["shortfall"]) == ("margin", "margin", told["shortfall"])
    passing = json.loads(told["suggestion"])["quantity"]
    # Rounding to cents may leave one step more.
    beyond = Decimal(passing) + 2 * Decimal(1).scaleb(int(Decimal(asked["quantity"]).as_tuple().exponent))
    with pytest.raises(MarginExceeded):
        await record(user, portfolio_id, kind, "IBM", at="2020-03-04", **asked | {"quantity": str(beyond)})
    await record(user, portfolio_id, kind, "IBM", at="2020-03-04", **asked | {"quantity": passing})


async def test_of_a_withdrawal_that_margin_forbids_the_rest_would_pass(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "buy", "IBM", "15", price="100")

    async def withdraw(amount: str) -> None:
        await user.record(portfolio_id, type="withdrawal", amount=amount, currency="USD", at="2020-03-03")

    with pytest.raises(MarginExceeded) as refused:
        await withdraw("400.00")
    assert json.loads(refused.value.metadata["suggestion"]) == {"amount": "250"}
    with pytest.raises(MarginExceeded):
        await withdraw("250.01")
    await withdraw("250")


async def test_where_less_would_not_do_nothing_is_suggested(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "buy", "IBM", "20", price="100")
    await record(user, portfolio_id, "sell", "IBM", "1", price="100", at="2020-03-04")
    # What was sold since has taken from it, so that less of it is not as much less owed.
    with pytest.raises(MarginExceeded) as refused:
        await record(user, portfolio_id, "buy", "IBM", "10", price="100", at="2020-03-03")
    assert "suggestion" not in refused.value.metadata


async def test_what_a_short_sale_brought_is_neither_taken_out_nor_spent(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "sell", "IBM", "10", price="100")
    # 1,000 of its own beside 500 that the short position needs.
    with pytest.raises(MarginExceeded, match=r"500\.00 USD at cost, but there would be 499\.99"):
        await user.record(portfolio_id, type="withdrawal", amount="500.01", currency="USD", at="2020-03-03")
    with pytest.raises(MarginExceeded):
        await record(user, portfolio_id, "buy", "AAPL", "11", price="100", at="2020-03-03")
    await record(user, portfolio_id, "buy", "AAPL", "10", price="100", at="2020-03-03")
    with pytest.raises(MarginExceeded):
        await user.record(portfolio_id, type="fee", amount="0.01", currency="USD", at="2020-03-03")


async def previewed(user: User, portfolio_id: str, quantity: str) -> pb.OrderPreview:
    user.call()
    asked = pb.PreviewOrderRequest(order=order_request(portfolio_id, quantity))
    return (await user.rpc.PreviewOrder(asked, NO_CONTEXT)).preview


async def test_orders_are_held_to_margin_as_they_fill(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    before = await user.events(portfolio_id)
    with pytest.raises(MarginExceeded) as refused:
        await user.order(portfolio_id, "16")
    assert await user.events(portfolio_id) == before
    denial = (await previewed(user, portfolio_id, "16")).denial
    assert (denial.problem, denial.detail) == ("margin-exceeded", refused.value.detail)
    assert denial.suggestion_json == refused.value.metadata["suggestion"]
    assert json.loads(denial.suggestion_json) == {
        "portfolio_id": portfolio_id,
        "symbol": "AAPL",
        "side": "buy",
        "type": "market",
        "quantity": "15",
        "time_in_force": "day",
    }
    assert not (await previewed(user, portfolio_id, "15")).HasField("denial")
    assert (await user.order(portfolio_id, "15")).status == pb.ORDER_STATUS_FILLED
    resting = await user.order(portfolio_id, "1", limit="100", tif="gtc")
    with pytest.raises(MarginExceeded):
        await Desk(service, user).fill(resting.id, "1", sized("99", None, minutes=1))


async def test_a_replacement_that_margin_refuses_suggests_one_with_what_is_filled(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    resting = await user.order(portfolio_id, "20", limit="100", tif="gtc")
    await Desk(service, user).fill(resting.id, "5", sized("99", "5"))

    async def replaced(quantity: str) -> pb.Order:
        user.call()
        asked = pb.ReplaceOrderRequest(id=resting.id, expected_version=version, limit_price=decimal("140"))
        asked.quantity.value = quantity
        return (await user.rpc.ReplaceOrder(asked, NO_CONTEXT)).order

    user.call()
    version = (await user.rpc.GetOrder(pb.GetOrderRequest(id=resting.id), NO_CONTEXT)).order.version
    with pytest.raises(MarginExceeded) as refused:
        await replaced("20")
    suggestion = json.loads(refused.value.metadata["suggestion"])
    assert suggestion == {"quantity": suggestion["quantity"], "limit_price": "140"}
    assert 5 < int(suggestion["quantity"]) < 20
    with pytest.raises(MarginExceeded):
        await replaced(str(int(suggestion["quantity"]) + 1))
    assert (await replaced(suggestion["quantity"])).status == pb.ORDER_STATUS_FILLED


async def test_debts_are_paid_back_in_parts_and_at_a_loss(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "sell", "IBM", "20", price="100")
    # More than a thousand is lost, and half of it still owed.
    covered = await record(user, portfolio_id, "buy", "IBM", "10", price="250", at="2020-03-03")
    assert covered.cash.amount.value == "500.00"
    with pytest.raises(MarginExceeded):
        await user.record(portfolio_id, type="withdrawal", amount="0.01", currency="USD", at="2020-03-04")
    await user.deposit(portfolio_id, "1.00", at="2020-03-04")
    await record(user, portfolio_id, "buy", "IBM", "10", price="60", at="2020-03-05")
    assert (await user.positions(portfolio_id)).cash[0].amount.value == "-99.00"


async def test_an_import_is_not_taken_back_where_what_is_owed_in_one_of_its_currencies_needs_it(
    service: Service,
) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    rows = "deposit,5,USD,2020-02-03T15:00:00Z\ndeposit,1000,EUR,2020-02-04T15:00:00Z\n"
    imported = await user.import_csv(portfolio_id, f"type,amount,currency,executed_at\n{rows}")
    await record(user, portfolio_id, "buy", "SAP", "15", price="100", currency="EUR")
    user.call("back")
    request = pb.ReverseImportRequest(portfolio_id=portfolio_id, import_id=imported.import_id)
    with pytest.raises(MarginExceeded, match=r"750\.00 EUR at cost, but there would be 0\.00") as refused:
        await user.rpc.ReverseImport(request, NO_CONTEXT)
    assert [violation.field for violation in refused.value.violations] == ["import_id"]
    assert "suggestion" not in refused.value.metadata


async def test_an_import_that_is_taken_back_closes_no_position(service: Service) -> None:
    """3,000 of borrowed shares need half of that; of the 2,000 that there are, half would go with a purchase."""
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    rows = "deposit,,,,1000,2020-02-03T15:00:00Z\nbuy,AAPL,1,100,,2020-02-04T15:00:00Z\n"
    imported = await user.import_csv(portfolio_id, f"type,symbol,quantity,price,amount,executed_at\n{rows}")
    await record(user, portfolio_id, "sell", "IBM", "30", price="100")
    user.call("back")
    request = pb.ReverseImportRequest(portfolio_id=portfolio_id, import_id=imported.import_id)
    with pytest.raises(MarginExceeded, match=r"1500\.00 USD at cost, but there would be 1000\.00"):
        await user.rpc.ReverseImport(request, NO_CONTEXT)


async def test_a_row_whose_equal_was_refused_is_known_again_also_where_a_currency_is_left_out(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    header = "type,symbol,quantity,price,split_ratio,amount,currency,executed_at\n"
    split = "split,SAP,,,2,,EUR,2020-02-04T15:00:00Z\n"
    paid = "deposit,,,,,500,EUR,2020-02-03T15:00:00Z\nbuy,SAP,10,100,,,EUR,2020-02-04T15:00:00Z\n"
    too_much = "buy,IBM,50,100,,,USD,2020-02-05T15:00:00Z\n"
    told = await user.import_csv(portfolio_id, header + split + paid + split + too_much)
    assert [row.line for row in told.rejected] == [2, 6]
    again = await user.import_csv(portfolio_id, header + paid + split)
    assert (len(again.duplicates), len(again.accepted), len(again.rejected)) == (3, 0, 0)


@pytest.mark.parametrize("has_snapshot", [False, True])
async def test_a_file_leaves_no_more_owed_in_any_currency_than_is_carried(
    service: Service, *, has_snapshot: bool
) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "buy", "IBM", "10", price="100")
    trades = "buy,IBM,5,100,,USD,2020-02-05T15:00:00Z\nbuy,AAPL,6,100,,USD,2020-02-03T15:00:00Z\n"
    others = "deposit,,,,500,EUR,2020-02-03T15:00:00Z\nbuy,SAP,10,100,,EUR,2020-02-04T15:00:00Z\n"
    file = (
        f"type,symbol,quantity,price,amount,currency,executed_at\n{trades}{others}buy,IBM,0,1,,USD,2020-02-05T15:00:00Z"
    )
    reason = (
        "margin: with the file's rows in USD the account needs an equity of 1050.00 USD at cost, but there would be"
        " 1000.00: 50.00 too little; deposit that first, or correct the rows"
    )
    if has_snapshot:
        await SnapshotMaker(service.database, due_events=1, step=1).make_due()
    for dry_run in (True, False):
        told = await user.import_csv(portfolio_id, file, dry_run=dry_run)
        assert [row.input.symbol for row in told.accepted] == ["", "SAP"]
        assert [(row.line, row.field) for row in told.rejected] == [(2, ""), (3, ""), (6, "quantity")]
        assert {row.reason for row in told.rejected[:2]} == {reason}
    await user.deposit(portfolio_id, "50.00")
    again = await user.import_csv(portfolio_id, file)
    assert ([row.input.symbol for row in again.accepted], len(again.duplicates)) == (["IBM", "AAPL"], 2)
    with pytest.raises(MarginExceeded):
        await user.record(portfolio_id, type="withdrawal", amount="0.01", currency="USD", at="2020-03-04")


async def test_margin_is_switched_off_when_nothing_is_owed(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, cash="1000.00")
    await record(user, portfolio_id, "buy", "IBM", "15", price="100")

    async def switch(*, on: bool) -> pb.Portfolio:
        user.call()
        request = pb.UpdatePortfolioRequest(id=portfolio_id, margin_enabled=on)
        return (await user.rpc.UpdatePortfolio(request, NO_CONTEXT)).portfolio

    with pytest.raises(MarginInUse, match=r"-500 USD"):
        await switch(on=False)
    await record(user, portfolio_id, "sell", "IBM", "5", price="100", at="2020-03-03")
    assert (await switch(on=False)).margin_enabled is False
    with pytest.raises(InsufficientCash):
        await record(user, portfolio_id, "buy", "IBM", "1", price="100", at="2020-03-04")
    assert (await switch(on=True)).name == "Options"


async def test_the_database_lets_nobody_owe_without_margin(service: Service) -> None:
    user, portfolio_id = await account(service)
    async with await psycopg.AsyncConnection.connect(
        service.app_url, options="-c search_path=portfolio", autocommit=True
    ) as connection:
        await connection.execute("SELECT set_config('app.owner_id', %s, false)", [str(user.owner_id)])
        with pytest.raises(psycopg.errors.CheckViolation, match="would be -1"):
            await connection.execute("UPDATE holding SET amount = -1 WHERE portfolio_id = %s", [portfolio_id])
