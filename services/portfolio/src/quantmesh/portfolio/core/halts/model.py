"""A halt, and what it means for an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.errors import InvalidHalt
from quantmesh.portfolio.core.fields import SYMBOL, printable
from quantmesh.portfolio.core.times import rfc3339

CAUSE_LIMIT = 500
# Who a rule's doings are signed by.
RULE = "rule"


# No clock of the market is behind its quotes by as much: a replay is played again.
_REWOUND_BY = timedelta(days=1)


class HaltKind(StrEnum):
    """Nothing trades while any of them is in force; a kill switch also refuses new orders and cancels open ones."""

    BREAKER = "breaker"
    OPERATOR = "operator"
    KILL_SWITCH = "kill_switch"


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """What an operator asks for; without a `symbol` it is the whole market. Raises InvalidHalt."""

    kind: HaltKind
    cause: str
    symbol: str = ""

    def __post_init__(self) -> None:
        violations = []
        if self.kind is HaltKind.BREAKER:
            violations.append(Violation("kind", "breaker is imposed by its rule alone; say operator or kill_switch"))
        if not (0 < len(self.cause.strip()) <= CAUSE_LIMIT and printable(self.cause)):
            violations.append(Violation("cause", f"say why, in at most {CAUSE_LIMIT} printable characters"))
        if self.symbol and not SYMBOL.fullmatch(self.symbol):
            violations.append(Violation("symbol", f"{self.symbol[:40]!r} is not a symbol such as AAPL"))
        if violations:
            raise InvalidHalt(violations)


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker's rule is met at `market_time`: halt until `lifts_at` of market time.

    `level` counts the falls of the index from 1; 0 for a symbol's price band.
    """

    symbol: str
    cause: str
    market_time: datetime
    lifts_at: datetime
    level: int = 0


@dataclass(frozen=True, slots=True)
class Halt:
    """`symbol` is empty for the whole market; `market_time` and `lifts_at` are market time and those of a rule alone.

    `imposed_at` and `lifted_at` are system time, the latter None while it is in force. `imposed_by` and `lifted_by` are
    a user's id, or RULE.
    """

    id: UUID
    kind: HaltKind
    symbol: str
    cause: str
    imposed_by: str
    imposed_at: datetime
    market_time: datetime | None = None
    lifts_at: datetime | None = None
    level: int = 0
    lifted_at: datetime | None = None
    lifted_by: str = ""
    version: int = 1

    def has_had_its_time(self, market_time: datetime) -> bool:
        """Of a rule's; also where a replay was rewound to days before it, which it would else last for again."""
        if self.lifts_at is None or self.market_time is None:
            return False
        return not self.market_time - _REWOUND_BY <= market_time < self.lifts_at

    def covers(self, symbol: str) -> bool:
        return self.symbol in {"", symbol}

    @property
    def reason(self) -> str:
        """As an order that it rejects or cancels says it."""
        what = self.symbol or "the whole market"
        if self.kind is HaltKind.KILL_SWITCH:
            return f"the kill switch of {what} is on: {self.cause}"
        until = "" if self.lifts_at is None else f", until {rfc3339(self.lifts_at)} of market time"
        return f"trading in {what} is halted{until}: {self.cause}"


def halt_of(halts: Sequence[Halt], symbol: str) -> Halt | None:
    """The one of those in force that stops `symbol`; a kill switch before all others."""
    covering = [halt for halt in halts if halt.covers(symbol)]
    return next((halt for halt in covering if halt.kind is HaltKind.KILL_SWITCH), covering[0] if covering else None)
