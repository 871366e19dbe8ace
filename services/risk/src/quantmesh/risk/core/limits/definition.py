"""What a limit is, and which definitions are refused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from quantmesh.chassis.errors import Violation
from quantmesh.risk.core.errors import InvalidLimits
from quantmesh.risk.core.margin import Rule as MarginRule

Method = Literal["historical", "parametric"]

_MOST_LIMITS = 100
_ZERO = Decimal(0)


class Rule(StrEnum):
    """`limit` is money in the portfolio's base currency, but a ratio to the equity for leverage, position weight,
    margin utilisation and initial margin, and a count for open orders."""

    GROSS_EXPOSURE = "gross_exposure"
    NET_EXPOSURE = "net_exposure"
    LEVERAGE = "leverage"
    POSITION_WEIGHT = "position_weight"
    SYMBOL_NOTIONAL = "symbol_notional"
    ORDER_NOTIONAL = "order_notional"
    VALUE_AT_RISK = "value_at_risk"
    EXPECTED_SHORTFALL = "expected_shortfall"
    MARGIN_UTILISATION = "margin_utilisation"
    INITIAL_MARGIN = "initial_margin"
    DAILY_LOSS = "daily_loss"
    OPEN_ORDERS = "open_orders"


TAIL_RULES = frozenset({Rule.VALUE_AT_RISK, Rule.EXPECTED_SHORTFALL})
# Measured on past closes, and not on quotes alone.
HISTORY_RULES = TAIL_RULES | {Rule.MARGIN_UTILISATION}


@dataclass(frozen=True, slots=True)
class Limit:
    """`warning` is from where on it is warned. Of what another rule has, the default stays.

    `symbol` is of symbol_notional, where empty means each symbol by itself; `method`, `confidence` and `horizon_days`
    are of value at risk and expected shortfall, `margin_rule` of margin utilisation.
    """

    rule: Rule
    limit: Decimal
    warning: Decimal | None = None
    symbol: str = ""
    method: Method = "historical"
    confidence: float = 0.99
    horizon_days: int = 1
    margin_rule: MarginRule = "regulation_t"

    @property
    def key(self) -> str:
        """What tells the limit from the others of a definition, whatever its numbers are."""
        parts: list[object] = [self.rule.value]
        if self.rule in TAIL_RULES:
            parts += [self.method, self.confidence, self.horizon_days]
        if self.rule is Rule.MARGIN_UTILISATION:
            parts.append(self.margin_rule)
        if self.symbol:
            parts.append(self.symbol)
        return ":".join(map(str, parts))


def checked_limits(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Themselves; InvalidLimits with a violation per wrong field."""
    violations: list[Violation] = []
    if len(limits) > _MOST_LIMITS:
        violations.append(Violation("limits", f"may be {_MOST_LIMITS} at most; there are {len(limits)}"))
    seen: set[str] = set()
    for index, limit in enumerate(limits[:_MOST_LIMITS]):
        found = _violations(limit)
        if limit.key in seen:
            found.append(Violation("rule", f"{limit.key} is limited twice"))
        seen.add(limit.key)
        violations += [replace(each, field=f"limits[{index}].{each.field}") for each in found]
    if violations:
        raise InvalidLimits(violations)
    return tuple(limits)


def _violations(limit: Limit) -> list[Violation]:
    found = []
    if limit.limit < _ZERO:
        found.append(Violation("limit", f"must be 0 or more; it is {limit.limit}"))
    if limit.rule is Rule.OPEN_ORDERS and limit.limit != limit.limit.to_integral_value():
        found.append(Violation("limit", f"must be a whole number of orders; it is {limit.limit}"))
    if limit.warning is not None and not _ZERO <= limit.warning <= limit.limit:
        found.append(Violation("warning", f"must be from 0 to the limit of {limit.limit}; it is {limit.warning}"))
    if limit.symbol and limit.rule is not Rule.SYMBOL_NOTIONAL:
        found.append(Violation("symbol", f"is of symbol_notional alone, and this is {limit.rule.value}"))
    if limit.rule in TAIL_RULES and not 0.5 < limit.confidence < 1.0:
        found.append(Violation("confidence", f"must be above 0.5 and below 1; it is {limit.confidence}"))
    if limit.rule in TAIL_RULES and not 1 <= limit.horizon_days <= 250:
        found.append(Violation("horizon_days", f"must be from 1 to 250; it is {limit.horizon_days}"))
    return found
