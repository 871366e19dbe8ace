"""/events: what consumers gave up, for operators to look at and to replay."""

from typing import Annotated, Protocol

from pydantic import StringConstraints

from quantmesh.chassis.events.dead_letters import DeadLetter
from quantmesh.gateway.http.answer import Answer, ok
from quantmesh.gateway.http.models import events as models
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf

_SCOPE = "events:manage"
Number = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}$")]


class Letters(Protocol):
    async def after(self, number: int, limit: int) -> list[DeadLetter]: ...

    async def replay(self, number: int) -> DeadLetter: ...


class Events:
    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    def operations(self) -> Operations:
        operations = Operations("/api/v2/events", "events")
        operations.add(
            "GET",
            "/dead-letters",
            self.dead_letters,
            summary="Events that a consumer gave up, oldest first",
            scope=_SCOPE,
            answer=models.DeadLettersShown,
        )
        operations.add(
            "POST",
            "/dead-letters/{number}/replay",
            self.replay,
            summary="Let the consumer that gave an event up handle it once more",
            scope=_SCOPE,
            answer=models.DeadLetterShown,
        )
        return operations

    async def dead_letters(self, query: QueryOf[models.DeadLetterQuery]) -> Answer:
        found = await self._letters.after(query.after, query.limit + 1)
        shown = found[: query.limit]
        following = shown[-1].number if len(found) > query.limit else None
        return ok({"data": [_letter(letter) for letter in shown], "next_after": following})

    async def replay(self, number: Number) -> Answer:
        return ok(_letter(await self._letters.replay(int(number))))


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "number": letter.number,
        "consumer": letter.consumer,
        "subject": letter.subject,
        "event_id": letter.event_id or None,
        "error": letter.error,
        "died_at": None if letter.died_at is None else letter.died_at.isoformat().replace("+00:00", "Z"),
    }
