"""A split, and the open orders that were priced before it: they are cancelled with it.

Their prices and quantities are of units that are no more: a stop would be triggered by the split itself, and a sale
could take more than the split leaves. Decision 12 tells why they are not adjusted instead.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.core.admission import Books, admit, touched
from quantmesh.portfolio.core.end_order import end_locked
from quantmesh.portfolio.core.model import Entry, Portfolio, Transaction, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, plain
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.record_transactions import NewId, Recorded, changed, post
from quantmesh.portfolio.core.reservations import reserved_from


class RestingOrders:
    """Open orders of a portfolio that is locked, and those of them that splits end as they are admitted."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self._open = list(orders)
        self._ended: list[tuple[Order, TransactionInput]] = []

    def admit(self, asked: TransactionInput, currency: str, books: Books) -> Entry:
        """As admission does; what a split ends reserves nothing any more. Where it is refused it ends nothing."""
        if asked.type is not TransactionType.SPLIT:
            return admit(asked, currency, books)
        ending = [order for order in self._open if _is_ended_by(asked, order)]
        for order in ending:
            books.balance(reserved_from(order)).reserve(order.reserved.copy_negate())
        try:
            entry = admit(asked, currency, books)
        except QuantmeshError:
            for order in ending:
                books.balance(reserved_from(order)).reserve(order.reserved)
            raise
        self._open = [order for order in self._open if not _is_ended_by(asked, order)]
        self._ended.extend((order, asked) for order in ending)
        return entry

    async def cancel_ended(self, ledger: Ledger, portfolio: Portfolio, recorded_at: datetime, new_id: NewId) -> None:
        """Dated as the splits are; `portfolio` is at its newest number, and the next ones are taken."""
        for order, split in self._ended:
            await end_locked(
                ledger, portfolio, order, OrderStep.CANCELLED, split.executed_at, recorded_at, new_id, _reason(split)
            )
            portfolio = replace(portfolio, seq=portfolio.seq + 1)


async def record_split(
    ledger: Ledger, portfolio_id: UUID, asked: TransactionInput, currency: str, now: datetime, new_id: NewId
) -> Recorded:
    """As `record_transaction`; the cancelled orders have the log's numbers before it."""
    portfolio, recorded_at = await ledger.lock(portfolio_id, now)
    books = await ledger.books(portfolio_id, touched(asked, currency), asked.executed_at)
    resting = RestingOrders(await ledger.open_orders(portfolio_id, [asked.symbol]))
    entry = resting.admit(asked, currency, books)
    await resting.cancel_ended(ledger, portfolio, recorded_at, new_id)
    portfolio, recorded_at = await ledger.advance(portfolio_id, 1, now)
    transaction = Transaction(new_id(), portfolio_id, portfolio.seq, entry, recorded_at)
    return await post(ledger, portfolio, transaction, changed(books, [entry]))


def _is_ended_by(split: TransactionInput, order: Order) -> bool:
    return order.request.symbol == split.symbol and order.is_from_before(split.executed_at)


def _reason(split: TransactionInput) -> str:
    ratio, at = plain(split.split_ratio or ZERO), split.executed_at.isoformat()
    return f"{split.symbol} was split at {at}, {ratio} for 1: the order is for units of before"
