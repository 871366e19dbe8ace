"""What a portfolio may risk, and what is used of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from quantmesh.client.models.base import Answer


class Limit(Answer):
    """Money in the base currency, a ratio, or a count, as the rule has it; None where nothing limits a figure."""

    rule: str
    limit: Decimal | None
    warning: Decimal | None = None
    symbol: str | None = None
    method: str | None = None
    confidence: float | None = None
    horizon_days: int | None = None
    margin_rule: str | None = None


class LimitUtilisation(Limit):
    """`state` is ok, warning, breached or unknown, which `reason` explains; `largest` is the symbol it is about."""

    value: Decimal | None
    utilisation: float | None
    state: str
    largest: str | None
    reason: str | None


class LimitChange(Limit):
    before: Decimal | None
    after: Decimal | None
    largest: str | None
    reason: str | None
    denied: bool


class LimitDefinition(Answer):
    portfolio_id: str
    version: int
    recorded_at: datetime | None
    limits: tuple[Limit, ...]


class LimitsUsed(LimitDefinition):
    """`utilisation` is in the order of the limits; `as_of` is market time."""

    utilisation: tuple[LimitUtilisation, ...]
    base_currency: str
    as_of: datetime | None


class WhatIf(Answer):
    """`suggestion` has the same orders with quantities that pass."""

    portfolio_id: str
    allowed: bool
    changes: tuple[LimitChange, ...]
    suggestion: dict[str, Any] | None
    base_currency: str
    as_of: datetime | None
