"""The equity that a book requires."""

from datetime import datetime

from quantmesh.client.models.base import Answer
from quantmesh.client.models.risk import Holding


class MarginLine(Answer):
    """One position, or two that are margined together."""

    rule: str
    positions: tuple[Holding, ...]
    units: float
    initial: float
    maintenance: float


class MarginGroup(Answer):
    """Of one underlying; `spot_move` and `volatility_move` are those of the worst scenario."""

    symbol: str
    requirement: float
    scan_loss: float
    minimum: float
    binding: str
    spot_move: float
    volatility_move: float


class Cure(Answer):
    """Adding `change` brings the requirement down to `requirement`, which the equity meets."""

    change: Holding
    requirement: float
    traded_value: float


class CuredBook(Answer):
    """To be asked for as it is."""

    positions: tuple[Holding, ...]


class MarginShortfall(Answer):
    """`amount` is also the least deposit that cures it; `cures` are the least reductions of single positions that do,
    `proportional` is the share of every position that, closed, does."""

    amount: float
    cures: tuple[Cure, ...]
    proportional: float | None
    suggestion: CuredBook | None


class Margin(Answer):
    """`lines` and `initial` are those of `regulation_t`, whose `requirement` is the maintenance margin; `groups` those
    of `portfolio`."""

    rule: str
    requirement: float
    initial: float | None
    lines: tuple[MarginLine, ...]
    groups: tuple[MarginGroup, ...]
    equity: float | None
    shortfall: MarginShortfall | None
    currency: str
    market_value: float
    as_of: datetime | None
