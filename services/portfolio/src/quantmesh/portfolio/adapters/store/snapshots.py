"""Snapshots of the ledger, and reads from them; a row per instrument for as long as that stayed the same."""

import json
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.views import bounds, instant
from quantmesh.portfolio.core.lots import FoldedLots, Lot, Position
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import Snapshot

_FIND = text(
    """
    SELECT number, seq, executed_until, cash FROM ledger_snapshot
    WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL
      AND seq <= :seq AND recorded_until <= CAST(:known_at AS timestamptz)
      AND executed_until <= CAST(:as_of AS timestamptz) AND executed_until < CAST(:before AS timestamptz)
    ORDER BY number DESC
    LIMIT 1
    """
)
_POSITIONS = text(
    """
    SELECT symbol, currency, quantity, cost, average_cost, realized_pnl FROM snapshot_position
    WHERE portfolio_id = :portfolio_id AND from_number <= :number AND until_number > :number AND quantity <> 0
    """
)
_LOTS = text(
    """
    SELECT symbol, currency, folded FROM snapshot_position
    WHERE portfolio_id = :portfolio_id AND from_number <= :number AND until_number > :number AND symbol = ANY(:symbols)
    """
)


class SnapshotStore(Owned):
    async def snapshot(
        self, portfolio_id: UUID, view: View, fold: str, before: datetime | None = None
    ) -> Snapshot | None:
        found = await self._session.execute(
            _FIND, bounds(portfolio_id, view) | {"fold": fold, "before": instant(before)}
        )
        row = found.one_or_none()
        if row is None:
            return None
        cash = {currency: Decimal(amount) for currency, amount in row.cash.items()}
        return Snapshot(row.number, row.seq, row.executed_until, cash)

    async def snapshot_positions(self, portfolio_id: UUID, snapshot: Snapshot) -> dict[str, Position]:
        found = await self._session.execute(_POSITIONS, {"portfolio_id": portfolio_id, "number": snapshot.number})
        return {row[0]: Position(*row) for row in found}

    async def snapshot_lots(
        self, portfolio_id: UUID, snapshot: Snapshot, symbols: Collection[str]
    ) -> dict[str, FoldedLots]:
        found = await self._session.execute(
            _LOTS, {"portfolio_id": portfolio_id, "number": snapshot.number, "symbols": list(symbols)}
        )
        return {symbol: _read(symbol, currency, folded) for symbol, currency, folded in found}


def written(folded: FoldedLots) -> str:
    lots = [[str(lot.quantity), str(lot.cost), lot.opened_at.isoformat()] for lot in folded.lots]
    return json.dumps([str(folded.realized), folded.moved_at.isoformat(), lots], separators=(",", ":"))


def _read(symbol: str, currency: str, folded: str) -> FoldedLots:
    realized, moved_at, lots = json.loads(folded)
    return FoldedLots(
        symbol,
        currency,
        tuple(Lot(Decimal(quantity), Decimal(cost), datetime.fromisoformat(at)) for quantity, cost, at in lots),
        Decimal(realized),
        datetime.fromisoformat(moved_at),
    )
