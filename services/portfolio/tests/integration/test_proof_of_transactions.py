"""The payload is rebuilt from the ledger, and whatever is altered in it shows."""

import json
from collections.abc import AsyncIterator
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.hashing import keccak256
from quantmesh.portfolio.core.errors import ProofErased
from quantmesh.portfolio.core.proof import leaf_of

from .fakes import NO_CONTEXT, Service, User


@pytest.fixture
async def admin(service: Service) -> AsyncIterator[psycopg.AsyncConnection]:
    """Behind the service's back: a superuser whom no trigger stops."""
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio -c session_replication_role=replica", autocommit=True
    ) as connection:
        yield connection


async def payload(service: Service, user: User, transaction_id: str) -> bytes:
    user.call()
    request = pb.GetTransactionPayloadRequest(transaction_id=transaction_id)
    return (await service.rpc.GetTransactionPayload(request, NO_CONTEXT)).payload


async def announced_leaves(admin: psycopg.AsyncConnection) -> dict[str, bytes]:
    """By transaction, as the events tell the chain."""
    found = await admin.execute("SELECT payload FROM outbox WHERE subject = 'portfolio.transaction.recorded'")
    messages = [events_pb2.TransactionRecorded.FromString(row[0]) for row in await found.fetchall()]
    return {message.transaction.id: message.leaf for message in messages}


async def test_the_announced_leaf_is_that_of_the_rebuilt_payload(
    service: Service, admin: psycopg.AsyncConnection
) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100000.00")
    await user.record(
        portfolio.id, type="deposit", amount="0.50", currency="USD", at="2020-01-02", note='ein "Rest" \\ €'
    )
    await user.buy(portfolio.id, "10.125", "73.35")
    await user.order(portfolio.id, "1")
    header = "type,amount,currency,executed_at\n"
    await user.import_csv(portfolio.id, f"{header}deposit,7.10,USD,2020-01-03T10:00:00.25+02:00\n")
    leaves = await announced_leaves(admin)
    assert len(leaves) == 5
    for transaction_id, leaf in leaves.items():
        assert leaf_of(await payload(service, user, transaction_id), keccak256) == leaf


ALTERATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("transaction", "quantity = quantity + 0.000000000000000001"),
    ("transaction", "quantity = -quantity"),
    ("transaction", "price = price - 0.01"),
    ("transaction", "fee = fee + 1"),
    ("transaction", "cash_effect = cash_effect + 0.01"),
    ("transaction", "symbol = 'MSFT'"),
    ("transaction", "type = 'sell'"),
    ("transaction", "currency = 'EUR'"),
    ("transaction", "note = 'x'"),
    ("transaction", "executed_at = executed_at + interval '1 microsecond'"),
    ("transaction", "recorded_at = recorded_at + interval '1 microsecond'"),
    ("transaction", "order_id = NULL"),
    ("transaction", "import_id = gen_random_uuid()"),
    ("transaction", "side = 'short'"),
    ("transaction", """lots = '[{"transaction_id": "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10", "quantity": "1"}]'"""),
    ("transaction", "type = 'reversal', reverses = gen_random_uuid()"),
    ("posting", "amount = amount * 2"),
    ("posting", "account = 'assets:elsewhere'"),
    ("posting", "commodity = 'EUR'"),
)


async def test_every_altered_column_breaks_the_leaf(service: Service, admin: psycopg.AsyncConnection) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    for table, alteration in ALTERATIONS:
        order = await user.order(portfolio.id, "1")
        leaf = (await announced_leaves(admin))[order.transaction_id]
        key = "id" if table == "transaction" else "transaction_id"
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            sql.Identifier(table), sql.SQL(alteration), sql.Identifier(key)
        )
        changed = await admin.execute(statement, [order.transaction_id])
        assert changed.rowcount > 0
        altered = await payload(service, user, order.transaction_id)
        assert leaf_of(altered, keccak256) != leaf, alteration


async def test_a_removed_posting_breaks_the_leaf(service: Service, admin: psycopg.AsyncConnection) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    ((transaction_id, leaf),) = (await announced_leaves(admin)).items()
    await admin.execute("DELETE FROM posting WHERE ordinal = 1")
    assert leaf_of(await payload(service, user, transaction_id), keccak256) != leaf


async def test_an_erased_salt_leaves_nothing_to_rebuild(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    transaction_id = (await user.ledger(portfolio.id))[0].transaction_id
    assert "salt" in json.loads(await payload(service, user, transaction_id))
    async with service.database.system_transaction() as session:
        await session.connection.execute("DELETE FROM transaction_salt")
    with pytest.raises(ProofErased):
        await payload(service, user, transaction_id)
