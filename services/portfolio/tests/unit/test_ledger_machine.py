"""The recording core against an oracle that replays everything from nothing, under whatever hypothesis thinks of."""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from quantmesh.chassis.errors import Conflict, InvalidInput, RuleBroken
from quantmesh.portfolio.core.lots import fold_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.record_transactions import record_transaction
from quantmesh.portfolio.core.reverse_transactions import reverse_transaction

from .memory_ledger import MemoryLedger
from .samples import START, asked, day

REFUSED = (RuleBroken, InvalidInput, Conflict)
# The core's costs have 18 places, the oracle's are exact.
NEAR = Fraction(1, 10**12)


class Event(NamedTuple):
    """`cash` and `units` are what came in; a split has its ratio, and in `units` what it brought."""

    at: int
    seq: int
    cash: Fraction
    units: Fraction = Fraction(0)
    ratio: Fraction | None = None


class Oracle:
    """What stands, replayed from nothing by the definition of a lot."""

    def __init__(self, method: LotMethod) -> None:
        self.method = method
        self.events: dict[int, Event] = {}

    def bears(self, events: dict[int, Event]) -> bool:
        """No balance is negative after everything of any instant."""
        cash = units = Fraction(0)
        for _, instant in groupby(sorted(events.values()), key=lambda event: event.at):
            for event in instant:
                cash, units = cash + event.cash, units + event.units
            if cash < 0 or units < 0:
                return False
        return True

    def total(self, at: int) -> tuple[Fraction, Fraction]:
        past = [event for event in self.events.values() if event.at <= at]
        return sum((event.cash for event in past), Fraction(0)), sum((event.units for event in past), Fraction(0))

    def split_after(self, at: int, seq: int) -> bool:
        return any(event.ratio and (event.at, event.seq) > (at, seq) for event in self.events.values())

    def lots(self) -> tuple[list[list[Fraction]], Fraction]:
        """Units and cost of each open lot, and what was realised."""
        lots: list[list[Fraction]] = []
        realized = Fraction(0)
        for event in sorted(self.events.values()):
            if event.ratio:
                lots = [[units * event.ratio, cost] for units, cost in lots]
            units, paid = (Fraction(0), Fraction(0)) if event.ratio else (event.units, -event.cash)
            while units and lots and lots[0][0] * units < 0:
                lot = lots[-1 if self.method is LotMethod.LIFO else 0]
                part = min(abs(units), abs(lot[0]))
                share, cost = paid * part / abs(units), lot[1] * part / abs(lot[0])
                units, paid = units - units * part / abs(units), paid - share
                lot[:] = [lot[0] - lot[0] * part / abs(lot[0]), lot[1] - cost]
                realized -= share + cost
                lots = [each for each in lots if each[0]]
            if units and lots and self.method is LotMethod.AVERAGE:
                lots[0] = [lots[0][0] + units, lots[0][1] + paid]
            elif units:
                lots.append([units, paid])
        return lots, realized


