"""Snapshots of the ledger, and reads from them; a row per instrument for as long as that stayed the same."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store.lot_rows import read_folded
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.views import bounds, instant
from quantmesh.portfolio.core.lots import FoldedLots, Position
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
    ORDER BY symbol COLLATE "C"
    """
)
_LOTS = text(
    """
    SELECT symbol, currency, folded, CASE WHEN :whole THEN lots_between ELSE '' END AS lots_between
    FROM snapshot_position
    WHERE portfolio_id = :portfolio_id AND from_number <= :number AND until_number > :number
      AND symbol = ANY(:symbols)
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
        return {row[0]: Position(*row) for row in found.all()}

    async def snapshot_lots(
        self, portfolio_id: UUID, snapshot: Snapshot, symbols: Collection[str], *, whole: bool = False
    ) -> dict[str, FoldedLots]:
        found = await self._session.execute(
            _LOTS, {"portfolio_id": portfolio_id, "number": snapshot.number, "symbols": list(symbols), "whole": whole}
        )
        return {row.symbol: read_folded(*row) for row in found}
