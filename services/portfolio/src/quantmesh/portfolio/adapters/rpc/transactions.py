"""Transactions in and out: recording, importing, listing, and the content behind a proof."""

from collections.abc import AsyncIterator
from datetime import datetime
from functools import cached_property, partial
from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis import idempotency
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.rpc.served import Method, carries_calls
from quantmesh.chassis.rpc.unbundling import Unbundling
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.hashing import payload_of
from quantmesh.portfolio.adapters.import_job import INLINE_ROWS, is_long
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, id_or_none, portfolio_id_of, within
from quantmesh.portfolio.adapters.rpc.recorder import Recorder
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import InvalidCursor, InvalidRequest, TransactionNotFound
from quantmesh.portfolio.core.import_csv import check_header
from quantmesh.portfolio.core.import_transactions import import_transactions, read_import
from quantmesh.portfolio.core.ledger_errors import ImportNotFound
from quantmesh.portfolio.core.model import TransactionInput, TransactionType, checked_note
from quantmesh.portfolio.core.pages import from_cursor, page_limit, page_of
from quantmesh.portfolio.core.record_transactions import resolve
from quantmesh.portfolio.core.reverse_transactions import reverse_import, reverse_transaction
from quantmesh.portfolio.core.split_orders import record_split

_RECORDING = Method(pb.DESCRIPTOR.services_by_name["PortfolioService"].full_name, "RecordTransaction")