class LedgerMachine(RuleBasedStateMachine):
    recorded = Bundle("recorded")
    when = st.integers(0, 6)
    size = st.integers(1, 30)

    @initialize(target=recorded, method=st.sampled_from(LotMethod))
    def begin(self, method: LotMethod) -> Any:
        self.runner = asyncio.Runner()
        # As much of the port as these use cases ask for.
        self.ledger: Any = MemoryLedger(method)
        self.oracle = Oracle(method)
        # By the log's number, what was true then of all times: cash and units at each instant.
        self.known = {0: self._told()}
        # Little enough that balances bind.
        return self._record(Event(0, 0, Fraction(300)), "deposit", amount="300")

    @rule(target=recorded, at=when, amount=st.integers(1, 400), sign=st.sampled_from([1, -1]))
    def move_cash(self, at: int, amount: int, sign: int) -> Any:
        kind = "deposit" if sign > 0 else "withdrawal"
        return self._record(Event(at, 0, Fraction(sign * amount)), kind, amount=str(amount))

    @rule(target=recorded, at=when, units=size, price=size, sign=st.sampled_from([1, -1]))
    def trade(self, at: int, units: int, price: int, sign: int) -> Any:
        event = Event(at, 0, Fraction(-sign * units * price), Fraction(sign * units))
        kind = "buy" if sign > 0 else "sell"
        return self._record(event, kind, symbol="AAPL", quantity=str(units), price=str(price))

    @rule(target=recorded, at=when, ratio=st.sampled_from(["2", "3", "0.5"]))
    def split(self, at: int, ratio: str) -> Any:
        held = self.oracle.total(at)[1]
        event = Event(at, 0, Fraction(0), held * (Fraction(ratio) - 1), Fraction(ratio))
        return self._record(event, "split", allowed=held > 0, symbol="AAPL", split_ratio=ratio)

    @rule(seq=recorded)
    def reverse(self, seq: int) -> None:
        event = self.oracle.events.get(seq)
        rest = {number: other for number, other in self.oracle.events.items() if number != seq}
        expected = event is not None and self.oracle.bears(rest)
        if event is not None and event.units:
            expected = expected and not self.oracle.split_after(event.at, seq)
        number = self.ledger.head.seq + 1
        done = self._run(
            reverse_transaction(
                self.ledger, self.ledger.head.id, UUID(int=seq), "", self._now(), lambda: UUID(int=number)
            )
        )
        assert done is expected
        if done:
            self.oracle.events = rest
            self.known[number] = self._told()

    @invariant()
    def balances_are_those_of_the_oracle(self) -> None:
        for at in range(8):
            sums = self.ledger.sums(View(as_of=day(at)))
            found = sums.get((CASH, "USD"), Decimal(0)), sums.get((SECURITIES, "AAPL"), Decimal(0))
            assert tuple(map(Fraction, found)) == self.oracle.total(at)

    @invariant()
    def lots_are_those_of_the_oracle(self) -> None:
        movements = self.runner.run(self.ledger.movements(self.ledger.head.id, View()))
        folded = fold_lots(movements, self.ledger.head.lot_method, strict=True).get("AAPL")
        lots, realized = self.oracle.lots()
        found = [] if folded is None else [number for lot in folded.lots for number in (lot.quantity, lot.cost)]
        found.append(Decimal(0) if folded is None else folded.realized)
        expected = [number for lot in lots for number in lot] + [realized]
        assert len(found) == len(expected)
        assert all(abs(Fraction(mine) - its) < NEAR for mine, its in zip(found, expected, strict=True))

    @invariant()
    def what_is_kept_beside_the_journal_is_what_it_comes_to(self) -> None:
        sums = self.ledger.sums(View())
        assert all(sums.get(holding, 0) == amount for holding, amount in self.ledger.holdings.items())
        assert set(sums) <= set(self.ledger.holdings)

    @invariant()
    def every_entry_balances(self) -> None:
        for item in self.ledger.journal:
            totals: dict[str, Decimal] = defaultdict(Decimal)
            for side in item.entry.postings:
                totals[side.commodity] += side.amount
            assert not any(totals.values())

    @rule(data=st.data())
    def what_was_known_then_is_known_for_ever(self, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.known)))
        for at, expected in enumerate(self.known[seq]):
            sums = self.ledger.sums(View(as_of=day(at), known_at=self._recorded_at(seq)))
            found = sums.get((CASH, "USD"), Decimal(0)), sums.get((SECURITIES, "AAPL"), Decimal(0))
            assert tuple(map(Fraction, found)) == expected

    def _record(self, event: Event, kind: str, *, allowed: bool = True, **fields: str) -> Any:
        """Recorded where, and only where, the oracle bears it; the transaction's number in the log."""
        seq = self.ledger.head.seq + 1
        wanted = {**self.oracle.events, seq: event._replace(seq=seq)}
        expected = allowed and self.oracle.bears(wanted)
        if kind in {"buy", "sell", "split"}:
            # A split at the same instant was made before, of what was there then.
            expected = expected and not any(
                other.ratio and other.at > event.at for other in self.oracle.events.values()
            )
        done = self._run(
            record_transaction(
                self.ledger,
                self.ledger.head.id,
                asked(kind, day(event.at), currency="USD", **fields),
                "USD",
                self._now(),
                lambda: UUID(int=seq),
            )
        )
        assert done is expected
        if not done:
            return multiple()
        self.oracle.events = wanted
        self.known[seq] = self._told()
        return seq

    def _run(self, step: Any) -> bool:
        """Whether it was done; a refusal leaves nothing."""
        try:
            with self.ledger.transaction():
                self.runner.run(step)
        except REFUSED:
            return False
        return True

    def _told(self) -> list[tuple[Fraction, Fraction]]:
        return [self.oracle.total(at) for at in range(8)]

    def _now(self) -> datetime:
        return self._recorded_at(self.ledger.head.seq + 1)

    @staticmethod
    def _recorded_at(seq: int) -> datetime:
        return START + timedelta(days=100, seconds=seq)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
