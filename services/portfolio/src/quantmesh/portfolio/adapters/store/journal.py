"""The journal's SQL for reading: balances, movements, cash and flows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, Row, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.rows import lot_choices
from quantmesh.portfolio.adapters.store.since import POSTED_SINCE, SINCE, WITH_POSTINGS, bounds_since
from quantmesh.portfolio.adapters.store.views import SEEN
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.known_account import KnownAccount, KnownBalance
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.posting_rules import SECURITIES
from quantmesh.portfolio.core.snapshots import Snapshot

_TYPES = {kind.value: kind for kind in TransactionType}

_POSTED = f"transaction AS t {WITH_POSTINGS}"

# What was made out of what was held then: a split, and an exercise that delivers. The types are those of their index.
COUNTED = """t.type IN ('split', 'option_exercise', 'option_assignment')
      AND (t.type = 'split' OR t.option ->> 'settlement' = 'physical')"""
NOT_TAKEN_BACK = """t.type <> 'reversal' AND NOT EXISTS (
        SELECT FROM transaction AS r WHERE r.portfolio_id = t.portfolio_id AND r.reverses = t.id
    )"""
# The books of one portfolio or several: what `wanted` names, with whatever is dated after its `since`. Each portfolio's
# transactions are looked up by its own key, since a planner that knows nothing of them would rather read all there are.
WANTED = """
    wanted AS (
        SELECT * FROM unnest(
            CAST(:portfolios AS uuid[]), CAST(:accounts AS text[]), CAST(:commodities AS text[]),
            CAST(:since AS timestamptz[])
        ) AS asked (portfolio_id, account, commodity, since)
    )"""
BOOKS = f"""
    SELECT 'balance' AS kind, portfolio_id, account, commodity, NULL::timestamptz AS executed_at, NULL::bigint AS seq,
           amount, reserved
    FROM wanted JOIN holding USING (portfolio_id, account, commodity)
    UNION ALL
    SELECT 'later', t.portfolio_id, p.account, p.commodity, t.executed_at, t.seq, p.amount, NULL
    FROM (SELECT portfolio_id, min(since) AS since FROM wanted GROUP BY portfolio_id) AS earliest
    CROSS JOIN LATERAL (
        SELECT t.* FROM transaction AS t
        WHERE t.portfolio_id = earliest.portfolio_id AND t.executed_at > earliest.since AND {NOT_TAKEN_BACK}
        OFFSET 0
    ) AS t
    {WITH_POSTINGS}
    JOIN wanted ON (wanted.portfolio_id, wanted.account, wanted.commodity) = (t.portfolio_id, p.account, p.commodity)
    UNION ALL
    SELECT 'counted', portfolio_id, '', commodity, counted.at, NULL, NULL, NULL
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT max(t.executed_at) AS at FROM transaction AS t
        WHERE t.portfolio_id = wanted.portfolio_id AND t.symbol = wanted.commodity AND t.symbol <> ''
          AND {COUNTED} AND {NOT_TAKEN_BACK}
    ) AS counted
    WHERE account = '{SECURITIES}' AND counted.at IS NOT NULL
    UNION ALL
    SELECT 'margin', id, '', '', NULL, NULL, CAST(margin_enabled AS integer), NULL
    FROM portfolio WHERE id IN (SELECT portfolio_id FROM wanted)
"""  # noqa: S608  the fragments are our own
_BOOKS = text(f"WITH {WANTED} {BOOKS} ORDER BY executed_at, seq")
# A transaction's effect on each instrument: on two where an option delivers. What was paid without the fee is what the
# instrument's trading account has in cash.
_INSTRUMENT = f"CASE WHEN p.account = '{SECURITIES}' THEN p.commodity ELSE substr(p.account, 9) END"
_MOVED = f"""
    SELECT t.type, {_INSTRUMENT} AS symbol, t.currency, t.executed_at,
           sum(p.amount) FILTER (WHERE p.account = '{SECURITIES}') AS quantity,
           coalesce(sum(p.amount) FILTER (WHERE p.account <> '{SECURITIES}'), 0)
               * sign(sum(p.amount) FILTER (WHERE p.account = '{SECURITIES}')) AS gross,
           t.split_ratio, t.id, t.reverses, t.lots"""
_MOVES = f"""
    WHERE {SEEN} AND t.symbol <> '' AND t.type <> 'dividend'
      AND (p.account = '{SECURITIES}' OR p.account LIKE 'trading:%' AND p.commodity = t.currency)
"""
_OF_SYMBOLS = f"""
      AND (t.symbol = ANY(CAST(:symbols AS text[])) OR t.option ->> 'underlying' = ANY(CAST(:symbols AS text[])))
      AND {_INSTRUMENT} = ANY(CAST(:symbols AS text[]))
