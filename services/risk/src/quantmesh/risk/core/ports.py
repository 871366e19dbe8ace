"""What risk asks of other services."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Protocol

from quantmesh.risk.core.limits.account import Account
from quantmesh.risk.core.model import Book, History, Terms
from quantmesh.risk.core.options import Chain


class Market(Protocol):
    async def history(
        self, symbols: Sequence[str], closes: int, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        """The last `closes` closes that the symbols share, as they were known at `known_at` (system time)."""
        ...

    async def window(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        """The closes that the symbols share from the day `first` to the day `last`."""
        ...

    async def daily_volumes(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> dict[str, float]:
        """Average units a session from the day `first` to the day `last`, of the symbols that have volumes."""
        ...

    async def now(self) -> datetime:
        """Market time."""
        ...

    async def terms(self, symbols: Collection[str]) -> dict[str, Terms]:
        """By symbol; what nobody knows is NotFound."""
        ...

    async def chains(self, underlyings: Collection[str], as_of: datetime | None) -> dict[str, Chain]:
        """The last one on each underlying that has any."""
        ...


class Portfolios(Protocol):
    async def book(self, portfolio_id: str, as_of: datetime | None, known_at: datetime | None) -> Book:
        """The caller's portfolio; another's is NotFound."""
        ...


class Accounts(Protocol):
    """The caller's portfolios; another's is NotFound."""

    async def base_currency(self, portfolio_id: str) -> str: ...

    async def account(self, portfolio_id: str, symbols: Collection[str]) -> Account:
        """As it stands now, with `symbols` priced too."""
        ...
