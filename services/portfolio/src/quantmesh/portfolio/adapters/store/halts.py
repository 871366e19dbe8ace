"""Halts and the events that tell of them. They belong to no tenant: every transaction sees all of them."""

from datetime import UTC, datetime, time
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.chassis import outbox
from quantmesh.chassis.sql import Executor, Row, text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.translate_halts import halt_to
from quantmesh.portfolio.core.errors import HaltInForce, HaltNotFound
from quantmesh.portfolio.core.halts.model import Halt, HaltKind

IN_FORCE = text("SELECT * FROM halt WHERE lifted_at IS NULL ORDER BY id")
IN_LIMIT_STATE = text("SELECT EXISTS (SELECT FROM venue_symbol WHERE symbol = :symbol AND limit_since IS NOT NULL)")
# Neither a halt nor a limit state.
NONE_FOR = text(
    """
    SELECT demand(
        NOT EXISTS (SELECT FROM halt WHERE lifted_at IS NULL AND symbol IN ('', :symbol))
        AND NOT EXISTS (SELECT FROM venue_symbol WHERE symbol = :symbol AND limit_since IS NOT NULL)
    )
    """
)
_ADD = text(
    """
    INSERT INTO halt SELECT * FROM json_populate_record(NULL::halt, CAST(:halt AS json))
    ON CONFLICT (kind, symbol, level) WHERE lifted_at IS NULL DO NOTHING
    RETURNING id
    """
)
_FIND = text("SELECT * FROM halt WHERE id = :id FOR UPDATE")
_LIFT = text("UPDATE halt SET lifted_at = :lifted_at, lifted_by = :lifted_by, version = :version WHERE id = :id")
_LIST = text(
    """
    SELECT * FROM halt
    WHERE (:symbol = '' OR symbol = :symbol)
      AND (NOT :in_force OR lifted_at IS NULL)
      AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC
    LIMIT :limit
    """
)
_LEVEL_TAKEN = text(
    "SELECT coalesce(max(level), 0) FROM halt WHERE level > 0 AND market_time >= :start AND market_time <= :moment"
)
# Every fill looks at the row of its symbol, and gets nothing while the price is outside its band.
_BEGIN_LIMIT_STATE = text(
    """
    INSERT INTO venue_symbol (symbol, quoted_at, bid_used, ask_used, limit_since)
    VALUES (:symbol, '-infinity', 0, 0, :since)
    ON CONFLICT (symbol) DO UPDATE SET limit_since = excluded.limit_since
    """
)
_END_LIMIT_STATES = text(
    "UPDATE venue_symbol SET limit_since = NULL WHERE limit_since IS NOT NULL AND (:symbol = '' OR symbol = :symbol)"
)
# All halts are one aggregate, so that a follower gets them in the order in which they were decided.
_AGGREGATE = "halts"


class HaltStore:
    """Implements the core's HaltLog."""

    def __init__(self, session: Executor) -> None:
        self._session = session

    async def in_force(self) -> list[Halt]:
        return [_halt(row) for row in await self._session.execute(IN_FORCE)]

    async def add(self, halt: Halt) -> None:
        added = await self._session.execute(_ADD, {"halt": rows.dump(_row(halt))})
        if added.one_or_none() is None:
            raise HaltInForce(halt.kind, halt.symbol)
        await self._announce("portfolio.halt.imposed", pb.HaltImposed(halt=halt_to(halt)), halt.imposed_at)

    async def find(self, halt_id: UUID) -> Halt:
        found = (await self._session.execute(_FIND, {"id": halt_id})).one_or_none()
        if found is None:
            raise HaltNotFound(halt_id)
        return _halt(found)

    async def lift(self, halt: Halt) -> None:
        lifted = {"id": halt.id, "lifted_at": halt.lifted_at, "lifted_by": halt.lifted_by, "version": halt.version}
        await self._session.execute(_LIFT, lifted)
        await self._announce(
            "portfolio.halt.lifted", pb.HaltLifted(halt=halt_to(halt)), halt.lifted_at or halt.imposed_at
        )

    async def level_taken(self, moment: datetime) -> int:
        start = datetime.combine(moment.date(), time(), UTC)
        return int(await self._session.scalar(_LEVEL_TAKEN, {"start": start, "moment": moment}))

    async def begin_limit_state(self, symbol: str, since: datetime) -> None:
        await self._session.execute(_BEGIN_LIMIT_STATE, {"symbol": symbol, "since": since})

    async def end_limit_state(self, symbol: str = "") -> None:
        """Of all symbols where it is empty."""
        await self._session.execute(_END_LIMIT_STATES, {"symbol": symbol})

    async def page(self, symbol: str, before: UUID | None, limit: int, *, in_force: bool) -> list[Halt]:
        """The newest first; of all symbols where it is empty."""
        found = await self._session.execute(
            _LIST, {"symbol": symbol, "in_force": in_force, "before": before, "limit": limit}
        )
        return [_halt(row) for row in found]

    async def _announce(self, subject: str, message: Message, occurred_at: datetime) -> None:
        await outbox.append(self._session, subject, message, aggregate_id=_AGGREGATE, occurred_at=occurred_at)


class HaltReads(Owned):
    async def halts(self) -> list[Halt]:
        return await HaltStore(self._session).in_force()


def _row(halt: Halt) -> rows.Row:
    return {
        "id": halt.id,
        "kind": halt.kind,
        "symbol": halt.symbol,
        "cause": halt.cause,
        "imposed_by": halt.imposed_by,
        "imposed_at": halt.imposed_at,
        "market_time": halt.market_time,
        "lifts_at": halt.lifts_at,
        "level": halt.level,
        "lifted_by": halt.lifted_by,
        "version": halt.version,
    }


def _halt(row: Row) -> Halt:
    return Halt(
        id=row.id,
        kind=HaltKind(row.kind),
        symbol=row.symbol,
        cause=row.cause,
        imposed_by=row.imposed_by,
        imposed_at=row.imposed_at,
        market_time=row.market_time,
        lifts_at=row.lifts_at,
        level=row.level,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        version=row.version,
    )
