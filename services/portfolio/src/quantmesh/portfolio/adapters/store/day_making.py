"""The rows beside new snapshots that tell what was held and what flowed day by day; across tenants."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple, TypeAlias
from uuid import UUID

from quantmesh.chassis.sql import Row, Session, text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.daily import (
    BY_RULE,
    DAY,
    EARNING,
    FLOW_SUMS,
    INCOME_SUMS,
    MOVES_CASH,
    read_days,
)
from quantmesh.portfolio.adapters.store.packing import packed
from quantmesh.portfolio.adapters.store.since import POSTED_SINCE, bounds_since
from quantmesh.portfolio.adapters.store.views import SEEN, instant
from quantmesh.portfolio.core.daily_income import DailyIncome, IncomeTable, income_table
from quantmesh.portfolio.core.held_days import HeldDay, HeldDays, by_quarter, in_columns, quarter_of
from quantmesh.portfolio.core.lots import FoldedLots
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.scaled import Scaled
from quantmesh.portfolio.core.snapshots import Snapshot

_LAST_NUMBER = 2**63 - 1
# Each transaction belongs to the first snapshot that ends no earlier; what came late to the first of all.
_NUMBER = ":number + width_bucket(t.executed_at, CAST(:ends AS timestamptz[]))"
_ADD_FLOWS = text(
    f"""
    INSERT INTO daily_flow (portfolio_id, from_number, owner_id, flows)
    SELECT :portfolio_id, number, :owner_id,
           json_agg(json_build_array(day, currency, trim_scale(cash)::text, trim_scale(deposits)::text,
                                     trim_scale(withdrawals)::text, entries))
    FROM (
        SELECT {_NUMBER} AS number, {DAY} AS day, t.currency, {FLOW_SUMS}
        FROM {BY_RULE} WHERE {SEEN} AND {MOVES_CASH} GROUP BY 1, 2, 3
    ) AS flow
    GROUP BY number
    """  # noqa: S608  the fragments are our own
)
_EARNED = text(
    f"""
    SELECT * FROM (
        SELECT {_NUMBER} AS number, {DAY} AS day, t.symbol, p.commodity, {INCOME_SUMS}
        FROM {POSTED_SINCE} WHERE {SEEN} AND {EARNING} GROUP BY 1, 2, 3, 4
    ) AS earned
    WHERE income <> 0 OR fees <> 0
    ORDER BY number, symbol, commodity, day
    """  # noqa: S608  the fragments are our own
)
_ADD_INCOME = text(
    """
    UPDATE daily_flow AS f
    SET earners = r.earners, owners = r.owners, days = r.days, income = r.income, fees = r.fees, last_day = r.last_day
    FROM json_populate_recordset(NULL::daily_flow, CAST(:rows AS json)) AS r
    WHERE f.portfolio_id = :portfolio_id AND f.from_number = r.from_number
    """
)
_END_ALL = tuple(
    text(
        f"""
        UPDATE {table} SET until_number = :number
        WHERE portfolio_id = :portfolio_id AND until_number = 9223372036854775807
        """  # noqa: S608  the tables are our own
    )
    for table in ("daily_flow", "held_quarter")
)
_NEWEST = text(
    """
    SELECT d.symbol, d.quarter, d.days, d.quantities, d.costs, d.realized, d.paid
    FROM unnest(CAST(:symbols AS text[]), CAST(:quarters AS integer[])) AS moved (symbol, quarter)
    JOIN held_quarter AS d ON d.portfolio_id = :portfolio_id AND d.symbol = moved.symbol AND d.quarter >= moved.quarter
    WHERE until_number = 9223372036854775807
    ORDER BY d.symbol, d.quarter
    """
)
_END = text(
    """
    UPDATE held_quarter AS d SET until_number = :number
    FROM json_to_recordset(CAST(:rows AS json)) AS ended (symbol text, quarter integer)
    WHERE d.portfolio_id = :portfolio_id AND d.symbol = ended.symbol AND d.quarter = ended.quarter
      AND until_number = 9223372036854775807
    """
)
_GO_ON = text(
    """
    UPDATE held_quarter AS d
    SET first_day = r.first_day, days = r.days, quantities = r.quantities, costs = r.costs, realized = r.realized,
        paid = r.paid
    FROM json_populate_recordset(NULL::held_quarter, CAST(:rows AS json)) AS r
    WHERE d.portfolio_id = :portfolio_id AND d.symbol = r.symbol AND d.quarter = r.quarter
      AND d.until_number = 9223372036854775807
    """
)
_ADD = text(
    """
    INSERT INTO held_quarter
    SELECT r.* FROM json_populate_recordset(
        json_populate_record(NULL::held_quarter, CAST(:shared AS json)), CAST(:rows AS json)) AS r
    """
)


# By symbol, and by the first day of each quarter.
_Quarters: TypeAlias = dict[str, dict[date, HeldDays]]


class Made(NamedTuple):
    """New snapshots, from `number` on: after `previous`, or from nothing, to what `view` shows.

    All but the last were executed until one of `ends`.
    """

    owner_id: UUID
    number: int
    previous: Snapshot | None
    view: View
    ends: Sequence[datetime]


class DayMaking:
    """One open transaction in the system role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add_flows(self, portfolio_id: UUID, made: Made) -> None:
        """And end all that was there, where they follow from nothing: ahead of their days."""
        keys = {"portfolio_id": portfolio_id, "number": made.number}
        if made.previous is None:
            for statement in _END_ALL:
                await self._session.execute(statement, keys)
        ends = [instant(end + timedelta(microseconds=1)) for end in made.ends]
        bounds = bounds_since(portfolio_id, made.view, made.previous) | keys | {"ends": ends}
        await self._session.execute(_ADD_FLOWS, bounds | {"owner_id": made.owner_id})
        await self._add_income(portfolio_id, (await self._session.execute(_EARNED, bounds)).all())

    async def _add_income(self, portfolio_id: UUID, earned: Sequence[Row]) -> None:
        """By number of their snapshot."""
        told = [
            _written_income(number, income_table(DailyIncome(*item) for _, *item in of_snapshot))
            for number, of_snapshot in groupby(earned, key=lambda row: row.number)
        ]
        await self._session.execute(_ADD_INCOME, {"portfolio_id": portfolio_id, "rows": rows.dump(told)})

    async def add_days(self, portfolio_id: UUID, made: Made, moved: Mapping[str, FoldedLots]) -> None:
        """Of what moved, each day on which it did.

        A row that says the same as before of all days that earlier snapshots tell of goes on; another one ends.
        """
        newest = {} if made.previous is None else await self._newest(portfolio_id, moved)
        told = date.min if made.previous is None else made.previous.executed_until.date()
        ended: list[rows.Row] = []
        going_on: list[rows.Row] = []
        added: list[rows.Row] = []
        for symbol, lots in moved.items():
            before = newest.get(symbol, {})
            after = _joined(before, lots.days)
            for quarter in {*before, *after}:
                old, new = before.get(quarter), after.get(quarter)
                goes_on = bool(old and new and old.before(told).tells_the_same(new.before(told)))
                if old and not goes_on:
                    ended.append({"symbol": symbol, "quarter": quarter.toordinal()})
                if new and not (old and new.tells_the_same(old)):
                    (going_on if goes_on else added).append(_written(symbol, quarter, new))
        keys = {"portfolio_id": portfolio_id}
        await self._session.execute(_END, keys | {"number": made.number, "rows": rows.dump(ended)})
        await self._session.execute(_GO_ON, keys | {"rows": rows.dump(going_on)})
        shared = {
            "portfolio_id": portfolio_id,
            "owner_id": made.owner_id,
            "from_number": made.number,
            "until_number": _LAST_NUMBER,
        }
        await self._session.execute(_ADD, {"shared": rows.dump(shared), "rows": rows.dump(added)})

    async def _newest(self, portfolio_id: UUID, moved: Mapping[str, FoldedLots]) -> _Quarters:
        """From the quarter on in which each began to move."""
        keys = {
            "portfolio_id": portfolio_id,
            "symbols": list(moved),
            "quarters": [quarter_of(lots.days[0].day).toordinal() for lots in moved.values()],
        }
        found: _Quarters = {}
        for symbol, quarter, *columns in await self._session.execute(_NEWEST, keys):
            found.setdefault(symbol, {})[date.fromordinal(quarter)] = read_days(quarter, columns)
        return found


