"""What the database refuses of orders, reservations and used sizes, whatever the service's code does."""

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import product
from uuid import UUID, uuid4

import psycopg
import pytest

from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.order_states import TRANSITIONS, OrderStatus

from .fakes import Service, User
from .order_desk import Desk, sized

NEW = {
    "id": UUID(int=7),
    "client_order_id": "by-hand",
    "symbol": "AAPL",
    "side": "buy",
    "type": "market",
    "quantity": Decimal(10),
    "time_in_force": "gtc",
    "status": "accepted",
    "filled_quantity": Decimal(0),
    "notional": Decimal(0),
    "fee": Decimal(0),
    "reserved": Decimal(0),
    "currency": "USD",
    "created_at": "2026-03-01T09:00:00Z",
    "reason": "",
    "version": 1,
}
# Quantities with which each status is consistent.
FILLED = {"filled": Decimal(10), "partially_filled": Decimal(4)}


@pytest.fixture
async def as_owner(service: Service, account: tuple[User, str, Desk]) -> AsyncIterator[psycopg.AsyncConnection]:
    """The service's own role in the tenant's place, whatever code holds the connection."""
    async with await psycopg.AsyncConnection.connect(
        service.app_url, options="-c search_path=portfolio", autocommit=True
    ) as connection:
        await connection.execute("SELECT set_config('app.owner_id', %s, false)", [str(account[0].owner_id)])
        yield connection


async def insert(connection: psycopg.AsyncConnection, account: tuple[User, str, Desk], **changes: object) -> None:
    user, portfolio_id, _ = account
    row = {**NEW, "portfolio_id": portfolio_id, "owner_id": user.owner_id, **changes}
    columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    statement = f"INSERT INTO placed_order ({columns}) VALUES ({values})"  # noqa: S608  our own names
    await connection.execute(statement, row)


async def move(connection: psycopg.AsyncConnection, status: str, **changes: object) -> None:
    row = {"status": status, "filled_quantity": FILLED.get(status, Decimal(0)), **changes}
    assignments = ", ".join(f"{name} = %({name})s" for name in row)
    statement = f"UPDATE placed_order SET version = version + 1, {assignments} WHERE id = %(id)s"  # noqa: S608  our own
    await connection.execute(statement, {**row, "id": NEW["id"]})


def test_pairs_of_states_differ_where_the_table_says() -> None:
    # What the database knows is pairs: triggered and replaced lead where an order is already.
    assert {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED} == {
        status for status in OrderStatus if status in TRANSITIONS[status].values()
    }


async def test_the_database_has_the_table_of_the_code(as_owner: psycopg.AsyncConnection) -> None:
    kept = await (await as_owner.execute("SELECT current, following FROM order_transition")).fetchall()
    assert set(kept) == {
        ("" if current is None else current.value, following.value)
        for current, steps in TRANSITIONS.items()
        for following in steps.values()
    }


async def test_a_new_order_is_accepted_or_rejected(
    account: tuple[User, str, Desk], as_owner: psycopg.AsyncConnection
) -> None:
    for number, status in enumerate(OrderStatus):
        changes = {"id": uuid4(), "client_order_id": str(number), "status": status.value}
        changes["filled_quantity"] = FILLED.get(status, Decimal(0))
        if status in TRANSITIONS[None].values():
            await insert(as_owner, account, **changes)
        else:
            with pytest.raises(psycopg.errors.CheckViolation, match="an order that is new cannot become"):
                await insert(as_owner, account, **changes)


async def test_no_statement_takes_an_order_where_the_table_does_not(
    account: tuple[User, str, Desk], as_owner: psycopg.AsyncConnection
) -> None:
    for current, wanted in product(OrderStatus, OrderStatus):
        async with as_owner.transaction(force_rollback=True):
            if current is OrderStatus.REJECTED:
                await insert(as_owner, account, status="rejected")
            else:
                await insert(as_owner, account)
                await move(as_owner, current)
            if wanted in TRANSITIONS[current].values():
                await move(as_owner, wanted)
            else:
                with pytest.raises(psycopg.errors.CheckViolation, match=f"that is {current} cannot become {wanted}"):
                    async with as_owner.transaction():
                        await move(as_owner, wanted)


async def test_an_order_keeps_what_it_is_for_and_its_version_rises(
    account: tuple[User, str, Desk], as_owner: psycopg.AsyncConnection
) -> None:
    await insert(as_owner, account)
    for column, value in (("symbol", "MSFT"), ("side", "sell"), ("client_order_id", "other"), ("currency", "EUR")):
        with pytest.raises(psycopg.errors.CheckViolation, match="keeps what it is for"):
            await move(as_owner, "accepted", **{column: value})
    with pytest.raises(psycopg.errors.CheckViolation, match="does not rise"):
        await as_owner.execute("UPDATE placed_order SET reason = 'x'")
    for change in ("DELETE FROM placed_order", "TRUNCATE placed_order", "UPDATE order_transition SET current = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await as_owner.execute(change)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "limit"},
        {"limit_price": Decimal(1)},
        {"type": "stop", "limit_price": Decimal(1)},
        {"filled_quantity": Decimal(11)},
        {"filled_quantity": Decimal(1)},
        {"status": "rejected", "reserved": Decimal(1)},
        {"reserved": Decimal(-1)},
    ],
)
async def test_a_row_that_contradicts_itself_is_refused(
    account: tuple[User, str, Desk], as_owner: psycopg.AsyncConnection, wrong: dict[str, object]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await insert(as_owner, account, **wrong)


async def test_more_than_is_there_is_never_reserved(
    account: tuple[User, str, Desk], as_owner: psycopg.AsyncConnection
) -> None:
    for reserved in (Decimal("100000.01"), Decimal(-1)):
        with pytest.raises(psycopg.errors.CheckViolation):
            await as_owner.execute("UPDATE holding SET reserved = %s WHERE commodity = 'USD'", [reserved])
    await as_owner.execute("UPDATE holding SET reserved = 90 WHERE commodity = 'USD'")
    with pytest.raises(psycopg.errors.CheckViolation, match=r"open orders of .* reserve 90"):
        await as_owner.execute("UPDATE holding SET amount = 89 WHERE commodity = 'USD'")


async def test_what_rests_ahead_is_told_as_a_sum_over_all_owners(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, _ = account
    await user.order(portfolio_id, "7", limit="120", tif="gtc")
    await user.order(portfolio_id, "5", limit="119", tif="gtc")
    await user.order(portfolio_id, "3", stop="140", tif="gtc")
    stranger = service.user()
    other = await stranger.create()
    await stranger.deposit(other.id)
    async with service.database.transaction(stranger.owner_id) as session:
        ahead = [
            await session.scalar(
                text("SELECT resting_ahead('AAPL', 'buy', :price, :time, :id)"),
                {"price": price, "time": sized("1", None).time, "id": uuid4()},
            )
            for price in ("121", "120", "119")
        ]
        seen = await session.scalar(text("SELECT count(*) FROM placed_order"))
    assert (ahead, seen) == ([0, 7, 12], 0)
