"""Long imports to be done, and what each imported row is known by."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from quantmesh.api.common.v1.job_pb2 import Job
from quantmesh.api.portfolio.v1.portfolio_pb2 import ImportTransactionsRequest, ReverseImportRequest
from quantmesh.chassis import jobs
from quantmesh.chassis.sql import plain_array, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.told import id_text

IMPORT_JOB = "import-transactions"
REVERSAL_JOB = "reverse-import"
# As the calls that start them.
JOB_SCOPES = {IMPORT_JOB: "portfolio:write", REVERSAL_JOB: "portfolio:write"}
_ROWS_AT_ONCE = 10_000

_IMPORTED = text(
    """
    SELECT fingerprint, transaction_id FROM imported_row
    WHERE portfolio_id = :portfolio_id AND fingerprint = ANY(CAST(:fingerprints AS bytea[]))
    """
)
_COUNT = text("SELECT count(*) FROM transaction WHERE portfolio_id = :portfolio_id AND import_id = :import_id")
_REMEMBER = text(
    """
    INSERT INTO imported_row (portfolio_id, owner_id, fingerprint, transaction_id)
    SELECT :portfolio_id, :owner_id, fingerprint, transaction_id
    FROM unnest(CAST(:fingerprints AS bytea[]), CAST(:transaction_ids AS uuid[])) AS r (fingerprint, transaction_id)
    """
)


class ImportStore(Owned):
    async def enqueue_import(self, request: ImportTransactionsRequest, most: int) -> Job:
        """Raises TooManyJobs where `most` of the owner's have not ended."""
        return await jobs.enqueue(self._session, self._owner_id, IMPORT_JOB, request, most=most)

    async def enqueue_reversal(self, request: ReverseImportRequest, most: int) -> Job:
        """As an import."""
        return await jobs.enqueue(self._session, self._owner_id, REVERSAL_JOB, request, most=most)

    async def imported_rows(self, portfolio_id: UUID, import_id: UUID) -> int:
        """How many an import recorded."""
        keys = {"portfolio_id": portfolio_id, "import_id": import_id}
        return int(await self._session.scalar(_COUNT, keys) or 0)

    async def imported(self, portfolio_id: UUID, fingerprints: Collection[bytes]) -> Mapping[bytes, UUID]:
        keys = {"portfolio_id": portfolio_id, "fingerprints": _bytea_array(fingerprints)}
        found = await self._session.execute(_IMPORTED, keys)
        return {bytes(row.fingerprint): row.transaction_id for row in found}

    async def remember_imported(self, portfolio_id: UUID, transactions: Mapping[bytes, UUID]) -> None:
        rows = list(transactions.items())
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            fingerprints, transaction_ids = zip(*rows[start : start + _ROWS_AT_ONCE], strict=True)
            await self._session.execute(
                _REMEMBER,
                {
                    "portfolio_id": portfolio_id,
                    "owner_id": self._owner_id,
                    "fingerprints": _bytea_array(fingerprints),
                    "transaction_ids": plain_array(map(id_text, transaction_ids)),
                },
            )


def _bytea_array(values: Iterable[bytes]) -> str:
    return plain_array(rf'"\\x{value.hex()}"' for value in values)
