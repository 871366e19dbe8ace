"""Quantities of thirty digits are kept to the last one, whatever is done with them."""

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb

from .fakes import Service, User
from .test_corrections import held, reverse, reverse_import
from .test_lots_and_options import account, sell_lots
from .test_verification import differences

LONG = "99999999999.123456789012345678"
DAY = "2020-02-03"


@pytest.fixture
async def rich(service: Service) -> tuple[User, str]:
    return await account(service, lots=pb.LOT_METHOD_SPECIFIC, cash="100000000000000.00")


async def test_what_is_taken_back_is_what_was_recorded(service: Service, rich: tuple[User, str]) -> None:
    user, portfolio_id = rich
    bought = await user.buy(portfolio_id, LONG, "0.01", DAY, "IBM")
    assert (await held(user, portfolio_id))["IBM"] == LONG
    await reverse(user, portfolio_id, bought.transaction.id)
    file = f"type,symbol,quantity,price,executed_at\nbuy,IBM,{LONG},0.01,{DAY}T15:00:00Z"
    for _ in range(2):
        imported = await user.import_csv(portfolio_id, file)
        assert (await held(user, portfolio_id))["IBM"] == LONG
        await reverse_import(user, portfolio_id, imported.import_id)
    assert await held(user, portfolio_id) == {"USD": "100000000000000.00"}
    assert await differences(service) == []


async def test_lots_are_named_and_sold_to_the_last_digit(service: Service, rich: tuple[User, str]) -> None:
    user, portfolio_id = rich
    lots = []
    for quantity in ("99999999999", "0.123456789012345678", LONG):
        bought = await user.buy(portfolio_id, quantity, "100", DAY, "IBM")
        lots.append((bought.transaction.id, quantity))
    for sold in (lots[2:], lots[:2]):
        await sell_lots(user, portfolio_id, "2020-03-02", *sold)
    assert (await held(user, portfolio_id)).keys() == {"USD"}
    assert await differences(service) == []
