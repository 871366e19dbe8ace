"""Quotes on their way to the table: taken at once, written in batches, found meanwhile."""

import asyncio
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol
from uuid import UUID

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.pricing.adapters.translate import canonical_inputs, sha256
from quantmesh.pricing.core.errors import RecordsBehind
from quantmesh.pricing.core.ports import QuoteRecord, QuoteRecords

log = get_logger(__name__)

# Making a batch of records holds the event loop for some 2 ms.
_BATCH_ROWS = 256
_BATCH_SECONDS = 0.2
_RETRY_SECONDS = 0.5
_MOST_WAITING = 100_000


class _Quote(NamedTuple):
    owner_id: UUID
    request: pb.PriceRequest
    response: pb.PriceResponse
    given_at: datetime


class QuoteStore(QuoteRecords, Protocol):
    async def insert(self, records: list[QuoteRecord]) -> None: ...


class QuoteRecorder:
    """`code_version` names the code that the quotes come from.

    An orderly end writes what waits; a killed process loses what waited, a fifth of a second of quotes.
    """

    def __init__(
        self, store: QuoteStore, clock: Clock, code_version: str, *, most_waiting: int = _MOST_WAITING
    ) -> None:
        self._store = store
        self._clock = clock
        self._code_version = code_version
        self._most_waiting = most_waiting
        self._waiting: dict[UUID, _Quote] = {}
        self._more = asyncio.Event()
        self._writing = asyncio.Lock()

    def check_room(self) -> None:
        """Raises RecordsBehind where another quote could not be kept."""
        if len(self._waiting) >= self._most_waiting:
            raise RecordsBehind(len(self._waiting))

    def record(self, quote_id: UUID, owner_id: UUID, request: pb.PriceRequest, response: pb.PriceResponse) -> None:
        self._waiting[quote_id] = _Quote(owner_id, request, response, self._clock.now())
        self._more.set()

    async def find(self, owner_id: UUID, quote_id: UUID) -> QuoteRecord | None:
        waiting = self._waiting.get(quote_id)
        if waiting is not None:
            return self._as_record(quote_id, waiting) if waiting.owner_id == owner_id else None
        return await self._store.find(owner_id, quote_id)

    async def run(self) -> None:
        behind = False
        while True:
            await self._more.wait()
            await asyncio.sleep(_BATCH_SECONDS)
            try:
                await self.drain()
            except (Unavailable, Conflict) as error:
                if not behind:
                    log.warning("quotes wait to be recorded", waiting=len(self._waiting), error=error.detail)
                behind = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                behind = False

    async def drain(self) -> None:
        """Write all that waits; what could not be written goes on waiting."""
        async with self._writing:
            self._more.clear()
            try:
                while self._waiting:
                    batch = list(islice(self._waiting.items(), _BATCH_ROWS))
                    await self._store.insert([self._as_record(quote_id, quote) for quote_id, quote in batch])
                    for quote_id, _ in batch:
                        del self._waiting[quote_id]
            finally:
                if self._waiting:
                    self._more.set()

    def _as_record(self, quote_id: UUID, quote: _Quote) -> QuoteRecord:
        return QuoteRecord(
            quote_id=quote_id,
            owner_id=quote.owner_id,
            request=quote.request.SerializeToString(),
            response=quote.response.SerializeToString(),
            input_hash=sha256(canonical_inputs(quote.request)),
            code_version=self._code_version,
            recorded_at=quote.given_at,
        )
