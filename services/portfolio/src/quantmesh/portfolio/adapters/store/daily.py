"""What was held and what flowed day by day: from the rows beside a snapshot, and from the journal."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain
from uuid import UUID

import numpy as np
import orjson

from quantmesh.chassis.sql import Row, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.packing import in_a_row, unpacked, unpacked_in_turn
from quantmesh.portfolio.adapters.store.since import POSTED_SINCE, SINCE, bounds_since
from quantmesh.portfolio.adapters.store.snapshots import rows_at
from quantmesh.portfolio.adapters.store.views import SEEN
from quantmesh.portfolio.core.daily_flows import DailyFlow, FlowTable, in_flow_columns
from quantmesh.portfolio.core.daily_income import DailyIncome, Earner, IncomeTable, income_table
from quantmesh.portfolio.core.day_steps import DaySteps, steps_of
from quantmesh.portfolio.core.held_days import HeldDays, ordinals, quarter_of
from quantmesh.portfolio.core.held_table import HeldTable
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.posting_rules import DIVIDENDS_PAID
from quantmesh.portfolio.core.scaled import written, zeros
from quantmesh.portfolio.core.snapshots import Snapshot

DAY = "(t.executed_at AT TIME ZONE 'UTC')::date"
EARNING = "(p.account LIKE 'income:%' OR p.account LIKE 'expenses:%')"
# Transactions with the type whose rule they were posted by, a reversal with that of what it takes back. What postings
# to cash come to is in their own row: nobody has to look postings up.
BY_RULE = f"""{SINCE} CROSS JOIN LATERAL (
        SELECT CASE WHEN t.reverses IS NULL THEN t.type ELSE (
            SELECT type FROM transaction AS r WHERE r.portfolio_id = t.portfolio_id AND r.id = t.reverses
        ) END AS type
    ) AS rule"""  # noqa: S608  our own subquery
MOVES_CASH = "rule.type NOT IN ('split', 'option_expiry')"
# A deposit or withdrawal has two sides that tell of cash, others have one.
FLOW_SUMS = """
    sum(t.cash_effect) AS cash,
    coalesce(sum(t.cash_effect) FILTER (WHERE rule.type = 'deposit'), 0) AS deposits,
    coalesce(-sum(t.cash_effect) FILTER (WHERE rule.type = 'withdrawal'), 0) AS withdrawals,
    sum(CASE WHEN rule.type IN ('deposit', 'withdrawal') THEN 2 ELSE 1 END
        * CASE WHEN t.reverses IS NULL THEN 1 ELSE -1 END) AS entries"""
# What is paid on instruments that are owed is income turned.
INCOME_SUMS = f"""
    coalesce(-sum(p.amount) FILTER (WHERE p.account LIKE 'income:%' OR p.account = '{DIVIDENDS_PAID}'), 0) AS income,
    coalesce(sum(p.amount) FILTER (WHERE p.account LIKE 'expenses:%' AND p.account <> '{DIVIDENDS_PAID}'), 0) AS fees"""
_FLOWS = text(
    f"""
    SELECT {DAY} AS day, t.currency, {FLOW_SUMS}
    FROM {BY_RULE} WHERE {SEEN} AND {MOVES_CASH} GROUP BY 1, 2
    """  # noqa: S608  the fragments are our own
)
_INCOME = text(
    f"""
    SELECT {DAY} AS day, t.symbol, p.commodity, {INCOME_SUMS}
    FROM {POSTED_SINCE} WHERE {SEEN} AND {EARNING} GROUP BY 1, 2, 3
    """  # noqa: S608  the fragments are our own
)
_KEPT_FLOWS = text(
    """
    SELECT '[' || coalesce(string_agg(flows, ','), '') || ']' FROM daily_flow
    WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number AND until_number > :number
    """
)
# Most have the earners of the one before them, and those would be half of the answer.
_KEPT_INCOME = text(
    f"""
    SELECT string_agg(CASE WHEN earners = earners_before THEN '' ELSE earners END, ';') AS earners,
           {in_a_row("owners", "days", "income", "fees")}
    FROM (
        SELECT *, lag(earners) OVER (ORDER BY from_number) AS earners_before FROM daily_flow
        WHERE portfolio_id = :portfolio_id AND from_number > :after AND from_number <= :number
          AND until_number > :number AND last_day >= :since
    ) AS kept
    """,  # noqa: S608  the fragment is our own
    binary=True,
)
_STATES = text(
    f"""
    SELECT string_agg(symbol, ',') AS symbols, string_agg(currency, ',') AS currencies,
           string_agg(trim_scale(quantity)::text, ',') AS quantities, string_agg(trim_scale(paid)::text, ',') AS paid,
           string_agg(trim_scale(cost)::text, ',') AS costs, string_agg(trim_scale(realized)::text, ',') AS realized
    FROM {rows_at()}
    """  # noqa: S608  our own subquery
)
_SERVES = "portfolio_id = :portfolio_id AND from_number <= :number AND until_number > :number"
# All quarters from one to the snapshot's own; and of each instrument that had not moved in the first of them by `since`
# the last before that.
_DAYS, _EXPLAINED_DAYS = (
    text(
        f"""
        SELECT string_agg(symbol, ',') AS symbols, string_agg(int4send(quarter), '') AS quarters, {in_a_row(*columns)}
        FROM (
            SELECT * FROM held_quarter WHERE {_SERVES} AND quarter BETWEEN :quarter AND :last
            UNION ALL
            SELECT earlier.* FROM unnest(CAST(:symbols AS text[])) AS wanted (symbol)
            CROSS JOIN LATERAL (
                SELECT * FROM held_quarter WHERE {_SERVES} AND symbol = wanted.symbol AND quarter < :quarter
                ORDER BY quarter DESC LIMIT 1
            ) AS earlier
            WHERE wanted.symbol NOT IN (
                SELECT symbol FROM held_quarter WHERE {_SERVES} AND quarter = :quarter AND first_day <= :since
            )
        ) AS held
        """,  # noqa: S608  the fragments are our own
        binary=True,
    )
    for columns in (("days", "quantities", "paid"), ("days", "quantities", "paid", "costs", "realized"))
)


class DailyStore(Owned):
    async def snapshot_days(
        self, portfolio_id: UUID, snapshot: Snapshot, since: date, *, explained: bool
    ) -> Sequence[HeldTable]:
        keys = {"portfolio_id": portfolio_id, "number": snapshot.number}
        states = (await self._session.execute(_STATES, keys)).one()
        symbols, currencies, *amounts = ([] if told is None else told.split(",") for told in states)
        today, quarter = snapshot.executed_until.date(), quarter_of(since)
        wanted = {
            "quarter": quarter.toordinal(),
            "last": today.toordinal(),
            "since": since.toordinal(),
            # Before the first day of all nothing moved.
            "symbols": [] if quarter == date.min else symbols,
        }
        found = (await self._session.execute(_EXPLAINED_DAYS if explained else _DAYS, keys | wanted)).one()
        # A snapshot's own day is not over, and may have gone on in the rows beside it.
        quantities, paid, *gains = amounts
        now = HeldTable(
            symbols,
            currencies,
            DaySteps(len(symbols), np.arange(len(symbols)), np.full(len(symbols), today.toordinal())),
            written(quantities),
            written(paid),
            *(written(column if explained else ()) for column in gains),
        )
        return _kept_days(symbols, currencies, found, explained=explained), now

    async def flows_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyFlow]:
        found = await self._session.execute(_FLOWS, bounds_since(portfolio_id, view, since))
        return [DailyFlow(*row) for row in found.all()]

    async def income_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyIncome]:
        found = await self._session.execute(_INCOME, bounds_since(portfolio_id, view, since))
        return [DailyIncome(*row) for row in found.all()]

    async def snapshot_flows(self, portfolio_id: UUID, number: int, after: int = 0) -> FlowTable:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number}
        told = orjson.loads(await self._session.scalar(_KEPT_FLOWS, keys))
        days, currencies, cash, deposits, withdrawals, entries = (
            zip(*chain.from_iterable(told), strict=True) if told else [()] * 6
        )
        return in_flow_columns(
            currencies,
            ordinals(map(date.fromisoformat, days)),
            written(cash),
            written(deposits),
            written(withdrawals),
            entries,
        )

    async def snapshot_income(
        self, portfolio_id: UUID, number: int, after: int = 0, since: date = date.min
    ) -> IncomeTable:
        keys = {"portfolio_id": portfolio_id, "after": after, "number": number, "since": since}
        return _kept_income((await self._session.execute(_KEPT_INCOME, keys)).one())


def read_days(quarter: int, columns: Iterable[bytes]) -> HeldDays:
    """Of `days`, `quantities`, `costs`, `realized` and `paid`. Raises ValueError where they are not of one length."""
    days, *amounts = (unpacked(column) for column in columns)
    if {len(days)} != {*map(len, amounts)}:
        msg = f"{len(days)} days have columns of {[*map(len, amounts)]} amounts"
        raise ValueError(msg)
    return HeldDays(quarter + days.units, *amounts)


def _kept_days(symbols: Sequence[str], currencies: Sequence[str], row: Row, *, explained: bool) -> HeldTable:
    """Of symbols and first days of quarters, in any order, and of columns in a row.

    Others than `symbols` began to move later than the snapshot, in the pass that made it.
    """
    if row.symbols is None:
        return HeldTable(symbols, currencies, steps_of([ordinals(())] * len(symbols)), *(zeros(0) for _ in range(4)))
    places = {symbol: place for place, symbol in enumerate(symbols)}
    owners = np.array([places.get(symbol, -1) for symbol in row.symbols.split(",")], dtype=np.intp)
    quarters = np.frombuffer(row.quarters, ">i4").astype(np.int64)
    # Of an instrument the days ascend.
    order = np.argsort(quarters, kind="stable")
    order = order[owners[order] >= 0]
    columns = (unpacked_in_turn(*both, order) for both in zip(row[2::2], row[3::2], strict=True))
    days, counts = next(columns)
    quantities, paid, *gains = (amounts for amounts, _ in columns)
    costs, realized = gains if explained else (zeros(0), zeros(0))
    return HeldTable(
        symbols,
        currencies,
        DaySteps(len(symbols), np.repeat(owners[order], counts), np.repeat(quarters[order], counts) + days.units),
        quantities,
        paid,
        costs,
        realized,
    )


def _kept_income(row: Row) -> IncomeTable:
    """Of `earners` (symbols and currencies, empty where they are those before), and of `owners`, `days`, `income` and
    `fees` in a row.
    """
    if not any(row):
        return income_table(())
    (owners, counts), (days, _), (income, _), (fees, _) = (
        unpacked_in_turn(*both) for both in zip(row[1::2], row[2::2], strict=True)
    )
    places: dict[str, int] = {}
    of_names: list[int] = []
    begins: list[int] = []
    for told in row.earners.split(";"):
        begins.append(len(of_names) if told else begins[-1])
        if told:
            of_names += [places.setdefault(name, len(places)) for name in told.split(",")]
    of_row = np.repeat(begins, counts) + owners.units
    return IncomeTable(
        [Earner(*name.split(" ")) for name in places],
        np.array(of_names, dtype=np.intp).take(of_row),
        days.units,
        income,
        fees,
    )