class TransactionMethods(Methods):
    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(self._database, self._clock, self._known_accounts)

    @requires("portfolio:write")
    async def RecordTransaction(
        self, request: pb.RecordTransactionRequest, context: Context
    ) -> pb.RecordTransactionResponse:
        portfolio_id = portfolio_id_of(request.portfolio_id)
        try:
            with within("transaction"):
                asked, currency = await resolve(self._market, translate.transaction_input(request.transaction))
        except QuantmeshError:
            # Whether this is a repetition is looked up with the effect; only here it has to be known before.
            kept = await self._kept(request, pb.RecordTransactionResponse)
            if kept is None:
                raise
            return kept

        if asked.type is TransactionType.SPLIT:
            # It may end orders, of which an account that is known tells nothing: it shares its transaction with nobody.
            return await self._once(
                request, pb.RecordTransactionResponse, partial(self._split, portfolio_id, asked, currency)
            )
        claim = idempotency.claim_of(current_caller().user_id, request.DESCRIPTOR.name, request)
        if claim is None:
            raise idempotency.missing()
        return await self._recorder.record(portfolio_id, asked, currency, claim)

    async def _split(
        self, portfolio_id: UUID, asked: TransactionInput, currency: str, store: Store
    ) -> pb.RecordTransactionResponse:
        with within("transaction"):
            recorded = await record_split(store, portfolio_id, asked, currency, self._clock.now(), uuid7)
        return pb.RecordTransactionResponse(**translate.recorded(recorded))

    @requires("portfolio:write")
    @carries_calls
    async def StreamRecordings(
        self, requests: AsyncIterator[pb.StreamRecordingsRequest], context: Context
    ) -> AsyncIterator[pb.StreamRecordingsResponse]:
        async for outcomes in self._unbundling(context).line(request.calls async for request in requests):
            yield pb.StreamRecordingsResponse(outcomes=outcomes)

    @requires("portfolio:write")
    async def RecordTransactions(
        self, request: pb.RecordTransactionsRequest, context: Context
    ) -> AsyncIterator[pb.RecordTransactionsResponse]:
        async for outcomes in self._unbundling(context).outcomes(request.calls):
            yield pb.RecordTransactionsResponse(outcomes=outcomes)

    def _unbundling(self, context: Context) -> Unbundling[pb.RecordTransactionRequest]:
        return Unbundling(_RECORDING, pb.RecordTransactionRequest, partial(self.RecordTransaction, context=context))

    @requires("portfolio:write")
    async def ReverseTransaction(
        self, request: pb.ReverseTransactionRequest, context: Context
    ) -> pb.ReverseTransactionResponse:
        portfolio_id = portfolio_id_of(request.portfolio_id)
        transaction_id = _transaction_id(request.transaction_id)
        note = checked_note(request.note)

        async def reverse(store: Store) -> pb.ReverseTransactionResponse:
            recorded = await reverse_transaction(store, portfolio_id, transaction_id, note, self._clock.now(), uuid7)
            return pb.ReverseTransactionResponse(**translate.recorded(recorded))

        return await self._once(request, pb.ReverseTransactionResponse, reverse)

    @requires("portfolio:write")
    async def ReverseImport(self, request: pb.ReverseImportRequest, context: Context) -> pb.ReverseImportResponse:
        portfolio_id = portfolio_id_of(request.portfolio_id)
        import_id = id_or_none(request.import_id)
        if import_id is None:
            raise ImportNotFound(request.import_id[:64])
        note = checked_note(request.note)

        async def reverse(store: Store) -> pb.ReverseImportResponse:
            await store.portfolio(portfolio_id)
            if await store.imported_rows(portfolio_id, import_id) > INLINE_ROWS:
                return pb.ReverseImportResponse(job=await store.enqueue_reversal(request, self._jobs_per_owner))
            done = await reverse_import(store, portfolio_id, import_id, note, self._clock.now(), uuid7)
            return pb.ReverseImportResponse(
                import_id=str(done.import_id),
                reversed_rows=done.rows,
                first_seq=done.first_seq,
                last_seq=done.last_seq,
            )

        return await self._once(request, pb.ReverseImportResponse, reverse)

    @requires("portfolio:write")
    async def ImportTransactions(
        self, request: pb.ImportTransactionsRequest, context: Context
    ) -> pb.ImportTransactionsResponse:
        # A rehearsal and the import itself may come under the same key.
        scope = "rehearse import" if request.dry_run else ""
        kept = await self._kept(request, pb.ImportTransactionsResponse, scope=scope)
        if kept is not None:
            return kept
        portfolio_id = portfolio_id_of(request.portfolio_id)
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id)
        read = None
        if is_long(request.csv):
            check_header(request.csv)
        else:
            read = await read_import(self._market, portfolio, request.csv)

        async def run(store: Store) -> pb.ImportTransactionsResponse:
            if read is None:
                return pb.ImportTransactionsResponse(job=await store.enqueue_import(request, self._jobs_per_owner))
            outcome = await import_transactions(
                store, portfolio_id, read, self._clock.now(), uuid7, dry_run=request.dry_run
            )
            return translate.import_outcome(outcome)

        return await self._once(request, pb.ImportTransactionsResponse, run, scope=scope)

    @requires("portfolio:read")
    async def ListTransactions(
        self, request: pb.ListTransactionsRequest, context: Context
    ) -> pb.ListTransactionsResponse:
        limit = page_limit(request.page.limit)
        before = _execution_key(request.page.cursor)
        import_id = id_or_none(request.import_id)
        if request.import_id and import_id is None:
            raise InvalidRequest("import_id", f"{request.import_id[:40]!r} is not the id of an import")
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id_of(request.portfolio_id))
            found = await store.transactions(portfolio.id, portfolio.seq, import_id, before, limit + 1)
        shown, cursor = page_of(found, limit, lambda item: [item.entry.input.executed_at.isoformat(), str(item.seq)])
        return pb.ListTransactionsResponse(
            transactions=[translate.transaction(item) for item in shown],
            page=common_pb2.PageInfo(next_cursor=cursor),
        )

    @requires("portfolio:read")
    async def GetTransactionPayload(
        self, request: pb.GetTransactionPayloadRequest, context: Context
    ) -> pb.GetTransactionPayloadResponse:
        transaction_id = _transaction_id(request.transaction_id)
        async with self._store() as store:
            transaction, salt = await store.transaction_with_salt(transaction_id)
        return pb.GetTransactionPayloadResponse(
            transaction_id=str(transaction.id), payload=payload_of(transaction, salt)
        )


def _transaction_id(text: str) -> UUID:
    transaction_id = id_or_none(text)
    if transaction_id is None:
        raise TransactionNotFound(text[:64])
    return transaction_id


def _execution_key(cursor: str) -> tuple[datetime, int] | None:
    key = from_cursor(cursor, 2)
    if key is None:
        return None
    try:
        executed_at = datetime.fromisoformat(key[0])
    except ValueError as error:
        raise InvalidCursor from error
    if executed_at.tzinfo is None or not key[1].isdecimal() or len(key[1]) > 18:
        raise InvalidCursor
    return executed_at, int(key[1])
