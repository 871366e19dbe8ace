"""What an option is: the terms of its contract."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from quantmesh.portfolio.core.numbers import ZERO, exactly


class OptionType(StrEnum):
    CALL = "call"
    PUT = "put"


class ExerciseStyle(StrEnum):
    AMERICAN = "american"
    EUROPEAN = "european"


class Settlement(StrEnum):
    PHYSICAL = "physical"
    CASH = "cash"


_OSI = re.compile(r"[A-Z0-9-]{1,6}[0-9]{6}[CP][0-9]{8,9}", re.ASCII)


def is_option_symbol(symbol: str) -> bool:
    """By its form, which nothing else has: root, YYMMDD, C or P, the strike in thousandths."""
    return _OSI.fullmatch(symbol) is not None


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """`expiry` is an instant of market time; one contract is about `multiplier` units of the underlying."""

    underlying: str
    type: OptionType
    strike: Decimal
    expiry: datetime
    multiplier: Decimal
    exercise: ExerciseStyle
    settlement: Settlement

    @property
    def direction(self) -> int:
        """What a holder who exercises gets of the underlying: 1 where it is bought, -1 where it is sold."""
        return 1 if self.type is OptionType.CALL else -1

    @exactly
    def intrinsic(self, price: Decimal) -> Decimal:
        """Per unit of the underlying at `price`; at least zero."""
        return max((price - self.strike) * self.direction, ZERO)


def terms_of(told: Mapping[str, str]) -> OptionTerms:
    """From text under the names by which the market tells terms, and transactions keep them."""
    return OptionTerms(
        underlying=told["underlying"],
        type=OptionType(told["option_type"]),
        strike=Decimal(told["strike"]),
        expiry=datetime.fromisoformat(told["expiry"]),
        multiplier=Decimal(told["multiplier"]),
        exercise=ExerciseStyle(told["exercise"]),
        settlement=Settlement(told["settlement"]),
    )
