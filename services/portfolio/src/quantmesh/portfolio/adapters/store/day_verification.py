"""The days that lie beside snapshots, across tenants: which snapshots they were true in last, and of what."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.adapters.store.daily import columns
from quantmesh.portfolio.core.held_days import HeldDays

_ENDS = text(
    """
    SELECT until_number FROM snapshot_days WHERE portfolio_id = :portfolio_id
    UNION SELECT 9223372036854775807 ORDER BY until_number
    """
)
# Where a row ends another one begins, or nothing is left to tell of that quarter.
_CHANGED = text(
    """
    SELECT DISTINCT symbol FROM snapshot_days
    WHERE portfolio_id = :portfolio_id AND CAST(:number AS bigint) IN (from_number, until_number) ORDER BY symbol
    """
)
_MOVED = text(
    """
    SELECT symbol FROM transaction WHERE portfolio_id = :portfolio_id AND symbol <> ''
    UNION SELECT option ->> 'underlying' FROM transaction WHERE portfolio_id = :portfolio_id AND option IS NOT NULL
    UNION SELECT symbol FROM snapshot_days WHERE portfolio_id = :portfolio_id
    ORDER BY symbol
    """
)
_KEPT = text(
    """
    SELECT symbol, string_agg(days, ',' ORDER BY quarter) AS days,
           string_agg(quantities, ',' ORDER BY quarter) AS quantities, string_agg(costs, ',' ORDER BY quarter) AS costs,
           string_agg(realized, ',' ORDER BY quarter) AS realized, string_agg(paid, ',' ORDER BY quarter) AS paid
    FROM snapshot_days
    WHERE portfolio_id = :portfolio_id AND symbol = ANY(:symbols)
      AND from_number <= :number AND until_number > :number
    GROUP BY symbol
    """
)


class DayVerification:
    """One open transaction in the system role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ends(self, portfolio_id: UUID) -> Sequence[int]:
        """Before which numbers of snapshots some row was true last; after all, of those that are."""
        return await self._session.scalars(_ENDS, {"portfolio_id": portfolio_id})

    async def changed(self, portfolio_id: UUID, number: int) -> Sequence[str]:
        """The instruments of which a row ended or began at snapshot `number`."""
        return await self._session.scalars(_CHANGED, {"portfolio_id": portfolio_id, "number": number})

    async def moved(self, portfolio_id: UUID) -> Sequence[str]:
        """All that ever did, or are said to have."""
        return await self._session.scalars(_MOVED, {"portfolio_id": portfolio_id})

    async def kept(self, portfolio_id: UUID, number: int, symbols: Sequence[str]) -> dict[str, HeldDays]:
        keys = {"portfolio_id": portfolio_id, "number": number, "symbols": list(symbols)}
        return {symbol: columns(texts) for symbol, *texts in await self._session.execute(_KEPT, keys)}
