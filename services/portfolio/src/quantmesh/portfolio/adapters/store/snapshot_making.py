"""Making snapshots, across tenants: which ledgers have grown, and a new snapshot's rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.adapters.store.day_making import DayMaking, Made
from quantmesh.portfolio.adapters.store.lot_rows import between_text, folded_text
from quantmesh.portfolio.adapters.store.views import instant
from quantmesh.portfolio.core.lots import FoldedLots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import Snapshot, fold_name, lay_apart

_DUE = text(
    """
    SELECT p.id FROM portfolio AS p
    LEFT JOIN LATERAL (
        SELECT seq, whole, fold FROM ledger_snapshot AS s
        WHERE s.portfolio_id = p.id AND dropped_at IS NULL ORDER BY number DESC LIMIT 1
    ) AS newest ON true
    WHERE p.deleted_at IS NULL AND p.seq >= :events
      AND (newest.seq IS NULL OR NOT newest.whole OR p.seq - newest.seq >= :events
           OR newest.fold <> CAST(:folds AS jsonb) ->> p.lot_method)
    """
)
_HEAD = text("SELECT owner_id, lot_method, seq, recorded_at FROM portfolio WHERE id = :portfolio_id")
# Right after an import the planner's statistics know nothing of the portfolio: it would rather gather and sort all that
# is left than walk the index, whose order is the one that is asked for. From then on in the transaction.
_WALK_INDEXES = text("SET LOCAL enable_bitmapscan = off")
# Where the next so many transactions end; nothing where fewer are left.
_CUT = text(
    """
    SELECT executed_at FROM transaction
    WHERE portfolio_id = :portfolio_id AND executed_at > CAST(:since AS timestamptz) AND seq <= :seq
    ORDER BY executed_at, transaction.seq OFFSET :step LIMIT 1
    """
)
# What a snapshot cannot go on to, since it lies before its end: its instruments are folded again.
_CAME_LATE = text(
    """
    SELECT count(*) FROM transaction
    WHERE portfolio_id = :portfolio_id AND seq > :after AND seq <= :seq
      AND (executed_at < CAST(:until AS timestamptz)
           OR type = 'reversal' AND executed_at = CAST(:until AS timestamptz))
    """
)
_LAST_EXECUTED = text(
    """
    SELECT executed_at FROM transaction WHERE portfolio_id = :portfolio_id AND seq <= :seq
    ORDER BY executed_at DESC, transaction.seq DESC LIMIT 1
    """
)
# Two processes that make the same snapshot would both number it alike; the second goes away.
_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(hashtextextended('ledger snapshot ' || :portfolio_id, 0))")
_NEXT_NUMBER = text(
    "SELECT coalesce(max(number), 0) + 1 FROM ledger_snapshot WHERE portfolio_id = CAST(:portfolio_id AS uuid)"
)
# The first of a making tells when the earliest was executed of what had been recorded since the one before.
_ADD = text(
    """
    INSERT INTO ledger_snapshot (portfolio_id, number, owner_id, fold, first_seq, seq, executed_until, recorded_until,
                                 whole, cash, after_seq, executed_from)
    SELECT :portfolio_id, :number, :owner_id, :fold, :first_seq, :seq, :executed_until, :recorded_until, :whole,
           CAST(:cash AS jsonb), CAST(:after_seq AS bigint), CASE WHEN CAST(:after_seq AS bigint) IS NOT NULL THEN
               coalesce((
                   SELECT min(executed_at) FROM (
                       SELECT executed_at FROM transaction
                       WHERE portfolio_id = :portfolio_id AND transaction.seq > :after_seq AND transaction.seq <= :seq
                       OFFSET 0
                   ) AS recorded_since
               ), 'infinity')
           END
    """
)
# Without a snapshot before it this one follows from nothing, and what others said of further instruments has ended.
_END_ROWS = text(
    """
    UPDATE snapshot_position SET until_number = :number
    WHERE portfolio_id = :portfolio_id AND until_number > :number AND (:anew OR symbol = ANY(:symbols))
    """
)
# Lots that are laid apart and stayed so are taken over from the row that ends here.
_ADD_ROWS = text(
    """
    INSERT INTO snapshot_position
        (portfolio_id, owner_id, from_number, symbol, currency, quantity, cost, average_cost, realized_pnl, realized,
         paid, folded, lots_between)
    SELECT CAST(:portfolio_id AS uuid), CAST(:owner_id AS uuid), CAST(:number AS bigint),
           r.symbol, currency, quantity, cost, average_cost, realized_pnl, realized, paid, folded,
           coalesce(lots_between, (
               SELECT ended.lots_between FROM snapshot_position AS ended
               WHERE ended.portfolio_id = :portfolio_id AND ended.symbol = r.symbol AND ended.until_number = :number
           ))
    FROM unnest(CAST(:symbols AS text[]), CAST(:currencies AS text[]), CAST(:quantities AS numeric[]),
                CAST(:costs AS numeric[]), CAST(:average_costs AS numeric[]), CAST(:realized_pnl AS numeric[]),
                CAST(:realized AS numeric[]), CAST(:paid AS numeric[]), CAST(:folded AS text[]),
                CAST(:lots_between AS text[]))
        AS r (symbol, currency, quantity, cost, average_cost, realized_pnl, realized, paid, folded, lots_between)
    """
)
# They are in one place only, which is enough for what begins from the newest.
_LEAVE_LOTS = text(
    """
    UPDATE snapshot_position SET lots_between = ''
    WHERE portfolio_id = :portfolio_id AND until_number = :number AND symbol = ANY(:symbols)
    """
)


@dataclass(frozen=True, slots=True)
class Head:
    """How far a portfolio's log has come, and when the last of it was recorded."""

    owner_id: UUID
    lot_method: LotMethod
    seq: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """One that follows from `previous`: `folded` is what moved in between, all of it where there is none before.

    It is `whole` where nothing up to the head's number was executed later.
    """

    previous: Snapshot | None
    head: Head
    executed_until: datetime
    whole: bool
    folded: Mapping[str, FoldedLots]
    cash: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """`after_seq` on the first of a making: how much of the log those before it have, 0 where it follows from none."""

    number: int
    first_seq: int
    executed_until: datetime
    whole: bool
    cash: Mapping[str, Decimal]
    after_seq: int | None = None


