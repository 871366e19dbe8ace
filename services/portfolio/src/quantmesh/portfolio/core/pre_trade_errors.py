"""What is refused before a trade, beyond the account's own rules.

QuantmeshError
├── RuleBroken
│   ├── KycRefused              the owner's verification does not let trade
│   └── LimitExceeded           says each limit, its numbers, and the order that would pass
└── Unavailable
    └── PreTradeUnavailable     nobody answered in time, so there is no order
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quantmesh.chassis.errors import RuleBroken, Unavailable

# Errors travel in a header, which holds 8 KiB.
_MOST_DENIALS = 10
_LONGEST_SUGGESTION = 3_000


@dataclass(frozen=True, slots=True)
class LimitDenial:
    """`value` is without the order, `after` with it; None where unknown, as `reason` says, or beyond every number."""

    rule: str
    limit: str
    value: str | None
    after: str | None
    symbol: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        whose = f" of {self.symbol}" if self.symbol else ""
        if self.reason:
            return f"the {self.rule}{whose} cannot be told ({self.reason})"
        return f"the {self.rule}{whose} would be {self.after or 'beyond every number'}, the limit is {self.limit}"

    def shown(self) -> dict[str, str | None]:
        return {
            "rule": self.rule,
            "symbol": self.symbol or None,
            "value": self.value,
            "limit": self.limit,
            "after": self.after,
            "reason": self.reason or None,
        }


def told_of(denials: Sequence[Mapping[str, Any]], suggestion: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What an error carries of what denies a request, the first rule first, and of the request that passes."""
    named = denials[:_MOST_DENIALS]
    passing = "" if suggestion is None else json.dumps(suggestion)
    metadata = {"rule": str(named[0]["rule"]), "denials": json.dumps(named)}
    return metadata | ({"suggestion": passing} if passing and len(passing) <= _LONGEST_SUGGESTION else {})


class KycRefused(RuleBroken):
    problem = "kyc-refused"

    def __init__(self, status: str, *, approval_is_required: bool) -> None:
        wanted = "it has to be approved" if approval_is_required else "compliance has to take it up again"
        super().__init__(
            f"Your verification (KYC) is {status}; {wanted} before you can trade.",
            metadata=told_of([{"rule": "kyc", "value": status, "limit": "approved"}]),
        )


class LimitExceeded(RuleBroken):
    """`suggestion` is the request that would pass, as the API takes it; None where no quantity would."""

    problem = "limit-exceeded"

    def __init__(self, denials: Sequence[LimitDenial], suggestion: Mapping[str, Any] | None) -> None:
        named = denials[:_MOST_DENIALS]
        super().__init__(
            f"The portfolio's risk limits forbid this: {'; '.join(denial.sentence for denial in named)}.",
            metadata=told_of([denial.shown() for denial in named], suggestion),
        )


class PreTradeUnavailable(Unavailable):
    problem = "pre-trade-unavailable"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The checks before a trade were not answered within {seconds:g} s, so no order was placed.",
            retry_after_seconds=1.0,
        )
