"""Options that are held at their expiry are settled by rule, once, in whatever process leads."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.option_expiry import OptionExpiry
from quantmesh.portfolio.core.errors import BeforeSplit, InsufficientHolding

from .fakes import Service, User
from .test_corrections import held, listed, reverse
from .test_lots_and_options import CALL, EXPIRY, INDEX, PUT, account, record, with_options

pytestmark = pytest.mark.usefixtures("options")
SHORT = {"side": pb.POSITION_SIDE_SHORT}


@pytest.fixture
def options(service: Service) -> None:
    with_options(service)


def closing(service: Service, price: str, symbol: str = "IBM") -> OptionExpiry:
    """The underlying's close on the day of expiry, and who settles."""
    service.market.history[symbol] = {EXPIRY.date(): Decimal(price)}
    return OptionExpiry(service.database, service.market, service.clock)


async def kinds(user: User, portfolio_id: str) -> list[str]:
    """The types recorded at the expiry."""
    rows = (await listed(user, portfolio_id)).values()
    at_expiry = [row for row in rows if row.input.executed_at.ToDatetime(EXPIRY.tzinfo) == EXPIRY]
    return sorted(pb.TransactionType.Name(row.input.type).removeprefix("TRANSACTION_TYPE_") for row in at_expiry)


@pytest.mark.parametrize(
    ("symbol", "side", "price", "kind", "cash", "shares"),
    [
        # Paid 4.00 x 100; the call buys at 100.
        (CALL, {}, "100.01", "OPTION_EXERCISE", "39600.00", "100"),
        (CALL, {}, "100.00", "OPTION_EXPIRY", "49600.00", None),
        (CALL, {}, "99.00", "OPTION_EXPIRY", "49600.00", None),
        # Written for 4.00 x 100: it delivers, or buys at 100.
        (CALL, SHORT, "105.00", "OPTION_ASSIGNMENT", "60400.00", "-100"),
        (PUT, SHORT, "95.00", "OPTION_ASSIGNMENT", "40400.00", "100"),
        (PUT, SHORT, "100.00", "OPTION_EXPIRY", "50400.00", None),
    ],
)
async def test_an_option_in_the_money_is_exercised_and_any_other_expires(
    service: Service, symbol: str, side: dict[str, Any], price: str, kind: str, cash: str, shares: str | None
) -> None:
    user, portfolio_id = await account(service, margin=bool(side))
    await record(user, portfolio_id, "option_open", symbol, "1", price="4.00", **side)
    await closing(service, price).settle_due()
    assert await kinds(user, portfolio_id) == [kind]
    assert await held(user, portfolio_id) == {"USD": cash} | ({} if shares is None else {"IBM": shares})


