"""The rows of many snapshots that were made in one pass, across tenants."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.day_making import DayMaking, Made
from quantmesh.portfolio.adapters.store.lot_rows import between_text, folded_text
from quantmesh.portfolio.adapters.store.snapshot_making import Head, SnapshotHead, SnapshotMaking
from quantmesh.portfolio.adapters.store.views import instant
from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshot_history import Executed, HeldRow, History, Look
from quantmesh.portfolio.core.snapshots import Snapshot, lay_apart

_ROWS_AT_ONCE = 10_000
_EXECUTED = text(
    """
    SELECT executed_at, seq, currency, cash_effect FROM transaction
    WHERE portfolio_id = :portfolio_id AND executed_at >= CAST(:since AS timestamptz) AND seq <= :seq
      AND executed_at <= CAST(:until AS timestamptz)
      AND (executed_at > CAST(:since AS timestamptz) OR seq > :after)
    ORDER BY executed_at, transaction.seq
    """
)
_FOLLOWING = text(
    """
    SELECT coalesce(min(seq), 9223372036854775807) FROM (
        SELECT seq FROM transaction
        WHERE portfolio_id = :portfolio_id AND executed_at > CAST(:until AS timestamptz) AND seq <= :seq
        OFFSET 0
    ) AS later
    """
)
_ADD_ROWS = text(
    """
    INSERT INTO snapshot_position
    SELECT r.* FROM json_populate_recordset(
        json_populate_record(NULL::snapshot_position, CAST(:shared AS json)), CAST(:rows AS json)) AS r
    """
)
# The base's: with the lots that a fold from it takes, and no others any more.
_END_ROWS = text(
    """
    UPDATE snapshot_position AS p SET until_number = ended.until_number, folded = ended.folded, lots_between = ''
    FROM json_to_recordset(CAST(:rows AS json)) AS ended (symbol text, until_number bigint, folded text)
    WHERE p.portfolio_id = :portfolio_id AND p.symbol = ended.symbol AND p.until_number = 9223372036854775807
    """
)
_LAST_NUMBER = 2**63 - 1


class SnapshotPass(SnapshotMaking):
    async def executed(
        self, portfolio_id: UUID, seq: int, base: Snapshot | None, until: datetime
    ) -> Sequence[Executed]:
        """Up to number `seq` of the log, after what the base has."""
        keys = {
            "portfolio_id": portfolio_id,
            "seq": seq,
            "since": "-infinity" if base is None else instant(base.executed_until),
            "after": 0 if base is None else base.seq,
            "until": instant(until),
        }
        return [Executed(*row) for row in await self._session.execute(_EXECUTED, keys)]

    async def following(self, portfolio_id: UUID, seq: int, until: datetime) -> int:
        """The first number of the log, up to `seq`, of what was executed after `until`; the highest for nothing."""
        keys = {"portfolio_id": portfolio_id, "seq": seq, "until": instant(until)}
        return int(await self._session.scalar(_FOLLOWING, keys))

    async def add_flows(self, portfolio_id: UUID, head: Head, base: Snapshot | None, looks: Sequence[Look]) -> None:
        """In one's turn, ahead of the rest, which takes the lots."""
        made = _made(await self.next_number(portfolio_id), head, base, looks)
        await DayMaking(self._session).add_flows(portfolio_id, made)

    async def add_history(
        self, portfolio_id: UUID, head: Head, base: Snapshot | None, history: History, *, whole: bool
    ) -> None:
        """In one's turn. The last of them is `whole` where nothing up to the head was executed later."""
        first = await self.next_number(portfolio_id)
        last = len(history.looks) - 1
        after_seq = 0 if base is None else base.seq
        heads = [
            SnapshotHead(
                first + place,
                look.first_seq,
                look.executed_until,
                whole and place == last,
                look.cash,
                None if place else after_seq,
            )
            for place, look in enumerate(history.looks)
        ]
        await self.add_heads(portfolio_id, head, heads)
        if base is None:
            await self.end_rows(portfolio_id, first, None)
        ended = [
            {"symbol": row.held.symbol, "until_number": first + row.last, "folded": folded_text(row.folded)}
            for row in history.rows
            if row.first is None and row.last is not None
        ]
        await self._session.execute(_END_ROWS, {"portfolio_id": portfolio_id, "rows": rows.dump(ended)})
        added = [row for row in history.rows if row.first is not None]
        shared = rows.dump({"portfolio_id": portfolio_id, "owner_id": head.owner_id, "until_number": _LAST_NUMBER})
        for start in range(0, len(added), _ROWS_AT_ONCE):
            written = [_written(row, first) for row in added[start : start + _ROWS_AT_ONCE]]
            await self._session.execute(_ADD_ROWS, {"shared": shared, "rows": rows.dump(written)})
        await DayMaking(self._session).add_days(portfolio_id, _made(first, head, base, history.looks), history.moved)


def _made(number: int, head: Head, base: Snapshot | None, looks: Sequence[Look]) -> Made:
    *ends, until = (look.executed_until for look in looks)
    return Made(head.owner_id, number, base, View(as_of=until, seq=head.seq), ends)


def _written(row: HeldRow, number: int) -> rows.Row:
    """A row that ends keeps the lots that the pass left it; the newest has all."""
    folded, between = (row.folded, ()) if row.last is not None else lay_apart(row.folded)
    told = _position(row.held) | {
        "realized": row.folded.realized,
        "paid": row.folded.paid,
        "from_number": number + (row.first or 0),
        "folded": folded_text(folded),
        "lots_between": between_text(folded, between) if between else "",
    }
    return told if row.last is None else told | {"until_number": number + row.last}


def _position(held: Position) -> dict[str, object]:
    return {
        "symbol": held.symbol,
        "currency": held.currency,
        "quantity": held.quantity,
        "cost": held.cost,
        "average_cost": held.average_cost,
        "realized_pnl": held.realized_pnl,
    }
