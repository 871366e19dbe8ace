"""Events that a consumer gave up."""

from datetime import datetime

from quantmesh.client.models.base import Answer


class DeadLetter(Answer):
    number: int
    consumer: str
    subject: str
    event_id: str | None
    error: str
    died_at: datetime | None


class DeadLetters(Answer):
    data: tuple[DeadLetter, ...]
    next_after: int | None = None
