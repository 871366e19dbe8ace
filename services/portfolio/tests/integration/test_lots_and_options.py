"""Named lots and the life of options, on a real ledger."""

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any, cast

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.adapters.hashing import keccak256
from quantmesh.portfolio.core.errors import InsufficientHolding, InvalidTransaction
from quantmesh.portfolio.core.ledger_errors import (
    BeforeExercise,
    LotNotOpen,
    MarginNotEnabled,
    OutsideOptionLife,
)
from quantmesh.portfolio.core.market import Adjustment, Asset, Quote
from quantmesh.portfolio.core.numbers import EXACT
from quantmesh.portfolio.core.option_terms import ExerciseStyle, OptionTerms, OptionType, Settlement
from quantmesh.portfolio.core.proof import leaf_of

from .fakes import NO_CONTEXT, NOW, Service, User
from .messages import decimal
from .test_corrections import held, reverse
from .test_proof_of_transactions import announced_leaves, payload

EXPIRY = datetime(2020, 6, 19, 20, 0, tzinfo=UTC)
CALL, PUT, INDEX = "IBM200619C00100000", "IBM200619P00100000", "VIX200617C00020000"


def listed(symbol: str, kind: OptionType, strike: str, underlying: str = "IBM", **terms: Any) -> Asset:
    values: dict[str, Any] = {
        "exercise": ExerciseStyle.AMERICAN,
        "settlement": Settlement.PHYSICAL,
        "expiry": EXPIRY,
    } | terms
    option = OptionTerms(underlying, kind, Decimal(strike), multiplier=Decimal(100), **values)
    return Asset(symbol, "USD", Adjustment.RAW, Decimal("0.01"), Decimal(1), tradable=False, option=option)


@pytest.fixture
def options(service: Service) -> None:
    with_options(service)


def with_options(service: Service) -> None:
    european: dict[str, Any] = {"exercise": ExerciseStyle.EUROPEAN, "settlement": Settlement.CASH}
    service.market.known |= {
        CALL: listed(CALL, OptionType.CALL, "100"),
        PUT: listed(PUT, OptionType.PUT, "100"),
        INDEX: listed(INDEX, OptionType.CALL, "20", "VIX", **european),
    }


async def account(service: Service, *, margin: bool = False, lots: int = 0, cash: str = "50000.00") -> tuple[User, str]:
    user = service.user()
    user.call()
    request = pb.CreatePortfolioRequest(
        name="Options", base_currency="USD", lot_method=cast("Any", lots), margin_enabled=margin
    )
    portfolio = (await service.rpc.CreatePortfolio(request, NO_CONTEXT)).portfolio
    await user.deposit(portfolio.id, cash)
    return user, portfolio.id


async def record(user: User, portfolio_id: str, kind: str, symbol: str, quantity: str, **fields: Any) -> Any:
    fields = {"at": "2020-03-02", **fields}
    return await user.record(portfolio_id, type=kind, symbol=symbol, quantity=quantity, **fields)


async def lots_of(user: User, portfolio_id: str, symbol: str) -> list[tuple[str, str, str]]:
    user.call()
    request = pb.GetPositionsRequest(portfolio_id=portfolio_id, lots=True)
    answer = await user.rpc.GetPositions(request, NO_CONTEXT)
    found = next(position for position in answer.positions if position.symbol == symbol)
    return [(lot.opened_at.ToJsonString()[:10], lot.quantity.value, lot.cost.value) for lot in found.lots]


def choice(transaction_id: str, quantity: str) -> pb.LotChoice:
    return pb.LotChoice(transaction_id=transaction_id, quantity=decimal(quantity))


async def two_lots(user: User, portfolio_id: str) -> tuple[str, str]:
    first = await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    second = await user.buy(portfolio_id, "10", "120", "2020-02-03", "IBM")
    return first.transaction.id, second.transaction.id


async def sell_lots(user: User, portfolio_id: str, at: str, *lots: tuple[str, str]) -> pb.RecordTransactionResponse:
    with localcontext(EXACT):
        quantity = str(sum(Decimal(taken) for _, taken in lots))
    asked = pb.TransactionInput(type=pb.TRANSACTION_TYPE_SELL, symbol="IBM", quantity=decimal(quantity))
    asked.price.value = "130"
    asked.executed_at.FromJsonString(f"{at}T15:00:00Z")
    asked.lots.extend(choice(*lot) for lot in lots)
    user.call(f"{at}{lots}")
    request = pb.RecordTransactionRequest(portfolio_id=portfolio_id, transaction=asked)
    return await user.rpc.RecordTransaction(request, NO_CONTEXT)


async def test_a_sale_takes_the_lots_that_it_names(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_SPECIFIC)
    first, second = await two_lots(user, portfolio_id)
    answer = await sell_lots(user, portfolio_id, "2020-03-02", (second, "4"), (first, "1"))
    # 4 x 10 and 1 x 30.
    assert answer.position.realized_pnl.value == "70.00"
    assert [(lot.transaction_id, lot.quantity.value) for lot in answer.transaction.input.lots] == [
        (second, "4"),
        (first, "1"),
    ]
    assert await lots_of(user, portfolio_id, "IBM") == [("2020-01-03", "9", "900.00"), ("2020-02-03", "6", "720.00")]


