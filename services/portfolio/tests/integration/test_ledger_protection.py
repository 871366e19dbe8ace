"""What the database itself refuses, whatever the service's code does."""

from collections.abc import AsyncIterator
from itertools import product
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import NotFound

from .fakes import NO_CONTEXT, Service, User

LEDGER_TABLES = ("transaction", "posting", "account_event")
CHANGES = ("UPDATE {} SET owner_id = owner_id", "DELETE FROM {}", "TRUNCATE {} CASCADE")
TENANT_TABLES = (
    *LEDGER_TABLES,
    "portfolio",
    "transaction_salt",
    "holding",
    "placed_order",
    "idempotency",
    "imported_row",
)


async def owner_with_rows(service: Service) -> tuple[User, str]:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.order(portfolio.id, "1")
    await user.import_csv(portfolio.id, "type,amount,executed_at\ndeposit,5,2020-01-02T15:00:00Z\n")
    return user, portfolio.id


@pytest.fixture
async def as_service(service: Service) -> AsyncIterator[psycopg.AsyncConnection]:
    """The service's own role, as an attacker with its password would have it."""
    async with await psycopg.AsyncConnection.connect(
        service.app_url, options="-c search_path=portfolio", autocommit=True
    ) as connection:
        yield connection


async def be(connection: psycopg.AsyncConnection, owner_id: UUID) -> None:
    await connection.execute("SELECT set_config('app.owner_id', %s, false)", [str(owner_id)])


async def test_ledger_rows_cannot_be_changed_by_the_service(
    service: Service, as_service: psycopg.AsyncConnection
) -> None:
    user, _ = await owner_with_rows(service)
    await be(as_service, user.owner_id)
    for table, change in product(LEDGER_TABLES, CHANGES):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await as_service.execute(sql.SQL(change).format(sql.Identifier(table)))


async def test_ledger_rows_cannot_be_changed_by_the_superuser_by_accident(service: Service) -> None:
    await owner_with_rows(service)
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio", autocommit=True
    ) as admin:
        for table, change in product(LEDGER_TABLES, CHANGES):
            with pytest.raises(psycopg.Error, match="never updated or deleted"):
                await admin.execute(sql.SQL(change).format(sql.Identifier(table)))


async def insert_entry(
    connection: psycopg.AsyncConnection, owner_id: UUID, portfolio_id: str, *, sides: int, amounts: list[str]
) -> UUID:
    """A deposit written by hand, with postings of `amounts` in dollars, of which `sides` are declared."""
    transaction_id = uuid4()
    await connection.execute(
        """
        INSERT INTO transaction (portfolio_id, id, owner_id, seq, type, symbol, amount, currency, note, cash_effect,
                                 postings, executed_at, recorded_at)
        VALUES (%s, %s, %s, 999, 'deposit', '', 1, 'USD', '', 1, %s, now(), now())
        """,
        [portfolio_id, transaction_id, owner_id, sides],
    )
    for ordinal, amount in enumerate(amounts):
        await insert_posting(connection, owner_id, portfolio_id, transaction_id, ordinal, amount)
    return transaction_id


async def insert_posting(
    connection: psycopg.AsyncConnection,
    owner_id: UUID,
    portfolio_id: str,
    transaction_id: UUID,
    ordinal: int,
    amount: str,
) -> None:
    await connection.execute(
        "INSERT INTO posting VALUES (%s, %s, %s, %s, 'assets:cash', 'USD', %s)",
        [portfolio_id, transaction_id, ordinal, owner_id, amount],
    )


async def test_an_entry_that_does_not_balance_cannot_be_committed(
    service: Service, as_service: psycopg.AsyncConnection
) -> None:
    user, portfolio_id = await owner_with_rows(service)
    await be(as_service, user.owner_id)
    attempts: list[tuple[int, list[str], str]] = [
        (2, ["1", "-0.999999999999999999"], "does not balance in USD"),
        (3, ["1", "-1"], "has 2 postings, not 3"),
        (2, [], "has 0 postings, not 2"),
    ]
    for sides, amounts, reason in attempts:
        with pytest.raises(psycopg.errors.CheckViolation, match=reason):
            async with as_service.transaction():
                await insert_entry(as_service, user.owner_id, portfolio_id, sides=sides, amounts=amounts)


