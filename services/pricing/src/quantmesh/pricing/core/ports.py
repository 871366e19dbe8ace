"""What the core needs from outside."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class QuoteRecord:
    """A quote as it was given; request and answer in the form in which they travelled."""

    quote_id: UUID
    owner_id: UUID
    request: bytes
    response: bytes
    input_hash: bytes
    code_version: str
    recorded_at: datetime


class QuoteRecords(Protocol):
    async def find(self, owner_id: UUID, quote_id: UUID) -> QuoteRecord | None:
        """None where there is no such quote of this owner's."""
        ...
