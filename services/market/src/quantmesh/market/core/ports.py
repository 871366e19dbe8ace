"""What the core asks of the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from quantmesh.market.core.calendars import Calendar
from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, AssetListing, Bar, Quote, Rejection
from quantmesh.market.core.option_chains import OptionChain
from quantmesh.market.core.parse_bars import RawBar

Calendars = Mapping[str, Calendar]


class Provider(Protocol):
    """A source of assets and their bars. `version` changes when its content does."""

    name: str

    @property
    def version(self) -> str: ...
    def listings(self) -> Sequence[AssetListing]: ...
    def bars(self, symbol: str) -> Sequence[RawBar]: ...
    def chains(self) -> Sequence[OptionChain]: ...


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What one source says of one asset, checked. `version` is the checkpoint that it reaches; empty for imports."""

    asset: Asset
    source: str
    bars: Sequence[Bar]
    rejections: Sequence[Rejection] = ()
    version: str = ""
    gaps: Sequence[date] = field(default=())


@dataclass(frozen=True, slots=True)
class StoredBars:
    """`source` is the last bar's; empty without bars."""

    bars: list[Bar]
    source: str


class MarketClock(Protocol):
    """Market time: where the feed stands."""

    def now(self) -> datetime: ...
    @property
    def is_open(self) -> bool: ...


class Assets(Protocol):
    async def find(self, symbols: Sequence[str]) -> Mapping[str, Asset]:
        """Those that exist, by symbol."""
        ...

    async def page(self, after: str, limit: int, asset_class: AssetClass | None, search: str) -> list[Asset]:
        """By symbol, those behind `after`."""
        ...

    async def add(self, listings: Sequence[AssetListing]) -> None:
        """Those that are not there yet."""
        ...


class Bars(Protocol):
    async def read(self, asset: Asset, start: date, end: date, as_of: datetime, limit: int) -> StoredBars:
        """The first `limit` bars from `start` to `end`, known at `as_of`, by day."""
        ...

    async def last(self, assets: Sequence[Asset], as_of: datetime) -> Mapping[str, Bar]:
        """The last bar of each, known at `as_of`; by symbol."""
        ...

    async def closes(self, assets: Sequence[Asset]) -> list[CloseSeries]:
        """All closes of each, in the order of `assets`."""
        ...

    async def record(self, ingestion: Ingestion, known_until: datetime) -> int:
        """Write what is new or changed, with its rejections, checkpoint and event; how many bars that was."""
        ...

    async def versions(self, source: str) -> Mapping[str, str]:
        """The checkpoint of each symbol."""
        ...


class Chains(Protocol):
    async def latest(self, underlying: str, as_of: datetime) -> OptionChain | None: ...
    async def underlyings(self) -> list[str]: ...


class LiveQuotes(Protocol):
    async def get(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Those that are there."""
        ...

    async def put(self, quotes: Sequence[Quote]) -> None: ...
    async def drop(self, symbols: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class NewAssets:
    """What an import says of symbols that are not known yet."""

    asset_class: AssetClass
    currency: str
    calendar: str
    adjustment: Adjustment
