"""An account as it was at one number of its log, and what a recording or an order makes of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.model import Portfolio, Transaction, TransactionType
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.posting_rules import delivers


class NotKnown(LookupError):
    """What only the ledger itself can tell."""


@dataclass(frozen=True, slots=True)
class KnownBalance:
    """Today's; `later` is all that is dated after `since`, in order of time."""

    amount: Decimal
    reserved: Decimal
    since: datetime
    later: tuple[tuple[datetime, Decimal], ...] = ()

    def after(self, instant: datetime) -> tuple[tuple[datetime, Decimal], ...]:
        return tuple((time, amount) for time, amount in self.later if time > instant)


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """Nothing of this changes but with the portfolio's number or version; `recorded_at` is that of its last number.

    Of an instrument whose balance is known it is also known when it was counted last: never, where it is not named.
    """

    portfolio: Portfolio
    recorded_at: datetime
    balances: Mapping[Holding, KnownBalance] = field(default_factory=dict)
    counted_at: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """In amounts."""
        return sum(1 + len(known.later) for known in self.balances.values())

    def is_at(self, other: "KnownAccount") -> bool:
        """The same account at the same number, so that all that is known of one is true of the other."""
        return (self.portfolio, self.recorded_at) == (other.portfolio, other.recorded_at)

    def knows(self, holdings: Collection[Holding], since: datetime) -> bool:
        return all((known := self.balances.get(holding)) is not None and known.since <= since for holding in holdings)

    def books(self, holdings: Collection[Holding], since: datetime) -> Books:
        """Raises NotKnown."""
        if not self.knows(holdings, since):
            msg = f"of portfolio {self.portfolio.id} not all of {sorted(holdings)} is known since {since}"
            raise NotKnown(msg)
        histories = {}
        for holding in holdings:
            known = self.balances[holding]
            histories[holding] = BalanceHistory(known.amount, known.after(since), known.reserved)
        return Books(histories, dict(self.counted_at), self.portfolio.margin_enabled)

    def numbered(self, seq: int, recorded_at: datetime) -> "KnownAccount":
        """With more in its log."""
        return replace(self, portfolio=replace(self.portfolio, seq=seq), recorded_at=recorded_at)

    @exactly
    def reserving(self, holding: Holding, more: Decimal) -> "KnownAccount":
        """With `more` of a balance that is known kept for open orders."""
        known = self.balances[holding]
        return replace(self, balances={**self.balances, holding: replace(known, reserved=known.reserved + more)})

    def recorded(self, transaction: Transaction, balances: Mapping[Holding, Decimal]) -> "KnownAccount":
        """With a transaction that was admitted by these books, and the balances that it left."""
        asked = transaction.entry.input
        known = dict(self.balances)
        for holding, amount in balances.items():
            before = known[holding]
            # What is recorded next is most likely dated later, and needs nothing of what was before.
            known[holding] = KnownBalance(amount, before.reserved, asked.executed_at, before.after(asked.executed_at))
        counts = asked.type is TransactionType.SPLIT or delivers(asked)
        return KnownAccount(
            replace(self.portfolio, seq=transaction.seq),
            transaction.recorded_at,
            known,
            {**self.counted_at, asked.symbol: asked.executed_at} if counts else self.counted_at,
        )
