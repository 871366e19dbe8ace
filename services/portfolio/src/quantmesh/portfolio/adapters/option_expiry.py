"""Options that expired while they were held are settled, in the leading replica."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import psycopg

from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, InvalidInput, NotFound, RuleBroken, Unavailable
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.leadership import while_leading
from quantmesh.chassis.sql import text
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.option_terms import terms_of
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.record_transactions import record_transaction, resolve
from quantmesh.portfolio.core.settle_expired import ExpiredOption, sale_of, settlement_of
from quantmesh.portfolio.core.times import rfc3339

log = get_logger(__name__)

_EVERY_SECONDS = 5.0
_LEADING_AGAIN_SECONDS = 2.0
# Where somebody took a settlement back, what comes in its place is theirs to record.
_DUE = text(
    """
    SELECT h.owner_id, h.portfolio_id, h.commodity AS symbol, h.amount, expired.option
    FROM (
        SELECT DISTINCT ON (portfolio_id, symbol) portfolio_id, symbol, option FROM transaction
        WHERE option IS NOT NULL AND option ->> 'expiry' <= :now
        ORDER BY portfolio_id, symbol
    ) AS expired
    JOIN portfolio AS p ON p.id = expired.portfolio_id AND p.deleted_at IS NULL
    JOIN holding AS h ON h.portfolio_id = expired.portfolio_id AND h.account = 'assets:securities'
        AND h.commodity = expired.symbol AND h.amount <> 0
    WHERE NOT EXISTS (
        SELECT FROM transaction AS s
        JOIN transaction AS r ON r.portfolio_id = s.portfolio_id AND r.reverses = s.id
        WHERE s.portfolio_id = h.portfolio_id AND s.symbol = h.commodity
          AND s.executed_at = CAST(expired.option ->> 'expiry' AS timestamptz)
    )
    ORDER BY h.portfolio_id, h.commodity
    """
)


class OptionExpiry:
    def __init__(self, database: Database, market: Market, clock: Clock) -> None:
        self._database = database
        self._market = market
        self._clock = clock
        self._told: set[ExpiredOption] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await while_leading(self._database, "option-expiry", self._sweep)
            except psycopg.Error as fault:
                log.warning("somebody else may settle options", error=str(fault))
            await asyncio.sleep(_LEADING_AGAIN_SECONDS)

    async def _sweep(self) -> None:
        while True:
            try:
                await self.settle_due()
            except (Unavailable, Conflict) as fault:
                log.warning("expired options wait", error=fault.detail)
            await asyncio.sleep(_EVERY_SECONDS)

    async def settle_due(self) -> None:
        """All that have expired by the market's time; each once, since what is settled is not held any more."""
        now = (await self._market.clock()).time
        prices: dict[tuple[str, datetime], Decimal | None] = {}
        for held in await self._due(now):
            place = held.terms.underlying, held.terms.expiry
            if place not in prices:
                prices[place] = await self._price(*place)
            price = prices[place]
            if price is None:
                self._tell(held, f"nobody quoted {held.terms.underlying} then")
            else:
                await self._settle(held, price)

    async def _due(self, now: datetime) -> Sequence[ExpiredOption]:
        async with self._database.system_transaction() as session:
            found = await session.execute(_DUE, {"now": rfc3339(now)})
            return [
                ExpiredOption(row.owner_id, row.portfolio_id, row.symbol, row.amount, terms_of(row.option))
                for row in found
            ]

    async def _price(self, underlying: str, expiry: datetime) -> Decimal | None:
        """None where nobody quoted it then."""
        quote = (await self._market.quotes([underlying], expiry)).get(underlying)
        return None if quote is None or quote.stale else quote.price

    async def _settle(self, held: ExpiredOption, price: Decimal) -> None:
        try:
            try:
                await self._record(held, settlement_of(held, price))
            except (InsufficientCash, InsufficientHolding, MarginExceeded):
                await self._record(held, sale_of(held, price))
        except (RuleBroken, InvalidInput, NotFound) as refusal:
            self._tell(held, refusal.detail)

    def _tell(self, held: ExpiredOption, reason: str) -> None:
        """Once; every sweep tries again."""
        if held not in self._told:
            self._told.add(held)
            log.warning("an expired option stays", symbol=held.symbol, reason=reason)

    async def _record(self, held: ExpiredOption, asked: TransactionInput) -> None:
        asked, currency = await resolve(self._market, asked)
        async with self._database.transaction(held.owner_id) as session:
            store = Store(session, held.owner_id)
            await record_transaction(store, held.portfolio_id, asked, currency, self._clock.now(), uuid7)
