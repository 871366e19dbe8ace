"""Bars that somebody brings as CSV."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from quantmesh.market.core.errors import InvalidCsv, InvalidRequest, InvalidSymbol
from quantmesh.market.core.ingest import ingest
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, AssetListing, Rejection, checked_symbol
from quantmesh.market.core.parse_bars import RawBar, parse_bars, read_csv, rows_by_symbol
from quantmesh.market.core.ports import Ingestion, Market

MAX_ROWS = 50_000
_SOURCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_OURS = frozenset({"bundled", "replay", "close"})
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_NO_SYMBOL = ("symbol", "is not a symbol: 1 to 32 of A-Z, 0-9 and '-', beginning with a letter or digit")
_UNKNOWN = ("symbol", "is not known; say in new_assets what it is, and it is added")


@dataclass(frozen=True, slots=True)
class NewAssets:
    """What symbols are that nobody knows yet."""

    asset_class: AssetClass
    currency: str
    calendar: str


@dataclass(slots=True)
class Imported:
    """`accepted` bars were new or changed something; `rejected` holds every bad row, by line."""

    accepted: int = 0
    unchanged: int = 0
    rejected: list[Rejection] = field(default_factory=list)


async def import_bars(
    market: Market, content: bytes, adjustment: Adjustment, source: str, new_assets: NewAssets | None = None
) -> Imported:
    """A transaction per symbol; the same file again changes nothing.

    A row needs a known symbol kept under the same adjustment, or `new_assets` that says what unknown ones are.
    """
    _check(source, new_assets, market)
    rows, refused = _read(content)
    result = Imported()
    grouped = rows_by_symbol(rows)
    assets = await _assets(market, grouped, adjustment, new_assets)
    for symbol, group in grouped.items():
        asset = assets.get(symbol)
        refusal = _refusal(symbol, asset, adjustment)
        if asset is None or refusal is not None:
            name, reason = refusal or _UNKNOWN
            refused += [Rejection(row.line, name, reason, symbol) for row in group]
            continue
        parsed = parse_bars(group, market.calendars[asset.listing.calendar], market.clock.now())
        changed = await ingest(market, Ingestion(asset, source, parsed.bars, parsed.rejections))
        result.accepted += changed
        result.unchanged += len(parsed.bars) - changed
        result.rejected += parsed.rejections
    if refused:
        await market.bars.refuse(source, refused)
    result.rejected += refused
    result.rejected.sort(key=lambda rejection: rejection.line)
    return result


def _read(content: bytes) -> tuple[list[RawBar], list[Rejection]]:
    rows: list[RawBar] = []
    rejected: list[Rejection] = []
    for row in read_csv(content):
        if len(rows) + len(rejected) >= MAX_ROWS:
            msg = f"it has more than {MAX_ROWS} rows; split it"
            raise InvalidCsv(msg)
        if isinstance(row, RawBar):
            rows.append(row)
        else:
            rejected.append(row)
    return rows, rejected


async def _assets(
    market: Market, symbols: Mapping[str, Sequence[RawBar]], adjustment: Adjustment, new_assets: NewAssets | None
) -> Mapping[str, Asset]:
    valid = [symbol for symbol in symbols if _is_symbol(symbol)]
    known = await market.assets.find(valid)
    unknown = [symbol for symbol in valid if symbol not in known]
    if new_assets is None or not unknown:
        return known
    await market.assets.add(
        [
            AssetListing(
                symbol,
                symbol,
                new_assets.asset_class,
                new_assets.currency,
                new_assets.calendar,
                tick_size=Decimal("0.01"),
                lot_size=Decimal(1),
                adjustment=adjustment,
            )
            for symbol in unknown
        ]
    )
    return await market.assets.find(valid)


def _refusal(symbol: str, asset: Asset | None, adjustment: Adjustment) -> tuple[str, str] | None:
    """The field and the reason for which none of the symbol's rows is taken."""
    if asset is None:
        return _UNKNOWN if _is_symbol(symbol) else _NO_SYMBOL
    if asset.listing.adjustment is not adjustment:
        return "symbol", f"is kept as {asset.listing.adjustment}, and this file is {adjustment}"
    return None


def _is_symbol(text: str) -> bool:
    try:
        checked_symbol(text)
    except InvalidSymbol:
        return False
    return True


def _check(source: str, new_assets: NewAssets | None, market: Market) -> None:
    if not _SOURCE.fullmatch(source) or source in _OURS:
        taken = ", ".join(sorted(_OURS))
        name, wanted = "source", f"1 to 32 of a-z, 0-9 and '-', and none of {taken}"
        raise InvalidRequest(name, f"{source[:40]!r} does not name a source; use {wanted}")
    if new_assets is not None and new_assets.calendar not in market.calendars:
        known = ", ".join(market.calendars)
        name, given = "new_assets.calendar", new_assets.calendar[:40]
        raise InvalidRequest(name, f"{given!r} is not a known calendar; use one of {known}")
    if new_assets is not None and not _CURRENCY.fullmatch(new_assets.currency):
        name, given = "new_assets.currency", new_assets.currency[:40]
        raise InvalidRequest(name, f"{given!r} is not an ISO 4217 code such as USD")
