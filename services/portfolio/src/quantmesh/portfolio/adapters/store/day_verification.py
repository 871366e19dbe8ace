"""The days that lie beside snapshots, across tenants: which snapshots they are true in, and what they tell."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.adapters.store.daily import columns
from quantmesh.portfolio.core.held_days import NOTHING_HELD
from quantmesh.portfolio.core.rebuilt_days import InstrumentQuarter, KeptQuarter, QuarterSpan

_SPANS = text("SELECT symbol, quarter, from_number, until_number FROM snapshot_days WHERE portfolio_id = :portfolio_id")
_KEPT = text(
    """
    SELECT symbol, quarter, first_day, days, quantities, costs, realized, paid
    FROM unnest(CAST(:symbols AS text[]), CAST(:quarters AS date[])) AS wanted (symbol, quarter)
    LEFT JOIN (
        SELECT * FROM snapshot_days
        WHERE portfolio_id = :portfolio_id AND from_number <= :number AND until_number > :number
    ) AS kept USING (symbol, quarter)
    ORDER BY symbol, quarter
    """
)


class DayVerification:
    """One open transaction in the system role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def spans(self, portfolio_id: UUID) -> Sequence[QuarterSpan]:
        found = await self._session.execute(_SPANS, {"portfolio_id": portfolio_id})
        return [QuarterSpan(InstrumentQuarter(symbol, quarter), *numbers) for symbol, quarter, *numbers in found]

    async def kept(self, portfolio_id: UUID, number: int, wanted: Sequence[InstrumentQuarter]) -> list[KeptQuarter]:
        """At snapshot `number`, each of `wanted`."""
        symbols, quarters = zip(*wanted, strict=True)
        keys = {"portfolio_id": portfolio_id, "number": number, "symbols": list(symbols), "quarters": list(quarters)}
        return [
            KeptQuarter(
                InstrumentQuarter(symbol, quarter), first_day, NOTHING_HELD if first_day is None else columns(texts)
            )
            for symbol, quarter, first_day, *texts in await self._session.execute(_KEPT, keys)
        ]
