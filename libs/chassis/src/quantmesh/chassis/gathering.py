"""A transaction in few messages: what is asked first is known before, and what is only written can wait."""

from collections.abc import Sequence

from quantmesh.chassis.sql import Asked, Executor, Parameters, Result, Session, Statement


class GatheredSession(Executor):
    """Over a session that has not begun. What was asked ahead holds until something is written."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._answers: list[tuple[Statement, Parameters, Result]] = []
        self._unsent: list[Asked] = []

    async def ask(self, asked: Sequence[Asked]) -> None:
        """One message, the first of which begins; whoever executes one of these later has its answer already."""
        results = await self.session.together(asked)
        self._answers += [(*each, result) for each, result in zip(asked, results, strict=True)]

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        values = parameters or {}
        for index, (known, asked, result) in enumerate(self._answers):
            if known is statement and asked == values:
                del self._answers[index]
                return result
        await self._send_all()
        return await self.session.execute(statement, parameters)

    async def send(self, statement: Statement, parameters: Parameters) -> None:
        self._answers.clear()
        self._unsent.append((statement, parameters))

    async def commit(self) -> None:
        """With what is still to be sent."""
        await self.session.together(self._unsent, commit=True)

    async def _send_all(self) -> None:
        self._answers.clear()
        unsent, self._unsent = self._unsent, []
        if unsent:
            await self.session.together(unsent)
