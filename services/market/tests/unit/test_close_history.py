"""The size of a close history's answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.errors import InvalidRequest
from quantmesh.market.core.get_close_history import get_close_history
from quantmesh.market.core.ports import Market


@dataclass
class OneSeries:
    """Every symbol has it."""

    series: CloseSeries

    async def find(self, symbols: Sequence[str]) -> dict[str, Any]:
        @dataclass
        class Named:
            symbol: str

        return {symbol: Named(symbol) for symbol in symbols}

    async def closes(self, assets: Sequence[Any], recorded_by: datetime | None) -> list[CloseSeries]:
        return [self.series] * len(assets)


class Now:
    def now(self) -> datetime:
        return datetime(2024, 1, 1, tzinfo=UTC)


async def test_a_history_that_no_message_holds_is_refused() -> None:
    days = np.arange(700_000, 703_001, dtype=np.int32)
    every = OneSeries(CloseSeries(days, np.zeros(len(days), np.int64), np.ones(len(days))))
    nothing = cast("Any", None)
    market = Market(
        assets=cast("Any", every), closes=cast("Any", every), clock=cast("Any", Now()),
        bars=nothing, chains=nothing, quotes=nothing, calendars=nothing, rates=nothing,
    )  # fmt: skip
    symbols = [f"S{number}" for number in range(100)]
    with pytest.raises(InvalidRequest, match="300100 days of 100 symbols are too many; ask for 300000 at most"):
        await get_close_history(market, symbols)
    told = await get_close_history(market, symbols[1:])
    assert [len(each.days) for each in told.values()] == [3001] * 99
