"""What the core asks of the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from quantmesh.market.core.calendars import Calendar
from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.exchange_rates import ReferenceRates
from quantmesh.market.core.model import Asset, AssetClass, AssetListing, Bar, Quote, Rejection
from quantmesh.market.core.option_chains import OptionChain
from quantmesh.market.core.parse_bars import RawBar

Calendars = Mapping[str, Calendar]


class Provider(Protocol):
    """A source of assets and their bars. `version` changes when its content does."""

    name: str

    @property
    def version(self) -> str: ...
    def listings(self) -> Sequence[AssetListing]: ...
    def symbols(self) -> Sequence[str]:
        """Those that it has bars of."""
        ...

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
    async def read(
        self, asset: Asset, start: date, end: date, as_of: datetime, limit: int, recorded_by: datetime | None = None
    ) -> StoredBars:
        """The first `limit` bars from `start` to `end`, known at `as_of`, by day.

        Of a bar that was corrected, the version that was recorded last by `recorded_by` (system time; now where None).
        """
        ...

    async def last(
        self, assets: Sequence[Asset], as_of: datetime, recorded_by: datetime | None = None
    ) -> Mapping[str, Bar]:
        """The last bar of each, known at `as_of`; by symbol."""
        ...

    async def record(self, ingestion: Ingestion, known_until: datetime) -> int:
        """Add what is new or changed, with its rejections, checkpoint and event; how many bars that was.

        A correction is another version of its bar; the earlier ones stay.
        """
        ...

    async def refuse(self, source: str, rejections: Sequence[Rejection]) -> None:
        """Keep rows that belong to no asset apart, for a person to look at."""
        ...

    async def versions(self, source: str) -> Mapping[str, str]:
        """The checkpoint of each symbol."""
        ...


class Closes(Protocol):
    async def closes(self, assets: Sequence[Asset], recorded_by: datetime | None = None) -> list[CloseSeries]:
        """All closes of each, in the order of `assets`; by the versions recorded by then."""
        ...


class Chains(Protocol):
    async def latest(self, underlying: str, as_of: datetime) -> OptionChain | None:
        """The last snapshot taken by `as_of`."""
        ...

    async def underlyings(self) -> list[str]: ...
    async def add(self, chains: Sequence[OptionChain]) -> None:
        """Those that are not there yet."""
        ...


class Quotes(Protocol):
    """The latest quote of each symbol, for a few minutes; losing it costs a read of the last bar."""

    async def get(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Those that are there."""
        ...

    async def put(self, quotes: Sequence[Quote]) -> None: ...
    async def drop(self, symbols: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Market:
    """What every use case of this service may ask."""

    assets: Assets
    bars: Bars
    closes: Closes
    chains: Chains
    quotes: Quotes
    clock: MarketClock
    calendars: Calendars
    rates: ReferenceRates

    def true_at(self, as_of: datetime | None) -> datetime:
        """The instant a read is true at: never after the market's now."""
        now = self.clock.now()
        return now if as_of is None else min(as_of, now)