class SnapshotMaking:
    """One open transaction in the system role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def due(self, events: int) -> Sequence[UUID]:
        """The portfolios whose newest snapshot lacks so many events, is not whole, or was folded by other rules."""
        folds = json.dumps({method: fold_name(method) for method in LotMethod})
        return await self._session.scalars(_DUE, {"events": events, "folds": folds})

    async def head(self, portfolio_id: UUID) -> Head:
        row = (await self._session.execute(_HEAD, {"portfolio_id": portfolio_id})).one()
        return Head(row.owner_id, LotMethod(row.lot_method), row.seq, row.recorded_at)

    async def cut(self, portfolio_id: UUID, seq: int, since: datetime | None, step: int) -> datetime | None:
        """Until when the next so many transactions were executed; None where fewer are left."""
        await self._session.execute(_WALK_INDEXES)
        bounds = {"portfolio_id": portfolio_id, "seq": seq, "step": step}
        since_text = "-infinity" if since is None else instant(since)
        cut: datetime | None = await self._session.scalar(_CUT, bounds | {"since": since_text})
        return cut

    async def last_executed(self, portfolio_id: UUID, seq: int) -> datetime | None:
        last: datetime | None = await self._session.scalar(_LAST_EXECUTED, {"portfolio_id": portfolio_id, "seq": seq})
        return last

    async def take_turn(self, portfolio_id: UUID) -> bool:
        """Whether nobody else makes snapshots of this portfolio until the transaction ends."""
        return bool(await self._session.scalar(_TAKE_TURN, {"portfolio_id": str(portfolio_id)}))

    async def came_late(self, portfolio_id: UUID, seq: int, newest: Snapshot) -> int:
        """How many transactions were recorded up to `seq` that lie before the end of the newest snapshot."""
        keys = {"portfolio_id": portfolio_id, "after": newest.seq, "seq": seq, "until": newest.executed_until}
        return int(await self._session.scalar(_CAME_LATE, keys) or 0)

    async def next_number(self, portfolio_id: UUID) -> int:
        return int(await self._session.scalar(_NEXT_NUMBER, {"portfolio_id": str(portfolio_id)}))

    async def add_snapshot(self, portfolio_id: UUID, new: NewSnapshot) -> None:
        """In one's turn."""
        number = await self.next_number(portfolio_id)
        keys = {"portfolio_id": portfolio_id, "number": number}
        await self.add_heads(
            portfolio_id,
            new.head,
            [
                SnapshotHead(
                    number,
                    new.head.seq,
                    new.executed_until,
                    new.whole,
                    new.cash,
                    0 if new.previous is None else new.previous.seq,
                )
            ],
        )
        symbols = list(new.folded)
        positions = [lots.position() for lots in new.folded.values()]
        laid = [lay_apart(lots) for lots in new.folded.values()]
        between = [between_text(lots, apart) for lots, apart in laid]
        await self.end_rows(portfolio_id, number, None if new.previous is None else symbols)
        await self._session.execute(
            _ADD_ROWS,
            keys
            | {
                "owner_id": new.head.owner_id,
                "symbols": symbols,
                "currencies": [position.currency for position in positions],
                "quantities": [position.quantity for position in positions],
                "costs": [position.cost for position in positions],
                "average_costs": [position.average_cost for position in positions],
                "realized_pnl": [position.realized_pnl for position in positions],
                "realized": [lots.realized for lots in new.folded.values()],
                "paid": [lots.paid for lots in new.folded.values()],
                "folded": [folded_text(lots) for lots, _ in laid],
                "lots_between": between,
            },
        )
        taken_over = [symbol for symbol, apart in zip(symbols, between, strict=True) if apart is None]
        await self._session.execute(_LEAVE_LOTS, keys | {"symbols": taken_over})
        view = View(as_of=new.executed_until, seq=new.head.seq)
        made = Made(new.head.owner_id, number, new.previous, view, ())
        days = DayMaking(self._session)
        await days.add_flows(portfolio_id, made)
        await days.add_days(portfolio_id, made, new.folded)

    async def add_heads(self, portfolio_id: UUID, head: Head, new: Iterable[SnapshotHead]) -> None:
        shared = {
            "portfolio_id": portfolio_id,
            "owner_id": head.owner_id,
            "fold": fold_name(head.lot_method),
            "seq": head.seq,
            "recorded_until": head.recorded_at,
        }
        await self._session.execute_many(
            _ADD,
            [
                shared
                | {
                    "number": each.number,
                    "first_seq": each.first_seq,
                    "executed_until": each.executed_until,
                    "whole": each.whole,
                    "cash": json.dumps({currency: str(amount) for currency, amount in each.cash.items()}),
                    "after_seq": each.after_seq,
                }
                for each in new
            ],
        )

    async def end_rows(self, portfolio_id: UUID, number: int, symbols: Sequence[str] | None) -> None:
        """What was the newest of `symbols`, or of all where they are None, is so until before snapshot `number`."""
        keys = {"portfolio_id": portfolio_id, "number": number, "anew": symbols is None, "symbols": symbols or []}
        await self._session.execute(_END_ROWS, keys)