async def test_an_index_option_pays_what_it_is_in_the_money(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", INDEX, "3", price="2.00")
    await closing(service, "23.50", "VIX").settle_due()
    assert await held(user, portfolio_id) == {"USD": "50450.00"}


@pytest.mark.parametrize(("symbol", "price", "cash"), [(CALL, "105.00", "600.00"), (PUT, "95.00", "600.00")])
async def test_who_cannot_take_part_in_the_delivery_is_sold_out(
    service: Service, symbol: str, price: str, cash: str
) -> None:
    user, portfolio_id = await account(service, cash="500.00")
    await record(user, portfolio_id, "option_open", symbol, "1", price="4.00")
    await closing(service, price).settle_due()
    assert await kinds(user, portfolio_id) == ["OPTION_CLOSE"]
    assert await held(user, portfolio_id) == {"USD": cash}


async def test_what_has_not_expired_or_has_no_price_stays(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.00")
    settling = closing(service, "120.00")
    service.market.time = EXPIRY - timedelta(microseconds=1)
    await settling.settle_due()
    assert (await held(user, portfolio_id))[CALL] == "1"
    service.market.time = EXPIRY
    service.market.history.clear()
    await settling.settle_due()
    assert (await held(user, portfolio_id))[CALL] == "1"


async def test_several_who_settle_at_once_settle_once(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "2", price="4.00")
    settling = [closing(service, "120.00") for _ in range(4)]
    await asyncio.gather(*(each.settle_due() for each in settling))
    await settling[0].settle_due()
    assert await kinds(user, portfolio_id) == ["OPTION_EXERCISE"]
    assert await held(user, portfolio_id) == {"USD": "29200.00", "IBM": "200"}


async def test_a_settlement_that_was_taken_back_is_left_to_whoever_did(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.00")
    settling = closing(service, "99.00")
    await settling.settle_due()
    rows = (await listed(user, portfolio_id)).values()
    (expired,) = (row.id for row in rows if row.input.type == pb.TRANSACTION_TYPE_OPTION_EXPIRY)
    await reverse(user, portfolio_id, expired)
    await settling.settle_due()
    assert (await held(user, portfolio_id))[CALL] == "1"
    await record(user, portfolio_id, "option_exercise", CALL, "1", at="2020-06-18")
    assert await held(user, portfolio_id) == {"USD": "39600.00", "IBM": "100"}


@pytest.mark.parametrize("margin", [False, True])
async def test_nothing_late_makes_an_expired_option_one_to_be_settled(service: Service, *, margin: bool) -> None:
    user, portfolio_id = await account(service, margin=margin)
    opened = await record(user, portfolio_id, "option_open", CALL, "2", price="4.00")
    await closing(service, "99.00").settle_due()
    late = {"price": "4.00", "at": "2020-04-02"}
    with pytest.raises(InsufficientHolding):
        await record(user, portfolio_id, "option_close", CALL, "1", **late)
    file = f"type,symbol,quantity,price,executed_at\noption_close,{CALL},1,4,2020-04-02T15:00:00Z"
    for rehearsal in (True, False):
        (row,) = (await user.import_csv(portfolio_id, file, dry_run=rehearsal)).rejected
        assert row.field == "quantity"
    with pytest.raises(InsufficientHolding):
        await reverse(user, portfolio_id, opened.transaction.id)
    await closing(service, "150.00").settle_due()
    assert await held(user, portfolio_id) == {"USD": "49200.00"}
    # What was forgotten is held, and settled.
    await record(user, portfolio_id, "option_open", CALL, "1", **late)
    await closing(service, "99.00").settle_due()
    assert await held(user, portfolio_id) == {"USD": "48800.00"}


async def test_what_pays_out_an_index_option_keeps_what_it_was_paid_for(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    opened = await record(user, portfolio_id, "option_open", INDEX, "1", price="4.00")
    paid = await record(user, portfolio_id, "option_exercise", INDEX, "1", price="30", at="2020-06-19")
    with pytest.raises(InsufficientHolding, match="the option_exercise on 2020-06-19T15:00:00Z leaves only 0"):
        await reverse(user, portfolio_id, opened.transaction.id)
    await reverse(user, portfolio_id, paid.transaction.id)
    await reverse(user, portfolio_id, opened.transaction.id)
    assert await held(user, portfolio_id) == {"USD": "50000.00"}


async def test_what_a_split_was_counted_without_is_no_longer_opened_for_delivery(service: Service) -> None:
    """The split's units are those of what was held without the delivery, which could never be posted."""
    user, portfolio_id = await account(service, margin=True)
    await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    split = await user.record(portfolio_id, type="split", symbol="IBM", split_ratio="2", at="2020-07-01")
    before = await held(user, portfolio_id)
    for kind, symbol, side in (("option_open", CALL, {}), ("option_open", PUT, SHORT), ("buy", CALL, {})):
        with pytest.raises(
            BeforeSplit, match=f"{symbol} may deliver IBM when it expires, and IBM has a split recorded"
        ):
            await record(user, portfolio_id, kind, symbol, "1", price="4.00", **side)
    file = f"type,symbol,quantity,price,executed_at\noption_open,{CALL},1,4,2020-03-02T15:00:00Z"
    for rehearsal in (True, False):
        (row,) = (await user.import_csv(portfolio_id, file, dry_run=rehearsal)).rejected
        assert (row.field, row.reason.split(",")[0]) == ("executed_at", f"{CALL} may deliver IBM when it expires")
    assert await held(user, portfolio_id) == before
    # As a trade of the underlying would be: before the split, which is posted again.
    await reverse(user, portfolio_id, split.transaction.id)
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.00")
    await closing(service, "120.00").settle_due()
    await user.record(portfolio_id, type="split", symbol="IBM", split_ratio="2", at="2020-07-01")
    assert (await held(user, portfolio_id))["IBM"] == "220"


async def test_an_option_that_outlives_a_split_is_opened_before_it(service: Service) -> None:
    user, portfolio_id = await account(service)
    await user.buy(portfolio_id, "10", "100", "2020-01-03", "IBM")
    await user.record(portfolio_id, type="split", symbol="IBM", split_ratio="2", at="2020-06-19")
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.00")
    await closing(service, "120.00").settle_due()
    assert (await held(user, portfolio_id))["IBM"] == "120"