"""
_MOVEMENTS_ORDER = f"""
    GROUP BY t.id, t.type, {_INSTRUMENT}, t.currency, t.executed_at, t.split_ratio, t.reverses, t.lots, t.seq
    ORDER BY t.executed_at, t.seq
"""
_ALL_MOVEMENTS = text(f"{_MOVED} FROM {POSTED_SINCE} {_MOVES} {_MOVEMENTS_ORDER}")
_MOVEMENTS_OF_SYMBOLS = text(f"{_MOVED} FROM {POSTED_SINCE} {_MOVES} {_OF_SYMBOLS} {_MOVEMENTS_ORDER}")
# Of all that there is, by the symbols' own index.
_MOVEMENTS_EVER = text(f"{_MOVED} FROM {_POSTED} {_MOVES} {_OF_SYMBOLS} {_MOVEMENTS_ORDER}")
# What a transaction's postings to cash come to is in its own row, which spares looking them up.
_CASH = text(
    f"""
    SELECT t.currency AS commodity, sum(t.cash_effect) AS amount
    FROM {SINCE}
    WHERE {SEEN} AND t.cash_effect <> 0
    GROUP BY t.currency
    ORDER BY t.currency
    """  # noqa: S608  our own subquery
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A balance to be known from `since` on."""

    portfolio_id: UUID
    holding: Holding
    since: datetime


def wanted_arrays(wanted: Collection[Wanted]) -> dict[str, object]:
    return {
        "portfolios": [each.portfolio_id for each in wanted],
        "accounts": [each.holding[0] for each in wanted],
        "commodities": [each.holding[1] for each in wanted],
        "since": [each.since for each in wanted],
    }


def books_question(portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Asked:
    return _BOOKS, wanted_arrays([Wanted(portfolio_id, holding, since) for holding in sorted(holdings)])


def books_of(portfolio_id: UUID, holdings: Collection[Holding], found: Iterable[Row]) -> Books:
    """What was found of one portfolio, in order of execution."""
    balances: dict[Holding, Decimal] = {}
    reserved: dict[Holding, Decimal] = {}
    later: dict[Holding, list[tuple[datetime, Decimal]]] = {}
    counted: dict[str, datetime] = {}
    may_owe = False
    for row in found:
        if row.portfolio_id != portfolio_id:
            continue
        match row.kind:
            case "balance":
                balances[row.account, row.commodity] = row.amount
                reserved[row.account, row.commodity] = row.reserved
            case "later":
                later.setdefault((row.account, row.commodity), []).append((row.executed_at, row.amount))
            case "counted":
                counted[row.commodity] = row.executed_at
            case _:
                may_owe = bool(row.amount)
    histories = {
        holding: BalanceHistory(balances.get(holding, ZERO), later.get(holding, ()), reserved.get(holding, ZERO))
        for holding in holdings
    }
    return Books(histories, counted, may_owe)


def known_of(account: KnownAccount, wanted: Wanted, found: Iterable[Row]) -> KnownAccount:
    """With one balance more, out of what was found of the account, in order of execution."""
    amount = reserved = ZERO
    later = []
    counted = dict(account.counted_at)
    for row in found:
        if row.kind == "counted":
            counted[row.commodity] = row.executed_at
        elif (row.account, row.commodity) != wanted.holding:
            continue
        elif row.kind == "balance":
            amount, reserved = row.amount, row.reserved
        else:
            later.append((row.executed_at, row.amount))
    known = KnownBalance(amount, reserved, wanted.since, tuple(later))
    return replace(account, balances={**account.balances, wanted.holding: known}, counted_at=counted)


class JournalStore(Owned):
    async def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        found = await self._session.execute(*books_question(portfolio_id, holdings, since))
        return books_of(portfolio_id, holdings, found)

    async def movements(
        self, portfolio_id: UUID, view: View, symbols: Collection[str] = (), since: Snapshot | None = None
    ) -> Sequence[SecurityMovement]:
        parameters = bounds_since(portfolio_id, view, since) | ({"symbols": list(symbols)} if symbols else {})
        of_symbols = _MOVEMENTS_EVER if since is None else _MOVEMENTS_OF_SYMBOLS
        found = await self._session.execute(of_symbols if symbols else _ALL_MOVEMENTS, parameters)
        return [SecurityMovement(*(_TYPES[row[0]], *row[1:-1], lot_choices(row[-1]))) for row in found]

    async def cash(self, portfolio_id: UUID, view: View, since: Snapshot | None = None) -> Mapping[str, Decimal]:
        found = await self._session.execute(_CASH, bounds_since(portfolio_id, view, since))
        return {row.commodity: row.amount for row in found}
