"""The account's log: each event with the next number, and in the same transaction the message that tells of it."""

from google.protobuf.message import Message

from quantmesh.chassis import outbox
from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.account_log import AccountEvent

_LOG = text("INSERT INTO account_event SELECT * FROM json_populate_record(NULL::account_event, CAST(:event AS json))")


class LogStore(Owned):
    async def tell(self, event: AccountEvent, subject: str, message: Message) -> None:
        row = {"portfolio_id": event.portfolio_id, "owner_id": self._owner_id, **rows.event_row(event)}
        await self._session.execute(_LOG, {"event": rows.dump(row)})
        await outbox.append(
            self._session,
            subject,
            message,
            aggregate_id=event.portfolio_id,
            aggregate_version=event.seq,
            owner_id=self._owner_id,
            occurred_at=event.time,
        )
