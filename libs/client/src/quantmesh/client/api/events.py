"""/events: for operators."""

from collections.abc import Iterator

from quantmesh.client.models.events import DeadLetter, DeadLetters
from quantmesh.client.transport import Transport


class Events:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Oldest first."""
        after: int | None = 0
        while after is not None:
            page = self._transport.call("GET", "/events/dead-letters", DeadLetters, query={"after": after})
            yield from page.data
            after = page.next_after

    def replay(self, number: int) -> DeadLetter:
        """Let the consumer that gave it up handle it once more; its inbox gives it one effect at most."""
        return self._transport.call("POST", f"/events/dead-letters/{number}/replay", DeadLetter)
