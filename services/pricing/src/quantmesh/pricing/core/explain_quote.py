"""A quote given earlier, with what it was made of."""

from uuid import UUID

from quantmesh.pricing.core.errors import QuoteNotFound
from quantmesh.pricing.core.ports import QuoteRecord, QuoteRecords


async def explain_quote(records: QuoteRecords, owner_id: UUID, quote_id: str) -> QuoteRecord:
    """Raises QuoteNotFound, also for another owner's quote and for what is no id at all."""
    try:
        wanted = UUID(quote_id)
    except ValueError as error:
        raise QuoteNotFound(quote_id[:64]) from error
    record = await records.find(owner_id, wanted)
    if record is None:
        raise QuoteNotFound(quote_id)
    return record
