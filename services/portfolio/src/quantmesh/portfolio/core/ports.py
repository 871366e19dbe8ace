"""What the use cases need of the world: the ledger's open transaction, and the market."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.daily_flows import DailyFlow, FlowTable
from quantmesh.portfolio.core.daily_income import DailyIncome, IncomeTable
from quantmesh.portfolio.core.halts.model import Halt
from quantmesh.portfolio.core.held_table import HeldTable
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.lots import FoldedLots, Position, SecurityMovement
from quantmesh.portfolio.core.market import Asset, Closes, ExchangeRate, MarketClock, Quote, RateHistory
from quantmesh.portfolio.core.model import Portfolio, Transaction
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.orders import Fill, Order
from quantmesh.portfolio.core.pre_trade import PreTradeAnswer, ProposedTrade
from quantmesh.portfolio.core.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class View:
    """What was true at `as_of` (market time) as it was known at `known_at` (system time); None: no bound.

    `seq` bounds the read to one state of the log, so that several queries tell of the same state.
    """

    as_of: datetime | None = None
    known_at: datetime | None = None
    seq: int | None = None


class Journal(Protocol):
    """What was recorded in a portfolio, and snapshots of what that came to."""

    async def movements(
        self, portfolio_id: UUID, view: View, symbols: Collection[str] = (), since: Snapshot | None = None
    ) -> Sequence[SecurityMovement]:
        """In order of execution, then of recording; of all symbols where none is named, all but what `since` holds."""
        ...

    async def cash(self, portfolio_id: UUID, view: View, since: Snapshot | None = None) -> Mapping[str, Decimal]: ...

    async def known(self, portfolio_id: UUID, view: View, fold: str) -> View:
        """The same transactions by closer bounds: `seq` of what was known then, `as_of` not long after the last."""
        ...

    async def snapshot(
        self, portfolio_id: UUID, view: View, fold: str, before: datetime | None = None
    ) -> Snapshot | None:
        """The newest that holds nothing outside the view, and nothing executed at or after `before`."""
        ...

    async def snapshot_positions(
        self, portfolio_id: UUID, snapshot: Snapshot, moved: Collection[str]
    ) -> Sequence[Position]:
        """What was held, but for instruments that have `moved` since."""
        ...

    async def snapshot_lots(
        self, portfolio_id: UUID, snapshot: Snapshot, symbols: Collection[str], *, whole: bool = False
    ) -> dict[str, FoldedLots]:
        """Of those of `symbols` that had moved by then; many lots lie between those at the ends, unless `whole`."""
        ...

    async def snapshot_days(
        self, portfolio_id: UUID, snapshot: Snapshot, since: date, *, explained: bool
    ) -> Sequence[HeldTable]:
        """Of all that had moved by then: each day on which it did, from the last one by `since` on; in turn."""
        ...

    async def flows_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyFlow]:
        """Of all but what `since` holds."""
        ...

    async def income_since(self, portfolio_id: UUID, view: View, since: Snapshot | None) -> Sequence[DailyIncome]:
        """Dividends and interest, less those paid, and fees; of all but what `since` holds."""
        ...

    async def snapshot_flows(self, portfolio_id: UUID, number: int, after: int = 0) -> FlowTable:
        """What snapshot `number` holds, beside what one before it with number `after` does."""
        ...

    async def snapshot_income(
        self, portfolio_id: UUID, number: int, after: int = 0, since: date = date.min
    ) -> IncomeTable:
        """The same; of before `since` not all, or nothing."""
        ...


class Ledger(Journal, Protocol):
    """One owner's rows in one open transaction. Unknown and foreign ids raise the NotFound of their kind."""

    async def portfolio(self, portfolio_id: UUID) -> Portfolio: ...

    async def recorded(self, portfolio_id: UUID) -> tuple[Portfolio, datetime]:
        """With the time of its last recording."""
        ...

    async def advance(self, portfolio_id: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        """Lock the portfolio until commit and take the next `events` numbers of its log.

        The portfolio with the last of them, and the time of recording: `now`, or later where the last recording was.
        """
        ...

    async def lock(self, portfolio_id: UUID, now: datetime) -> tuple[Portfolio, datetime]:
        """As `advance` without a number: those that are needed are taken once it is known how many."""
        ...

    async def take_numbers(self, portfolio: Portfolio, events: int, recorded_at: datetime) -> None:
        """The next `events` numbers of the log of one that is locked."""
        ...

    async def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        """The balances of `holdings` from `since` on, and where their splits are."""
        ...

    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        written: Callable[[int], None] | None = None,
    ) -> None:
        """Write transactions of one portfolio with their postings, salts and log events; `balances` are those after.

        `written` is told how many are done.
        """
        ...

    async def imported(self, portfolio_id: UUID, fingerprints: Collection[bytes]) -> Mapping[bytes, UUID]:
        """The transactions that earlier imports recorded for those of `fingerprints` that they had."""
        ...

    async def remember_imported(self, portfolio_id: UUID, transactions: Mapping[bytes, UUID]) -> None: ...

    async def standing(self, portfolio_id: UUID, transaction_id: UUID) -> Transaction:
        """With its postings, and whether it was taken back."""
        ...

    async def standing_of_import(self, portfolio_id: UUID, import_id: UUID) -> Sequence[Transaction]:
        """All that it recorded in the same way, the last first. Raises ImportNotFound."""
        ...

    async def counted(self, portfolio_id: UUID, symbols: Collection[str]) -> Sequence[tuple[UUID, str, datetime, int]]:
        """The entries that were made out of what was held of `symbols`: id, symbol, executed_at and seq."""
        ...

    async def forget_imported(self, portfolio_id: UUID, transaction_ids: Sequence[UUID]) -> None:
        """The rows that they were recorded for may come again."""
        ...

    async def owes(self, portfolio_id: UUID) -> bool:
        """Whether cash or units are below zero."""
        ...

    async def option_terms(self, portfolio_id: UUID, symbols: Collection[str]) -> Mapping[str, OptionTerms]:
        """Of those of `symbols` that are options, as they were last posted."""
        ...

    async def halts(self) -> Sequence[Halt]:
        """All that are in force."""
        ...

    async def order_id_taken(self, portfolio_id: UUID, client_order_id: str) -> bool: ...

    async def take_step(self, order: Order, step: OrderStep, event: AccountEvent, fill: Fill | None) -> None:
        """Write the order as it is after the step, and tell of it. The first one adds it."""
        ...

    async def order(self, order_id: UUID) -> Order: ...

    async def open_orders(self, portfolio_id: UUID, symbols: Collection[str] = ()) -> Sequence[Order]:
        """In order of acceptance; of all symbols where none is named."""
        ...

    async def reserve(self, portfolio_id: UUID, holding: Holding, more: Decimal) -> None:
        """Keep `more` of a balance for open orders, or less where that is negative."""
        ...

    async def lock_sizes(self, symbols: Collection[str]) -> None:
        """What is used of these symbols' quotes moves no more until commit. After the portfolio's lock."""
        ...

    async def take_liquidity(self, request: LiquidityRequest) -> Decimal:
        """What the order gets of its quote's size, used from now on; the symbol stays locked until commit."""
        ...


