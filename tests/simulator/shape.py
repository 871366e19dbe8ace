"""How many take part in a seed's run, and what they mostly want."""

from dataclasses import dataclass

from .commands import EVERYTHING, ORDERS, RECORDINGS, TRADES, Weights


@dataclass(frozen=True, slots=True)
class Shape:
    """`owners` has one number per portfolio: whose it is. Clients take the portfolios in turn.

    The market moves every so many seconds on average, beside what else happens to the world. Each portfolio begins with
    `cash`, and so many `units` of each instrument bought for it. With `margin_enabled` it may owe, and every other one
    has sold them short.
    """

    owners: tuple[int, ...]
    clients: int
    commands: int
    weights: Weights
    move_seconds: float | None = None
    cash: str = "2000.00"
    units: int = 0
    margin_enabled: bool = False

    def units_of(self, number: int) -> int:
        return -self.units if self.margin_enabled and number % 2 else self.units


USUAL = Shape(owners=(0, 1, 0), clients=4, commands=6, weights=EVERYTHING)
# Orders that find something to trade, also while they must not.
TRADERS = Shape(owners=(0, 1, 0), clients=6, commands=10, weights=ORDERS, move_seconds=0.3, cash="10000.00", units=4)
# Most of them record in accounts of one owner, so that recordings share transactions.
CROWD = Shape(owners=(0,) * 8 + (1,), clients=12, commands=3, weights=RECORDINGS)
# They owe from the start, and soon as much as they may.
BORROWERS = Shape(
    owners=(0, 1, 0),
    clients=5,
    commands=8,
    weights=TRADES,
    move_seconds=0.3,
    cash="800.00",
    units=4,
    margin_enabled=True,
)


def shape_of(seed: int) -> Shape:
    return (USUAL, TRADERS, BORROWERS, CROWD, USUAL, TRADERS, USUAL, CROWD)[seed % 8]
