"""Corrected bars: each version stays, and a read says what was known at some time."""

from datetime import datetime
from decimal import Decimal

import psycopg
import pytest

from quantmesh.market.core.get_bars import get_bars
from quantmesh.market.core.get_closes import get_closes
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.import_bars import NewAssets, import_bars
from quantmesh.market.core.model import Adjustment, AssetClass
from services.market.tests.integration.conftest import SYSTEM_NOW, Parts, rows

HEADER = "symbol,date,close,volume\n"
NEW = NewAssets(AssetClass.STOCK, "EUR", "XNYS")


async def bring(parts: Parts, *lines: str) -> None:
    body = "".join(f"{line}\n" for line in lines)
    await import_bars(parts.market, f"{HEADER}{body}".encode(), Adjustment.RAW, "desk", NEW)


async def corrected_twice(parts: Parts) -> list[datetime]:
    """When each version of SAP's close of 2022-09-29 was recorded: 80, then 90, then 85."""
    for close in (80, 90, 85):
        await bring(parts, f"SAP,2022-09-29,{close},100", "SAP,2022-09-30,70,100")
    recorded = await rows(
        parts.database,
        "SELECT bar.recorded_at FROM bar JOIN asset USING (series)"
        " WHERE symbol = 'SAP' AND day = '2022-09-29' ORDER BY bar.recorded_at",
    )
    return [moment for (moment,) in recorded]


async def close_by(parts: Parts, known_at: datetime | None) -> list[Decimal]:
    """Of 2022-09-29, as bars, closes and the quote of that evening say it."""
    page = await get_bars(parts.market, "SAP", end="2022-09-29", known_at=known_at)
    _, found = await get_closes(parts.market, ["SAP"], end="2022-09-29", known_at=known_at)
    quotes = await get_quotes(parts.market, ["SAP"], page.bars[0].time, SYSTEM_NOW, known_at)
    return [page.bars[0].close, Decimal(str(found.closes[0, 0])), quotes.quotes[0].price]


async def test_every_read_sees_the_version_that_was_known_then(parts: Parts) -> None:
    moments = await corrected_twice(parts)
    assert moments == sorted(set(moments))
    assert len(moments) == 3
    for moment, close in zip([*moments, None], (80, 90, 85, 85), strict=True):
        assert await close_by(parts, moment) == [Decimal(close)] * 3
    # Reads of the past are not what later reads of the present get.
    assert await close_by(parts, None) == [Decimal(85)] * 3


async def test_before_it_was_recorded_a_bar_was_not_known(parts: Parts) -> None:
    (first, *_) = await corrected_twice(parts)
    before = first.replace(year=first.year - 1)
    assert (await get_bars(parts.market, "SAP", known_at=before)).bars == []
    assert (await get_quotes(parts.market, ["SAP"], None, SYSTEM_NOW, before)).missing == ["SAP"]


async def test_what_did_not_change_gets_no_version(parts: Parts) -> None:
    await corrected_twice(parts)
    counts = await rows(
        parts.database,
        "SELECT day::text, count(*) FROM bar JOIN asset USING (series) WHERE symbol = 'SAP' GROUP BY day ORDER BY day",
    )
    assert counts == [("2022-09-29", 3), ("2022-09-30", 1)]


async def test_a_version_cannot_be_changed_by_the_service(parts: Parts) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rows(parts.database, "UPDATE bar SET close = 1 RETURNING 1")
