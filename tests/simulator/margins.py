"""What accounts with margin owe, computed in fractions from the journal alone."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from operator import itemgetter

from .history import Violation
from .replica import Watcher

_JOURNAL = """
    SELECT t.portfolio_id, t.seq, t.id, t.reverses, t.executed_at, p.account, p.commodity, p.amount
    FROM transaction AS t JOIN posting AS p ON p.portfolio_id = t.portfolio_id AND p.transaction_id = t.id
    WHERE t.portfolio_id IN (SELECT id FROM portfolio WHERE margin_enabled)
    ORDER BY t.portfolio_id, t.seq
"""
_CASH, _UNITS, _TRADING = "assets:cash", "assets:securities", "trading:"
# What average costs are rounded to.
_ROUNDED = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class _Entry:
    """By instrument, what moves and what was paid for it; a reversal names what it takes back."""

    id: object
    reverses: object
    executed_at: datetime
    cash: Fraction
    units: dict[str, Fraction]
    paid: dict[str, Fraction]

    @property
    def takes(self) -> bool:
        return min(self.cash, *self.units.values(), Fraction(0)) < 0


async def check_margins(watcher: Watcher) -> int:
    """Whatever was recorded or filled left no more owed than the equity at cost carries; how often anything was owed.

    Spared is who takes nothing, who only closes positions, and who lacks no more than before.
    """
    owed = 0
    for portfolio_id, rows in groupby(await watcher.rows(_JOURNAL), key=itemgetter(0)):
        entries = [_entry(list(postings)) for _, postings in groupby(rows, key=itemgetter(1))]
        lacked = Fraction(0)
        for count, entry in enumerate(entries, start=1):
            lacking, owes = _lacking(entries[:count])
            owed += owes
            spared = not entry.takes or _only_closes(entry, entries[: count - 1])
            if not spared and lacking > max(lacked, Fraction(0)) + _ROUNDED:
                raise Violation(f"{portfolio_id} lacks {float(lacking)} of its margin after transaction {entry.id}")
            lacked = lacking
    return owed


def _entry(rows: Sequence[Sequence[object]]) -> _Entry:
    _, _, transaction_id, reverses, executed_at, *_ = rows[0]
    assert isinstance(executed_at, datetime)
    cash, units, paid = Fraction(0), defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction)
    for *_, account, commodity, amount in rows:
        if account == _CASH:
            cash += Fraction(str(amount))
        elif account == _UNITS:
            units[str(commodity)] += Fraction(str(amount))
        elif str(account) == f"{_TRADING}{commodity}":
            continue
        elif str(account).startswith(_TRADING):
            paid[str(account).removeprefix(_TRADING)] += Fraction(str(amount))
    return _Entry(transaction_id, reverses, executed_at, cash, dict(units), dict(paid))


def _lacking(entries: Sequence[_Entry]) -> tuple[Fraction, bool]:
    """Half of what positions cost at average less the equity, and whether cash or units are below zero."""
    undone = {entry.reverses for entry in entries} - {None}
    cash = sum((entry.cash for entry in entries), Fraction(0))
    held: dict[str, Fraction] = defaultdict(Fraction)
    cost: dict[str, Fraction] = defaultdict(Fraction)
    for entry in sorted(entries, key=lambda each: each.executed_at):
        if entry.reverses is not None or entry.id in undone:
            continue
        for symbol, moved in entry.units.items():
            had, paid = held[symbol], entry.paid.get(symbol, Fraction(0))
            closed = max(-abs(had), -abs(moved)) if had * moved < 0 and paid else Fraction(0)
            if closed:
                # Of either side: what is left of the old position, and what goes beyond it.
                cost[symbol] *= 1 + closed / abs(had)
                paid *= 1 + closed / abs(moved)
            held[symbol] += moved
            cost[symbol] += paid
    required = sum((abs(each) for each in cost.values()), Fraction(0)) / 2
    return required - cash - sum(cost.values()), min(cash, *held.values(), Fraction(0)) < 0


def _only_closes(entry: _Entry, earlier: Iterable[_Entry]) -> bool:
    if entry.reverses is not None or not any(entry.units.values()):
        return False
    before = {
        symbol: sum((each.units.get(symbol, Fraction(0)) for each in earlier), Fraction(0)) for symbol in entry.units
    }
    return all(had * entry.units[symbol] < 0 <= had * (had + entry.units[symbol]) for symbol, had in before.items())
