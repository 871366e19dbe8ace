from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quantmesh.market.core.model import Bar
from quantmesh.market.core.quote_sizes import QuoteDepth

DEPTH = QuoteDepth(volume_share=Decimal("0.001"), default_size=Decimal(250))
DAY = date(2022, 10, 3)


def bar(volume: str | None) -> Bar:
    known_from = datetime(2022, 10, 3, 20, tzinfo=UTC)
    return Bar(DAY, known_from, Decimal(10), volume=None if volume is None else Decimal(volume))


@pytest.mark.parametrize(
    ("volume", "lot", "size"),
    [
        ("1234567", "1", "1234"),
        ("1234567", "100", "1200"),
        ("10", "1", "1"),
        ("0", "100", "100"),
        (None, "1", "250"),
        (None, "100", "200"),
        ("3", "0.001", "0.003"),
    ],
)
def test_a_quote_is_good_for_a_share_of_the_volume_in_whole_lots(volume: str | None, lot: str, size: str) -> None:
    assert DEPTH.size(bar(volume), Decimal(lot)) == Decimal(size)


def test_without_any_bar_the_default_holds() -> None:
    assert DEPTH.size(None, Decimal(1)) == Decimal(250)
