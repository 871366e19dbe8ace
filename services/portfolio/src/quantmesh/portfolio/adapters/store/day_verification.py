"""The days that lie beside snapshots, across tenants: which snapshots they are true in, and what they tell."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.adapters.store.daily import read_days
from quantmesh.portfolio.adapters.store.packing import unpacked
from quantmesh.portfolio.core.rebuilt_days import InstrumentQuarter, KeptQuarter, QuarterSpan
from quantmesh.portfolio.core.verify_snapshots import LedgerBreak

_SPANS = text("SELECT symbol, quarter, from_number, until_number FROM held_quarter WHERE portfolio_id = :portfolio_id")
_LAST_DAYS = text(
    "SELECT from_number, last_day, days FROM daily_flow WHERE portfolio_id = :portfolio_id ORDER BY from_number"
)
_KEPT = text(
    """
    SELECT symbol, quarter, first_day, days, quantities, costs, realized, paid
    FROM unnest(CAST(:symbols AS text[]), CAST(:quarters AS integer[])) AS wanted (symbol, quarter)
    LEFT JOIN (
        SELECT * FROM held_quarter
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
        return [
            QuarterSpan(InstrumentQuarter(symbol, date.fromordinal(quarter)), *numbers)
            for symbol, quarter, *numbers in found
        ]

    async def misdated_income(self, portfolio_id: UUID, seq: int) -> LedgerBreak | None:
        """By its last day reads of a period leave out what earned nothing in it."""
        for number, last_day, days in await self._session.execute(_LAST_DAYS, {"portfolio_id": portfolio_id}):
            told = None if days is None else date.fromordinal(int(unpacked(days).units.max()))
            if told != last_day:
                where = f"last day of income beside snapshot {number}"
                return LedgerBreak(portfolio_id, where, "", seq, str(told), str(last_day))
        return None

    async def kept(self, portfolio_id: UUID, number: int, wanted: Sequence[InstrumentQuarter]) -> list[KeptQuarter]:
        """At snapshot `number`, each of `wanted`."""
        symbols, quarters = zip(*((symbol, quarter.toordinal()) for symbol, quarter in wanted), strict=True)
        keys = {"portfolio_id": portfolio_id, "number": number, "symbols": list(symbols), "quarters": list(quarters)}
        return [
            KeptQuarter(
                InstrumentQuarter(symbol, date.fromordinal(quarter)),
                None if first_day is None else date.fromordinal(first_day),
                None if first_day is None else read_days(quarter, columns),
            )
            for symbol, quarter, first_day, *columns in await self._session.execute(_KEPT, keys)
        ]
