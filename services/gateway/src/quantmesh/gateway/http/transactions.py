"""/portfolios/{id}/transactions: recorded one by one, imported from files, taken back, listed."""

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.rpc.bundling import Bundled
from quantmesh.gateway.http.answer import Answer, created, ok, replayed
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.jobs import accepted_job
from quantmesh.gateway.http.models import transactions as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.models.jobs import JobShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import transactions as translation
from quantmesh.gateway.translation.common import next_cursor, page_request

_IMPORT_BODY_BYTES = 16 * 1024 * 1024
# A body of so many bytes has to arrive; what is done with it takes less.
_IMPORT_SECONDS = 60.0


class Transactions:
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = PortfolioServiceStub(portfolio.channel)
        self._recordings: Bundled[pb.RecordTransactionRequest, pb.RecordTransactionResponse] = Bundled(
            portfolio,
            self._stub.RecordTransaction,
            self._stub.StreamRecordings,
            bundle_type=pb.StreamRecordingsRequest,
            response_type=pb.RecordTransactionResponse,
            timeout_seconds=5.0,
        )

    def declare(self, operations: Operations) -> None:
        add = operations.add
        add(
            "POST",
            "/{portfolio_id}/transactions",
            self.record,
            summary="Record a transaction",
            scope="portfolio:write",
            answer=models.RecordedTransactionShown,
            status=201,
            idempotency="required",
            takes_body=True,
        )
        add(
            "GET",
            "/{portfolio_id}/transactions",
            self.transactions,
            summary="Recorded transactions",
            scope="portfolio:read",
            answer=models.TransactionsShown,
        )
        add(
            "POST",
            "/{portfolio_id}/transactions/import",
            self.import_transactions,
            summary="Import transactions from CSV, or try it with dry_run; more than 1,000 rows are a job",
            scope="portfolio:write",
            answer=models.ImportShown,
            job=JobShown,
            idempotency="required",
            takes_body=True,
            deadline_seconds=_IMPORT_SECONDS,
            raw={models.CSV: self.import_transactions},
            extra={"requestBody": models.CSV_BODY},
        )

        add(
            "POST",
            "/{portfolio_id}/transactions/{transaction_id}/reverse",
            self.reverse,
            summary="Take a transaction back by an entry dated where it is; what an order traded stays",
            scope="portfolio:write",
            answer=models.RecordedTransactionShown,
            status=201,
            idempotency="required",
            takes_body=True,
        )
        add(
            "POST",
            "/{portfolio_id}/transactions/import/{import_id}/reverse",
            self.reverse_import,
            summary="Take back all that an import recorded; its file may then come again. A long import's is a job",
            scope="portfolio:write",
            answer=models.ReversedImportShown,
            job=JobShown,
            status=201,
            idempotency="required",
            takes_body=True,
            deadline_seconds=_IMPORT_SECONDS,
        )

    async def record(self, portfolio_id: Id, body: models.TransactionBody) -> Answer:
        request = translation.transaction_request(portfolio_id, body)
        answer, again = await self._recordings.call_replayable(request)
        return created(translation.recorded(answer), headers=replayed(again))

    async def transactions(self, portfolio_id: Id, query: QueryOf[models.TransactionsQuery]) -> Answer:
        request = pb.ListTransactionsRequest(
            portfolio_id=portfolio_id,
            page=page_request(query.limit, query.cursor),
            import_id=query.import_id or "",
        )
        answer = await self._portfolio.call(self._stub.ListTransactions, request)
        return ok(
            {
                "data": [translation.transaction(item) for item in answer.transactions],
                "next_cursor": next_cursor(answer.page),
            }
        )

    async def reverse(self, portfolio_id: Id, transaction_id: Id, body: models.ReverseBody) -> Answer:
        request = pb.ReverseTransactionRequest(portfolio_id=portfolio_id, transaction_id=transaction_id, note=body.note)
        answer, again = await self._portfolio.call_replayable(
            self._stub.ReverseTransaction, request, timeout_seconds=5.0
        )
        return created(translation.recorded(answer), headers=replayed(again))

    async def reverse_import(self, portfolio_id: Id, import_id: Id, body: models.ReverseBody) -> Answer:
        request = pb.ReverseImportRequest(portfolio_id=portfolio_id, import_id=import_id, note=body.note)
        answer, again = await self._portfolio.call_replayable(
            self._stub.ReverseImport, request, timeout_seconds=_IMPORT_SECONDS
        )
        if answer.HasField("job"):
            return accepted_job(answer.job, replayed(again))
        return created(translation.reversed_import(answer), headers=replayed(again))

    async def import_transactions(self, call: Call, portfolio_id: Id, query: QueryOf[models.ImportQuery]) -> Answer:
        request = pb.ImportTransactionsRequest(
            portfolio_id=portfolio_id, csv=await call.read(_IMPORT_BODY_BYTES), dry_run=query.dry_run
        )
        answer, again = await self._portfolio.call_replayable(
            self._stub.ImportTransactions, request, timeout_seconds=_IMPORT_SECONDS
        )
        if answer.HasField("job"):
            return accepted_job(answer.job, replayed(again))
        return ok(translation.imported(answer, portfolio_id), headers=replayed(again))
