"""Transactions in and out: recording, importing, listing, and the content behind a proof."""

from datetime import datetime

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.ids import uuid7
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, id_or_none, portfolio_id_of, within
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import InvalidRequest, TransactionNotFound
from quantmesh.portfolio.core.pages import from_cursor, page_limit, to_cursor
from quantmesh.portfolio.core.proof import payload_of
from quantmesh.portfolio.core.record_transactions import (
    Checked,
    check_import,
    import_transactions,
    read_import,
    record_transaction,
    resolve_currency,
)


class TransactionMethods(Methods):
    @requires("portfolio:write")
    async def RecordTransaction(
        self, request: pb.RecordTransactionRequest, context: Context
    ) -> pb.RecordTransactionResponse:
        portfolio_id = portfolio_id_of(request.portfolio_id)
        with within("transaction"):
            asked = translate.transaction_input(request.transaction)
            currency = await resolve_currency(self._market, asked)

        async def record(store: Store) -> pb.RecordTransactionResponse:
            with within("transaction"):
                recorded = await record_transaction(store, portfolio_id, asked, currency, self._clock.now(), uuid7)
            return pb.RecordTransactionResponse(
                transaction=translate.transaction(recorded.transaction),
                position=None if recorded.position is None else translate.position(recorded.position),
                cash=translate.money(recorded.cash, currency),
            )

        return await self._once(request, pb.RecordTransactionResponse, record)

    @requires("portfolio:write")
    async def ImportTransactions(
        self, request: pb.ImportTransactionsRequest, context: Context
    ) -> pb.ImportTransactionsResponse:
        portfolio_id = portfolio_id_of(request.portfolio_id)
        async with self._store() as store:
            await store.portfolio(portfolio_id)
        read = await read_import(self._market, request.csv)
        if request.dry_run:
            async with self._store() as store:
                checked = await check_import(store, portfolio_id, read)
            return pb.ImportTransactionsResponse(
                dry_run=True,
                accepted=[translate.entry(entry) for _, entry in sorted(checked.entries, key=_line)],
                rejected=_rejected(checked),
            )

        async def run(store: Store) -> pb.ImportTransactionsResponse:
            import_id, checked, by_line = await import_transactions(store, portfolio_id, read, self._clock.now(), uuid7)
            return pb.ImportTransactionsResponse(
                import_id=str(import_id),
                accepted=[translate.transaction(by_line[line]) for line in sorted(by_line)],
                rejected=_rejected(checked),
            )

        return await self._once(request, pb.ImportTransactionsResponse, run)

    @requires("portfolio:read")
    async def ListTransactions(
        self, request: pb.ListTransactionsRequest, context: Context
    ) -> pb.ListTransactionsResponse:
        limit = page_limit(request.page.limit)
        before = _execution_key(request.page.cursor)
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id_of(request.portfolio_id))
            found = await store.transactions(portfolio.id, portfolio.seq, before, limit + 1)
        shown = found[:limit]
        cursor = ""
        if len(found) > limit:
            last = shown[-1]
            cursor = to_cursor([last.entry.input.executed_at.isoformat(), str(last.seq)])
        return pb.ListTransactionsResponse(
            transactions=[translate.transaction(item) for item in shown],
            page=common_pb2.PageInfo(next_cursor=cursor),
        )

    @requires("portfolio:read")
    async def GetTransactionPayload(
        self, request: pb.GetTransactionPayloadRequest, context: Context
    ) -> pb.GetTransactionPayloadResponse:
        transaction_id = id_or_none(request.transaction_id)
        if transaction_id is None:
            raise TransactionNotFound(request.transaction_id[:64])
        async with self._store() as store:
            transaction, salt = await store.transaction_with_salt(transaction_id)
        return pb.GetTransactionPayloadResponse(
            transaction_id=str(transaction.id), payload=payload_of(transaction, salt)
        )


def _line(numbered: tuple[int, object]) -> int:
    return numbered[0]


def _rejected(checked: Checked) -> list[pb.RejectedRow]:
    return [pb.RejectedRow(line=row.line, field=row.field, reason=row.reason) for row in checked.rejected]


def _execution_key(cursor: str) -> tuple[datetime, int] | None:
    key = from_cursor(cursor, 2)
    if key is None:
        return None
    try:
        return datetime.fromisoformat(key[0]), int(key[1])
    except ValueError as error:
        raise InvalidRequest("cursor", "is not one that this list gave") from error