async def test_lots_that_are_not_open_then_are_refused(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_SPECIFIC)
    first, second = await two_lots(user, portfolio_id)
    with pytest.raises(LotNotOpen, match=second):
        await sell_lots(user, portfolio_id, "2020-01-06", (second, "4"))
    await sell_lots(user, portfolio_id, "2020-03-02", (first, "8"))
    with pytest.raises(LotNotOpen, match=first):
        await sell_lots(user, portfolio_id, "2020-03-03", (first, "3"))
    # Earlier, it would take from under the later sale.
    with pytest.raises(LotNotOpen, match=first):
        await sell_lots(user, portfolio_id, "2020-02-28", (first, "3"))
    # Neither can the purchase go that opened what a sale names.
    await user.buy(portfolio_id, "10", "100", "2020-01-02", "IBM")
    with pytest.raises(LotNotOpen, match=first):
        await reverse(user, portfolio_id, first)
    assert (await user.events(portfolio_id)).last_seq == 5


async def test_a_file_leaves_a_later_sale_the_lot_that_it_named(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_SPECIFIC)
    first, _ = await two_lots(user, portfolio_id)
    await sell_lots(user, portfolio_id, "2020-03-02", (first, "6"))
    rows = [f"2020-02-0{day}T15:00:00Z,sell,IBM,{quantity},120" for day, quantity in ((4, 3), (5, 2), (6, 1))]
    file = "\n".join(["executed_at,type,symbol,quantity,price", *rows, "2020-03-03T15:00:00Z,sell,IBM,9,120"])
    for rehearsal in (True, False):
        answer = await user.import_csv(portfolio_id, file, dry_run=rehearsal)
        assert len(answer.accepted) == 3
        ((line, column, reason),) = [(row.line, row.column, row.reason) for row in answer.rejected]
        assert (line, column) == (3, 4)
        assert (
            f"transaction {first} opened has not what is sold of it on 2020-03-02T15:00:00Z unless at most 1" in reason
        )
    # To record one more is refused where what was named is missing.
    await user.buy(portfolio_id, "1", "120", "2020-03-04", "IBM")


async def test_lots_are_named_in_accounts_of_that_method_alone(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_LIFO)
    first, _ = await two_lots(user, portfolio_id)
    with pytest.raises(InvalidTransaction, match="lot_method is specific; it is lifo"):
        await sell_lots(user, portfolio_id, "2020-03-02", (first, "1"))


async def test_lifo_sells_the_newest_first(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_LIFO)
    await two_lots(user, portfolio_id)
    answer = await record(user, portfolio_id, "sell", "IBM", "12", price="130")
    assert answer.position.realized_pnl.value == "160.00"
    assert await lots_of(user, portfolio_id, "IBM") == [("2020-01-03", "8", "800.00")]


@pytest.mark.usefixtures("options")
async def test_an_exercised_call_s_cost_is_in_the_shares_that_it_buys(service: Service) -> None:
    user, portfolio_id = await account(service, lots=pb.LOT_METHOD_FIFO)
    opened = await record(user, portfolio_id, "option_open", CALL, "2", price="4.30", fee="1.30")
    assert opened.cash.amount.value == "49138.70"
    assert opened.position.average_cost.value == "430"
    exercised = await record(user, portfolio_id, "option_exercise", CALL, "1", at="2020-06-01")
    assert (exercised.position.quantity.value, exercised.position.realized_pnl.value) == ("1", "0.00")
    assert exercised.cash.amount.value == "39138.70"
    assert await lots_of(user, portfolio_id, "IBM") == [("2020-06-01", "100", "10430.00")]
    sold = await record(user, portfolio_id, "sell", "IBM", "100", price="110", at="2020-06-02")
    assert sold.position.realized_pnl.value == "570.00"
    assert exercised.transaction.option.multiplier.value == "100"


