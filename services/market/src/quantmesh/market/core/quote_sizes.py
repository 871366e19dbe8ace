"""For how many units a replayed quote stands, on each of its sides."""

from dataclasses import dataclass
from decimal import Decimal

from quantmesh.market.core.model import Bar


@dataclass(frozen=True, slots=True)
class QuoteDepth:
    """A share of the volume of the last session known; `default_size` units where the source tells no volume."""

    volume_share: Decimal = Decimal("0.0001")
    default_size: Decimal = Decimal(10_000)

    def size(self, last_bar: Bar | None, lot_size: Decimal) -> Decimal:
        """In whole lots, one at the least: a quote is good for something."""
        volume = None if last_bar is None else last_bar.volume
        wanted = self.default_size if volume is None else volume * self.volume_share
        return max(wanted // lot_size, Decimal(1)) * lot_size
