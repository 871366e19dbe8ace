"""Dead letters as an operator is shown them."""

from typing import Annotated

from pydantic import Field

from quantmesh.gateway.http.models.base import Query, Shown, ShownInstant


class DeadLetterQuery(Query):
    after: Annotated[int, Field(ge=0, lt=2**53, description="The number of the last one seen.")] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class DeadLetterShown(Shown):
    number: int
    consumer: Annotated[str, Field(description="The service and its consumer, such as blockchain-anchor-transactions.")]
    subject: str
    event_id: Annotated[str | None, Field(description="Absent where the message was no event; it cannot be replayed.")]
    error: str
    died_at: ShownInstant | None


class DeadLettersShown(Shown):
    data: list[DeadLetterShown]
    next_after: Annotated[int | None, Field(description="What to give as `after` for the following ones.")]
