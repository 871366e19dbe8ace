"""The balance of one commodity over time, and what may still be taken from it at a past instant."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.numbers import ZERO, exactly


@dataclass(frozen=True, slots=True)
class Headroom:
    """The lowest free balance from an instant on; `at` is when, `later` whether that is after the instant asked for.

    `reserved` is what open orders keep of today's balance, where that is what leaves so little.
    """

    amount: Decimal
    at: datetime
    later: bool
    reserved: Decimal = ZERO


class BalanceHistory:
    """Today's balance and the amounts dated after some instant, to which more are added in order of time.

    `later` holds every known (executed_at, amount) dated after the earliest instant that will be asked for, in order.
    The balance at an instant is the one after everything dated then. What is added at T raises every balance from T on
    by the same amount, so one number carries all additions. `reserved` is kept of today's balance for open orders;
    what was there in the past is not theirs.
    """

    @exactly
    def __init__(
        self, balance: Decimal = ZERO, later: Sequence[tuple[datetime, Decimal]] = (), reserved: Decimal = ZERO
    ) -> None:
        self._times: list[datetime] = []
        running = balance - sum((amount for _, amount in later), ZERO)
        self._balances = [running]
        for time, amount in later:
            running += amount
            if self._times and self._times[-1] == time:
                self._balances[-1] = running
            else:
                self._times.append(time)
                self._balances.append(running)
        # lowest[i]: where the smallest of balances[i:] is, the first of them on a tie.
        self._lowest = list(range(len(self._balances)))
        for index in range(len(self._balances) - 2, -1, -1):
            following = self._lowest[index + 1]
            if self._balances[following] < self._balances[index]:
                self._lowest[index] = following
        self._added = ZERO
        self._reserved = reserved
        self._last_added_at: datetime | None = None

    @property
    def goes_on(self) -> bool:
        """Whether anything is dated after the earliest instant that will be asked for."""
        return bool(self._times)

    @exactly
    def at(self, instant: datetime) -> Decimal:
        return self._balances[bisect_right(self._times, instant)] + self._added

    @exactly
    def latest(self) -> Decimal:
        return self._balances[-1] + self._added

    @exactly
    def headroom(self, instant: datetime, own: Decimal = ZERO) -> Headroom:
        """The lowest free balance at `instant` and at every later one; `own` of what is reserved is the asker's."""
        now = bisect_right(self._times, instant)
        lowest = self._lowest[now]
        amount, reserved = self._balances[lowest] + self._added, self._reserved - own
        free = self.latest() - reserved
        if free < amount:
            return Headroom(free, max([instant, *self._times[-1:]]), False, reserved)
        later = lowest > now
        return Headroom(amount, self._times[lowest - 1] if later else instant, later)

    @exactly
    def reserve(self, more: Decimal) -> None:
        """Keep `more` for open orders; less where it is negative."""
        self._reserved += more

    @exactly
    def add(self, instant: datetime, amount: Decimal) -> None:
        """Raises ValueError where `instant` is before that of an earlier addition."""
        if self._last_added_at is not None and instant < self._last_added_at:
            msg = f"additions come in order of time; {instant} is before {self._last_added_at}"
            raise ValueError(msg)
        self._last_added_at = instant
        self._added += amount

    @exactly
    def changed(self, changes: Sequence[tuple[datetime, Decimal]]) -> "BalanceHistory":
        """Another history, with `changes` in any order, all of them dated where this one can tell the balance."""
        steps = zip(self._times, self._balances, self._balances[1:], strict=False)
        later = [(time, after - before) for time, before, after in steps]
        total = self._balances[-1] + sum((amount for _, amount in changes), ZERO)
        return BalanceHistory(total + self._added, sorted([*later, *changes], key=lambda step: step[0]), self._reserved)