class Market(Protocol):
    """Raises Unavailable where the market does not answer."""

    async def clock(self) -> MarketClock: ...

    async def to_trade_on(self, symbols: Collection[str]) -> tuple[MarketClock, Mapping[str, Quote]]:
        """Its clock and the quotes of `symbols` to trade on; those heard seconds ago will do."""
        ...

    async def now(self, at_least: datetime) -> datetime:
        """The market's time; one told seconds ago will do if it is not before `at_least`."""
        ...

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        """Without those that the market does not know."""
        ...

    async def quotes(
        self, symbols: Collection[str], as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Mapping[str, Quote]:
        """At `as_of` by what the market had recorded at `known_at`; now where they are None."""
        ...

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        """Without those that have none on those days."""
        ...

    async def exchange_rates(
        self, currencies: Collection[str], base: str, as_of: datetime | None
    ) -> Mapping[str, ExchangeRate]:
        """Into `base`, by currency; without those that have no rate by then."""
        ...

    async def exchange_rate_history(
        self, currencies: Collection[str], base: str, start: date, end: date, as_of: datetime | None
    ) -> Mapping[str, RateHistory]: ...


class PreTrade(Protocol):
    """KYC, limits and margin: what other services have to say about an order before it is taken."""

    async def check(self, *trades: ProposedTrade, with_figures: bool = False) -> PreTradeAnswer:
        """Of one portfolio, together; `with_figures` also tells exposure, value at risk and margin that nothing limits.

        Raises Unavailable where nobody answers in time: no order then.
        """
        ...

    def is_quick(self, portfolio_id: UUID) -> bool:
        """Whether the last answer for the portfolio needed nothing of its account, which holds until limits are set."""
        ...