def _joined(before: Mapping[date, HeldDays], later: Sequence[HeldDay]) -> dict[date, HeldDays]:
    """By quarter, of which only the first of `before` has days that stay."""
    found = {quarter: in_columns(days) for quarter, days in by_quarter(later).items()}
    first = quarter_of(later[0].day)
    if first in before:
        found[first] = before[first].before(later[0].day).then(found[first])
    return found


def _written(symbol: str, quarter: date, held: HeldDays) -> rows.Row:
    return {
        "symbol": symbol,
        "quarter": quarter.toordinal(),
        "first_day": int(held.days[0]),
        "days": rows.binary(packed(Scaled(held.days - quarter.toordinal()))),
        "quantities": rows.binary(packed(held.quantities)),
        "costs": rows.binary(packed(held.costs)),
        "realized": rows.binary(packed(held.realized)),
        "paid": rows.binary(packed(held.paid)),
    }


def _written_income(number: int, income: IncomeTable) -> rows.Row:
    return {
        "from_number": number,
        "earners": ",".join(" ".join(earner) for earner in income.earners),
        "owners": rows.binary(packed(Scaled(income.owners))),
        "days": rows.binary(packed(Scaled(income.days))),
        "income": rows.binary(packed(income.income)),
        "fees": rows.binary(packed(income.fees)),
        "last_day": date.fromordinal(int(income.days.max())),
    }