@pytest.mark.usefixtures("options")
async def test_an_assigned_put_s_premium_lowers_the_cost_of_the_shares(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    written = await record(user, portfolio_id, "option_open", PUT, "1", price="5", side=pb.POSITION_SIDE_SHORT)
    assert (written.position.quantity.value, written.cash.amount.value) == ("-1", "50500.00")
    assigned = await record(user, portfolio_id, "option_assignment", PUT, "1", at="2020-06-01")
    assert (assigned.position.quantity.value, assigned.position.realized_pnl.value) == ("0", "0.00")
    assert await held(user, portfolio_id) == {"USD": "40500.00", "IBM": "100"}
    assert await lots_of(user, portfolio_id, "IBM") == [("2020-06-01", "100", "9500.00")]


@pytest.mark.usefixtures("options")
async def test_what_an_exercise_was_made_of_is_not_changed_under_it(service: Service) -> None:
    user, portfolio_id = await account(service)
    opened = await record(user, portfolio_id, "option_open", CALL, "2", price="4.30")
    exercised = await record(user, portfolio_id, "option_exercise", CALL, "1", at="2020-06-01")
    with pytest.raises(BeforeExercise):
        await record(user, portfolio_id, "option_open", CALL, "1", price="2", at="2020-03-01")
    with pytest.raises(BeforeExercise):
        await reverse(user, portfolio_id, opened.transaction.id)
    await reverse(user, portfolio_id, exercised.transaction.id)
    assert await held(user, portfolio_id) == {"USD": "49140.00", CALL: "2"}
    await reverse(user, portfolio_id, opened.transaction.id)
    assert await held(user, portfolio_id) == {"USD": "50000.00"}


@pytest.mark.usefixtures("options")
async def test_an_index_option_is_settled_in_cash(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", INDEX, "3", price="2")
    with pytest.raises(InvalidTransaction, match="price: is required"):
        await record(user, portfolio_id, "option_exercise", INDEX, "3", at="2020-06-19")
    answer = await record(user, portfolio_id, "option_exercise", INDEX, "3", price="23.5", at="2020-06-19")
    # 3 x 3.5 x 100 came in for what cost 600.
    assert (answer.transaction.cash_effect.amount.value, answer.position.realized_pnl.value) == ("1050.00", "450.00")


@pytest.mark.usefixtures("options")
async def test_an_option_expires_at_nothing_on_either_side(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.30")
    await record(user, portfolio_id, "option_open", PUT, "1", price="5", side=pb.POSITION_SIDE_SHORT)
    lost = await record(user, portfolio_id, "option_expiry", CALL, "1", at="2020-06-19T20:00:00+00:00")
    kept = await record(user, portfolio_id, "option_expiry", PUT, "1", at="2020-06-19T20:00:00+00:00")
    assert (lost.position.realized_pnl.value, kept.position.realized_pnl.value) == ("-430.00", "500.00")
    assert await held(user, portfolio_id) == {"USD": "50070.00"}


@pytest.mark.usefixtures("options")
async def test_an_option_is_worth_its_price_by_its_multiplier(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "2", price="4.30")
    service.market.live[CALL] = Quote(CALL, Decimal("6.00"), None, None, NOW, stale=False, currency="USD")
    found = (await user.positions(portfolio_id)).positions[0]
    assert (found.market_value.value, found.unrealized_pnl.value) == ("1200.00", "340.00")


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("kind", "symbol", "fields", "error"),
    [
        ("option_open", "IBM", {"price": "1"}, InvalidTransaction),
        ("option_open", CALL, {"price": "1", "quantity": "1.5"}, InvalidTransaction),
        ("option_open", CALL, {"price": "1", "side": pb.POSITION_SIDE_SHORT}, MarginNotEnabled),
        ("option_open", CALL, {"price": "1", "at": "2020-06-22"}, OutsideOptionLife),
        ("buy", CALL, {"price": "1", "at": "2020-06-22"}, OutsideOptionLife),
        ("option_close", CALL, {"price": "1"}, InsufficientHolding),
        ("option_exercise", CALL, {}, InsufficientHolding),
        ("option_exercise", CALL, {"price": "5"}, InvalidTransaction),
        ("option_exercise", INDEX, {"price": "25"}, OutsideOptionLife),
        ("option_assignment", CALL, {}, InsufficientHolding),
        ("option_expiry", CALL, {}, OutsideOptionLife),
        ("sell", CALL, {"price": "1"}, InsufficientHolding),
    ],
)
async def test_what_an_option_is_not_for_is_refused(
    service: Service, kind: str, symbol: str, fields: dict[str, Any], error: type[QuantmeshError]
) -> None:
    user, portfolio_id = await account(service)
    with pytest.raises(error):
        await record(user, portfolio_id, kind, symbol, **{"quantity": "1", **fields})
    assert (await user.events(portfolio_id)).last_seq == 1


@pytest.mark.usefixtures("options")
async def test_an_option_and_its_reversal_prove_what_the_ledger_says(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    written = await record(user, portfolio_id, "option_open", PUT, "1", price="5", side=pb.POSITION_SIDE_SHORT)
    assigned = await record(user, portfolio_id, "option_assignment", PUT, "1", at="2020-06-01")
    await reverse(user, portfolio_id, assigned.transaction.id)
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio -c session_replication_role=replica", autocommit=True
    ) as admin:
        leaves = await announced_leaves(admin)
        assert len(leaves) == 4
        for transaction_id, leaf in leaves.items():
            assert leaf_of(await payload(service, user, transaction_id), keccak256) == leaf
        await admin.execute("""UPDATE transaction SET option = jsonb_set(option, '{strike}', '"99"')""")
        for transaction_id in (written.transaction.id, assigned.transaction.id):
            assert leaf_of(await payload(service, user, transaction_id), keccak256) != leaves[transaction_id]
