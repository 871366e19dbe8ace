"""Making snapshots, across tenants: which ledgers have grown, and a new snapshot's rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.adapters.store.lot_rows import between_text, folded_text
from quantmesh.portfolio.adapters.store.views import instant
from quantmesh.portfolio.core.lots import FoldedLots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.snapshots import Snapshot, fold_name, lay_apart, worth_keeping

# What a read that began with a snapshot still needs of it stays for longer than any read lasts.
_DROPPED_STAYS = timedelta(minutes=10)
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
# Where the next so many transactions end; nothing where fewer are left.
_CUT = text(
    """
    SELECT executed_at FROM transaction
    WHERE portfolio_id = :portfolio_id AND executed_at > CAST(:since AS timestamptz) AND seq <= :seq
    ORDER BY executed_at, transaction.seq OFFSET :step LIMIT 1
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
_ADD = text(
    """
    INSERT INTO ledger_snapshot (portfolio_id, number, owner_id, fold, seq, executed_until, recorded_until, whole,
                                 cash)
    VALUES (:portfolio_id, :number, :owner_id, :fold, :seq, :executed_until,
            :recorded_until, :whole, CAST(:cash AS jsonb))
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
        (portfolio_id, owner_id, from_number, symbol, currency, quantity, cost, average_cost, realized_pnl, folded,
         lots_between)
    SELECT CAST(:portfolio_id AS uuid), CAST(:owner_id AS uuid), CAST(:number AS bigint),
           r.symbol, currency, quantity, cost, average_cost, realized, folded,
           coalesce(lots_between, (
               SELECT ended.lots_between FROM snapshot_position AS ended
               WHERE ended.portfolio_id = :portfolio_id AND ended.symbol = r.symbol AND ended.until_number = :number
           ))
    FROM unnest(CAST(:symbols AS text[]), CAST(:currencies AS text[]), CAST(:quantities AS numeric[]),
                CAST(:costs AS numeric[]), CAST(:average_costs AS numeric[]), CAST(:realized AS numeric[]),
                CAST(:folded AS text[]), CAST(:lots_between AS text[]))
        AS r (symbol, currency, quantity, cost, average_cost, realized, folded, lots_between)
    """
)
_NUMBERS = text(
    "SELECT number FROM ledger_snapshot WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL"
)
_DROP = text(
    """
    UPDATE ledger_snapshot SET dropped_at = now()
    WHERE portfolio_id = :portfolio_id AND dropped_at IS NULL AND NOT (fold = :fold AND number = ANY(:kept))
    """
)
_FORGET = text(
    """
    DELETE FROM ledger_snapshot
    WHERE portfolio_id = :portfolio_id AND dropped_at < now() - CAST(:stays AS interval)
    RETURNING number
    """
)
_FORGET_ROWS = text(
    """
    DELETE FROM snapshot_position AS p
    WHERE portfolio_id = :portfolio_id AND until_number <= :number AND NOT EXISTS (
        SELECT FROM ledger_snapshot AS s
        WHERE s.portfolio_id = p.portfolio_id AND s.number >= p.from_number AND s.number < p.until_number
    )
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

    async def add_snapshot(self, portfolio_id: UUID, new: NewSnapshot) -> None:
        """In one's turn. Snapshots that are not worth keeping any more are dropped."""
        number = await self._session.scalar(_NEXT_NUMBER, {"portfolio_id": str(portfolio_id)})
        keys = {"portfolio_id": portfolio_id, "number": number}
        owned = keys | {"owner_id": new.head.owner_id}
        fold = fold_name(new.head.lot_method)
        await self._session.execute(
            _ADD,
            owned
            | {
                "fold": fold,
                "seq": new.head.seq,
                "executed_until": new.executed_until,
                "recorded_until": new.head.recorded_at,
                "whole": new.whole,
                "cash": json.dumps({currency: str(amount) for currency, amount in new.cash.items()}),
            },
        )
        symbols = list(new.folded)
        positions = [lots.position() for lots in new.folded.values()]
        laid = [lay_apart(lots) for lots in new.folded.values()]
        await self._session.execute(_END_ROWS, keys | {"anew": new.previous is None, "symbols": symbols})
        await self._session.execute(
            _ADD_ROWS,
            owned
            | {
                "symbols": symbols,
                "currencies": [position.currency for position in positions],
                "quantities": [position.quantity for position in positions],
                "costs": [position.cost for position in positions],
                "average_costs": [position.average_cost for position in positions],
                "realized": [position.realized_pnl for position in positions],
                "folded": [folded_text(lots) for lots, _ in laid],
                "lots_between": [between_text(lots, between) for lots, between in laid],
            },
        )
        await self._thin(portfolio_id, fold)

    async def _thin(self, portfolio_id: UUID, fold: str) -> None:
        numbers = await self._session.scalars(_NUMBERS, {"portfolio_id": portfolio_id, "fold": fold})
        keys = {"portfolio_id": portfolio_id}
        await self._session.execute(_DROP, keys | {"fold": fold, "kept": sorted(worth_keeping(numbers))})
        gone = await self._session.scalars(_FORGET, keys | {"stays": _DROPPED_STAYS})
        if gone:
            await self._session.execute(_FORGET_ROWS, keys | {"number": max(numbers)})
