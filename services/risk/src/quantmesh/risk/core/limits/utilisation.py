"""How much of a limit is used, and which states that passes through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quantmesh.chassis.errors import RuleBroken
from quantmesh.risk.core.limits.account import Account
from quantmesh.risk.core.limits.definition import Limit
from quantmesh.risk.core.limits.measures import Reading, measure
from quantmesh.risk.core.model import History


class State(StrEnum):
    """Within a limit means up to it; at the warning level it is warned. Unknown: cannot be told now."""

    OK = "ok"
    WARNING = "warning"
    BREACHED = "breached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Utilisation:
    limit: Limit
    reading: Reading
    state: State

    @property
    def ratio(self) -> float | None:
        """The value over the limit; None where that is no number."""
        value = self.reading.value
        if value is None or not value.is_finite():
            return None
        if not self.limit.limit:
            return None if value else 0.0
        return float(value / self.limit.limit)


@dataclass(frozen=True, slots=True)
class Crossings:
    """What has to be told: values that rose above their limit, and those that came back."""

    breached: Sequence[Utilisation]
    cleared: Sequence[Utilisation]
    states: Mapping[str, State]


def utilisations(limits: Sequence[Limit], account: Account, history: History | RuleBroken | None) -> list[Utilisation]:
    return [utilisation(limit, measure(limit, account, history)) for limit in limits]


def utilisation(limit: Limit, reading: Reading) -> Utilisation:
    return Utilisation(limit, reading, _state(limit, reading.value))


def crossings(before: Mapping[str, State], now: Sequence[Utilisation], withdrawn: Sequence[Limit] = ()) -> Crossings:
    """`before` by the limits' keys. What is unknown now stays as it was; a `withdrawn` limit that was breached is
    cleared."""
    breached, cleared, states = [], [], dict(before)
    for each in now:
        key = each.limit.key
        if each.state is State.UNKNOWN:
            states.setdefault(key, State.UNKNOWN)
            continue
        was_breached, is_breached = before.get(key) is State.BREACHED, each.state is State.BREACHED
        if is_breached and not was_breached:
            breached.append(each)
        if was_breached and not is_breached:
            cleared.append(each)
        states[key] = each.state
    gone = Reading(None, reason="the limit was withdrawn")
    cleared += [
        Utilisation(limit, gone, State.UNKNOWN) for limit in withdrawn if states.pop(limit.key, None) is State.BREACHED
    ]
    return Crossings(breached, cleared, states)


def _state(limit: Limit, value: Decimal | None) -> State:
    if value is None:
        return State.UNKNOWN
    if value > limit.limit:
        return State.BREACHED
    return State.WARNING if limit.warning is not None and value >= limit.warning else State.OK
