"""A market that tests arrange by hand, and a caller of the service's methods."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

from quantmesh.api.common.v1.job_pb2 import JOB_STATUS_QUEUED, JOB_STATUS_RUNNING, GetJobRequest, Job
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.jobs import JobRpc, JobWorker
from quantmesh.portfolio.adapters.import_job import ImportJob, ReversalJob
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.store.imports import IMPORT_JOB, JOB_SCOPES, REVERSAL_JOB
from quantmesh.portfolio.core.errors import MarketUnavailable
from quantmesh.portfolio.core.market import (
    Adjustment,
    Asset,
    Closes,
    ExchangeRate,
    MarketClock,
    Quote,
    RateHistory,
    closes_of,
)

from .messages import decimal, order_request, stamp, transaction

NOW = datetime(2022, 12, 20, 18, 0, tzinfo=UTC)
SESSION_CLOSE = datetime(2022, 12, 20, 21, 0, tzinfo=UTC)
COSTS = {"fee_basis_points": Decimal(1), "minimum_fee": Decimal("0.01"), "slippage_basis_points": Decimal(0)}
NO_CONTEXT = cast("Any", None)
OPEN = {JOB_STATUS_QUEUED, JOB_STATUS_RUNNING}


def asset(symbol: str, adjustment: Adjustment = Adjustment.TOTAL_RETURN, currency: str = "USD") -> Asset:
    return Asset(symbol, currency, adjustment, Decimal("0.01"), Decimal(1), tradable=True)


def quote(symbol: str, price: str, *, stale: bool = False) -> Quote:
    middle, half = Decimal(price), Decimal("0.05")
    return Quote(symbol, middle, middle - half, middle + half, NOW, stale, "USD")


class FakeMarket:
    """The core's Market port over dictionaries."""

    def __init__(self) -> None:
        self.time = NOW
        self.open = True
        self.available = True
        self.known = {
            "AAPL": asset("AAPL"),
            "MSFT": asset("MSFT"),
            "IBM": asset("IBM", Adjustment.RAW),
            "SAP": asset("SAP", Adjustment.RAW, "EUR"),
        }
        self.live = {"AAPL": quote("AAPL", "130.00"), "MSFT": quote("MSFT", "240.00")}
        self.history: dict[str, Mapping[date, Decimal]] = {}
        self.rates: dict[tuple[str, str], RateHistory] = {}
        self.asked_known_at: datetime | None = None
        self.asked_assets: list[str] = []

    async def clock(self) -> MarketClock:
        self._answer()
        return MarketClock(self.time, self.open, session_close=SESSION_CLOSE)

    async def to_trade_on(self, symbols: Collection[str]) -> tuple[MarketClock, Mapping[str, Quote]]:
        return await self.clock(), await self.quotes(symbols)

    async def now(self, at_least: datetime) -> datetime:
        return (await self.clock()).time

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        self._answer()
        self.asked_assets.extend(symbols)
        return {symbol: self.known[symbol] for symbol in symbols if symbol in self.known}

    async def quotes(
        self, symbols: Collection[str], as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Mapping[str, Quote]:
        self._answer()
        self.asked_known_at = known_at
        if as_of is None:
            return {symbol: self.live[symbol] for symbol in symbols if symbol in self.live}
        found = {}
        for symbol in symbols:
            days = [day for day in self.history.get(symbol, {}) if day <= as_of.date()]
            if days:
                price = self.history[symbol][max(days)]
                found[symbol] = Quote(symbol, price, None, None, as_of, False, "USD")
        return found

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        self._answer()
        assert start <= end, "the real one refuses that"
        self.asked_known_at = known_at
        found = {}
        for symbol in symbols:
            closes = {day: close for day, close in self.history.get(symbol, {}).items() if start <= day <= end}
            if closes:
                found[symbol] = closes_of(closes)
        return found

    async def exchange_rates(
        self, currencies: Collection[str], base: str, as_of: datetime | None
    ) -> Mapping[str, ExchangeRate]:
        self._answer()
        at = (as_of or self.time).date()
        found = {}
        for currency in currencies:
            days = [day for day in self.rates.get((currency, base), {}) if day <= at]
            if days:
                day = max(days)
                found[currency] = ExchangeRate(self.rates[currency, base][day], day, (at - day).days > 5)
        return found

    async def exchange_rate_history(
        self, currencies: Collection[str], base: str, start: date, end: date, as_of: datetime | None
    ) -> Mapping[str, RateHistory]:
        self._answer()
        series = {}
        for currency in currencies:
            known = {day: rate for day, rate in self.rates.get((currency, base), {}).items() if day <= end}
            first = max((day for day in known if day <= start), default=start)
            series[currency] = {day: rate for day, rate in known.items() if day >= first}
        return {currency: rates for currency, rates in series.items() if rates}

    def _answer(self) -> None:
        if not self.available:
            raise MarketUnavailable("The market does not answer.")


class TickingClock:
    """System time under the test's hand; no two looks tell the same."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time


@dataclass
class User:
    """One tenant who calls the service's methods as its gRPC server would."""

    rpc: PortfolioRpc
    owner_id: UUID = field(default_factory=uuid4)

    def call(self, key: str = "") -> None:
        """Be the caller of what this task calls next."""
        caller = Caller(
            subject=str(self.owner_id),
            scopes=frozenset({"portfolio:read", "portfolio:write", "orders:write"}),
            roles=frozenset({"investor"}),
            tier="free",
            session_id="",
            token="",
            expires_at=0.0,
            owner_id=self.owner_id,
        )
        set_call(CallContext(caller=caller, idempotency_key=key))

    async def create(self, name: str = "Growth", currency: str = "USD", lots: int = 0) -> pb.Portfolio:
        self.call()
        request = pb.CreatePortfolioRequest(name=name, base_currency=currency, lot_method=cast("Any", lots))
        return (await self.rpc.CreatePortfolio(request, NO_CONTEXT)).portfolio

    async def record(self, portfolio_id: str, *, key: str = "", **fields: Any) -> pb.RecordTransactionResponse:
        self.call(key or uuid.uuid4().hex)
        request = pb.RecordTransactionRequest(portfolio_id=portfolio_id, transaction=transaction(**fields))
        return await self.rpc.RecordTransaction(request, NO_CONTEXT)

    async def deposit(self, portfolio_id: str, amount: str = "100000.00", at: str = "2020-01-02") -> None:
        await self.record(portfolio_id, type="deposit", amount=amount, currency="USD", at=at)

    async def buy(
        self, portfolio_id: str, quantity: str, price: str, at: str = "2020-01-03", symbol: str = "AAPL"
    ) -> pb.RecordTransactionResponse:
        return await self.record(
            portfolio_id, type="buy", symbol=symbol, quantity=quantity, price=price, currency="USD", at=at
        )

    async def order(
        self, portfolio_id: str, quantity: str, side: str = "buy", symbol: str = "AAPL", **more: Any
    ) -> pb.Order:
        self.call(more.pop("key", "") or uuid.uuid4().hex)
        request = order_request(portfolio_id, quantity, side, symbol, **more)
        return (await self.rpc.PlaceOrder(request, NO_CONTEXT)).order

    async def replace(self, order: pb.Order, **changes: str) -> pb.Order:
        """At the version that `order` shows; numbers are strings."""
        self.call()
        request = pb.ReplaceOrderRequest(
            id=order.id,
            expected_version=order.version,
            **{name: decimal(value) for name, value in changes.items()},
        )
        return (await self.rpc.ReplaceOrder(request, NO_CONTEXT)).order

    async def cancel(self, order_id: str, expected_version: int | None = None) -> pb.Order:
        self.call()
        request = pb.CancelOrderRequest(id=order_id, expected_version=expected_version)
        return (await self.rpc.CancelOrder(request, NO_CONTEXT)).order

    async def shown(self, order_id: str) -> pb.Order:
        self.call()
        return (await self.rpc.GetOrder(pb.GetOrderRequest(id=order_id), NO_CONTEXT)).order

    async def positions(
        self, portfolio_id: str, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> pb.GetPositionsResponse:
        self.call()
        request = pb.GetPositionsRequest(portfolio_id=portfolio_id, as_of=stamp(as_of), known_at=stamp(known_at))
        return await self.rpc.GetPositions(request, NO_CONTEXT)

    async def events(self, portfolio_id: str, after: int = 0, limit: int = 1000) -> pb.ListEventsResponse:
        self.call()
        request = pb.ListEventsRequest(portfolio_id=portfolio_id, after=after, limit=limit)
        return await self.rpc.ListEvents(request, NO_CONTEXT)

    async def ledger(self, portfolio_id: str) -> list[pb.LedgerEntry]:
        self.call()
        answer = await self.rpc.ListLedger(pb.ListLedgerRequest(portfolio_id=portfolio_id), NO_CONTEXT)
        return list(answer.entries)

    async def import_csv(
        self, portfolio_id: str, csv: str | bytes, *, dry_run: bool = False, key: str = ""
    ) -> pb.ImportTransactionsResponse:
        self.call(key or uuid.uuid4().hex)
        content = csv.encode() if isinstance(csv, str) else csv
        request = pb.ImportTransactionsRequest(portfolio_id=portfolio_id, csv=content, dry_run=dry_run)
        return await self.rpc.ImportTransactions(request, NO_CONTEXT)


@dataclass
class Service:
    """The service on a database of its own, beside a market that the test arranges."""

    rpc: PortfolioRpc
    database: Database
    market: FakeMarket
    clock: TickingClock
    admin_url: str
    app_url: str

    def user(self) -> User:
        return User(self.rpc)

    async def ended(self, user: User, job_id: str) -> Job:
        """The job once it has ended; somebody has to be working."""
        user.call()
        jobs = JobRpc(self.database, JOB_SCOPES)
        async with asyncio.timeout(60):
            while True:
                job = (await jobs.GetJob(GetJobRequest(id=job_id), NO_CONTEXT)).job
                if job.status not in OPEN:
                    return job
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Long imports are done while this is open."""
        job = ImportJob(self.database, self.market, self.clock)
        reversal = ReversalJob(self.database, self.clock)
        functions = {IMPORT_JOB: job.run, REVERSAL_JOB: reversal.run}
        worker = JobWorker(self.database, functions, pause_seconds=0.1)
        working = asyncio.create_task(worker.run())
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
