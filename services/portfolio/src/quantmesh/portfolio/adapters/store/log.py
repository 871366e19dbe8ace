"""The account's log: each event with the next number, and in the same transaction the message that tells of it."""

from uuid import UUID

from google.protobuf.message import Message

from quantmesh.chassis import outbox
from quantmesh.chassis.sql import Executor, Statement, text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.told import id_text

# As parts of a WITH, so that what happened and what tells of it can be one statement.
LOGGED = f"""
    logged AS (
        INSERT INTO account_event
        SELECT * FROM json_populate_record(NULL::account_event, CAST(:event AS json))
    ), {outbox.series_parts()}"""  # noqa: S608  the parts are our own
_LOG = text(f"WITH {LOGGED} SELECT 1")


class LogStore(Owned):
    def __init__(self, session: Executor, owner_id: UUID) -> None:
        super().__init__(session, owner_id)
        # What this transaction adds to the log.
        self.told: list[AccountEvent] = []

    async def tell(
        self, event: AccountEvent, subject: str, message: Message, *, within: Statement = _LOG, **values: object
    ) -> None:
        """`within`: a statement of which LOGGED is a part; `values` are those of its other parts."""
        row = {"portfolio_id": event.portfolio_id, "owner_id": self._owner_id, **rows.event_row(event)}
        messages = {id_text(event.portfolio_id): [outbox.SeriesEvent(message, event.seq, event.time)]}
        series = outbox.series(subject, messages, owner_id=self._owner_id)
        with outbox.versions_grow(subject, messages):
            await self._session.send(within, {**values, "event": rows.dump(row), **series})
        self.told.append(event)
