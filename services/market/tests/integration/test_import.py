"""CSV in: idempotent, every bad row with its line, nothing guessed."""

import pytest

from quantmesh.market.core.errors import InvalidCsv, InvalidRequest
from quantmesh.market.core.get_bars import get_bars
from quantmesh.market.core.get_closes import get_closes
from quantmesh.market.core.import_bars import Imported, NewAssets, import_bars
from quantmesh.market.core.model import Adjustment, AssetClass
from services.market.tests.integration.conftest import Parts, rows

HEADER = "symbol,date,open,high,low,close,volume\n"
NEW = NewAssets(AssetClass.STOCK, "EUR", "XNYS")


async def bring(parts: Parts, body: str, new_assets: NewAssets | None = NEW, source: str = "desk") -> Imported:
    return await import_bars(parts.market, (HEADER + body).encode(), Adjustment.RAW, source, new_assets)


async def test_a_new_symbol_becomes_an_asset_with_its_bars(parts: Parts) -> None:
    result = await bring(parts, "SAP,2022-09-29,80,83,79.5,82.5,1000\nSAP,2022-09-30,82,84,81,83.5,2000\n")
    assert (result.accepted, result.unchanged, result.rejected) == (2, 0, [])
    page = await get_bars(parts.market, "SAP")
    assert [(str(bar.close), bar.day.day) for bar in page.bars] == [("82.5", 29), ("83.5", 30)]
    assert (page.source, page.asset.listing.currency, page.asset.listing.tradable) == ("desk", "EUR", False)


async def test_the_same_file_again_changes_nothing(parts: Parts) -> None:
    body = "SAP,2022-09-29,80,83,79.5,82.5,1000\n"
    await bring(parts, body)
    events = await rows(parts.database, "SELECT count(*) FROM outbox")
    again = await bring(parts, body)
    assert (again.accepted, again.unchanged) == (0, 1)
    assert await rows(parts.database, "SELECT count(*) FROM outbox") == events


async def test_a_correction_is_seen_by_every_read(parts: Parts) -> None:
    await bring(parts, "SAP,2022-09-29,,,,82.5,\n")
    await get_closes(parts.market, ["SAP"])
    await bring(parts, "SAP,2022-09-29,,,,90,\n")
    _symbols, found = await get_closes(parts.market, ["SAP"])
    assert found.closes.tolist() == [[90.0]]


async def test_every_bad_row_is_reported_and_the_good_ones_are_kept(parts: Parts) -> None:
    body = (
        "SAP,2022-09-28,,,,80,\n"  # line 2
        "sap,2022-09-28,,,,80,\n"
        "SAP,2022-09-28\n"
        "SAP,2022-10-03,,,,80,\n"
        "SAP,2022-10-01,,,,80,\n"
        "MTUM,2022-09-28,,,,80,\n"
        "SAP,2022-09-27,,,,nan,\n"
    )
    result = await bring(parts, body)
    assert result.accepted == 1
    assert [(one.line, one.field) for one in result.rejected] == [
        (3, "symbol"),
        (4, "row"),
        (5, "date"),
        (6, "date"),
        (7, "symbol"),
        (8, "close"),
    ]
    reasons = {one.line: one.reason for one in result.rejected}
    assert "after the market's now" in reasons[5]
    assert "is no session of XNYS" in reasons[6]
    assert reasons[7] == "is kept as total_return, and this file is raw"
    kept = await rows(parts.database, "SELECT line FROM quarantine WHERE source = 'desk' ORDER BY line")
    assert kept == [(line,) for line in range(3, 9)]


async def test_an_unknown_symbol_is_refused_where_nobody_says_what_it_is(parts: Parts) -> None:
    result = await bring(parts, "SAP,2022-09-28,,,,80,\n", new_assets=None)
    assert [(one.line, one.field) for one in result.rejected] == [(2, "symbol")]
    assert not await parts.market.assets.find(["SAP"])


@pytest.mark.parametrize(
    ("source", "new_assets", "field"),
    [
        ("bundled", NEW, "source"),
        ("My Desk", NEW, "source"),
        ("desk", NewAssets(AssetClass.STOCK, "euro", "XNYS"), "new_assets.currency"),
        ("desk", NewAssets(AssetClass.STOCK, "EUR", "XETR"), "new_assets.calendar"),
    ],
)
async def test_what_holds_for_the_whole_file_is_checked_first(
    parts: Parts, source: str, new_assets: NewAssets, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await bring(parts, "SAP,2022-09-28,,,,80,\n", new_assets, source)
    assert caught.value.violations[0].field == field


async def test_no_table_is_no_import(parts: Parts) -> None:
    with pytest.raises(InvalidCsv):
        await import_bars(parts.market, b"PK\x03\x04\xff", Adjustment.RAW, "desk")