async def test_a_committed_entry_takes_no_more_postings(service: Service, as_service: psycopg.AsyncConnection) -> None:
    user, portfolio_id = await owner_with_rows(service)
    await be(as_service, user.owner_id)
    async with as_service.transaction():
        transaction_id = await insert_entry(as_service, user.owner_id, portfolio_id, sides=2, amounts=["1", "-1"])
    with pytest.raises(psycopg.errors.CheckViolation, match="no more postings"):
        await insert_posting(as_service, user.owner_id, portfolio_id, transaction_id, 2, "0.5")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await insert_posting(as_service, user.owner_id, portfolio_id, transaction_id, 1, "0.5")
    with pytest.raises(psycopg.errors.CheckViolation, match="an entry has a transaction"):
        await insert_posting(as_service, user.owner_id, portfolio_id, uuid4(), 0, "0.5")


async def test_a_balance_below_zero_cannot_be_stored(service: Service, as_service: psycopg.AsyncConnection) -> None:
    user, _ = await owner_with_rows(service)
    await be(as_service, user.owner_id)
    with pytest.raises(psycopg.errors.CheckViolation):
        await as_service.execute("UPDATE holding SET amount = -0.01")


async def test_a_tenant_s_rows_are_invisible_to_another(service: Service, as_service: psycopg.AsyncConnection) -> None:
    user, _ = await owner_with_rows(service)
    for table in TENANT_TABLES:
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        await be(as_service, uuid4())
        assert await (await as_service.execute(count)).fetchone() == (0,), table
        await be(as_service, user.owner_id)
        assert await (await as_service.execute(count)).fetchone() != (0,), table


async def test_every_table_with_an_owner_has_forced_row_level_security(service: Service) -> None:
    async with await psycopg.AsyncConnection.connect(service.admin_url) as admin:
        found = await admin.execute(
            """
            SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
            WHERE relnamespace = 'portfolio'::regnamespace AND relkind = 'r' AND attname = 'owner_id'
              AND NOT (relrowsecurity AND relforcerowsecurity)
            """
        )
        assert {name for (name,) in await found.fetchall()} == {"outbox"}


async def test_a_foreign_id_is_not_found_on_every_method_that_takes_one(service: Service) -> None:
    owner, portfolio_id = await owner_with_rows(service)
    owner.call()
    page = await service.rpc.ListTransactions(pb.ListTransactionsRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    placed = await service.rpc.ListOrders(pb.ListOrdersRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    transaction_id, order_id = page.transactions[0].id, placed.orders[0].id
    rpc = service.rpc
    stranger = service.user()
    stranger.call("key")
    with pytest.raises(NotFound):
        await rpc.GetPortfolio(pb.GetPortfolioRequest(id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.UpdatePortfolio(pb.UpdatePortfolioRequest(id=portfolio_id, name="Mine"), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.DeletePortfolio(pb.DeletePortfolioRequest(id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.ListTransactions(pb.ListTransactionsRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.GetTransactionPayload(pb.GetTransactionPayloadRequest(transaction_id=transaction_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.ListLedger(pb.ListLedgerRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.GetOrder(pb.GetOrderRequest(id=order_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.ListOrders(pb.ListOrdersRequest(portfolio_id=portfolio_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await rpc.CancelOrder(pb.CancelOrderRequest(id=order_id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await stranger.positions(portfolio_id)
    with pytest.raises(NotFound):
        await stranger.events(portfolio_id)
    with pytest.raises(NotFound):
        await stranger.deposit(portfolio_id)
    with pytest.raises(NotFound):
        await stranger.order(portfolio_id, "1")
    with pytest.raises(NotFound):
        await stranger.import_csv(portfolio_id, "type,executed_at\n")
    assert (await rpc.ListOrders(pb.ListOrdersRequest(), NO_CONTEXT)).orders == []
