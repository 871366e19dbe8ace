"""The open orders of all symbols, and what each quote proposes to do with them.

A proposal is taken as done at once, so that the next one follows from it; where the ledger decides otherwise, the order
is put again as the ledger has it. The same orders and quotes in the same order give the same proposals.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.venue.model import Action, Proposal, RestingOrder
from quantmesh.portfolio.core.venue.order_queue import OrderQueue, Rank

_ANY_PRICE = Decimal("-Infinity")


class Book:
    def __init__(self) -> None:
        self._symbols: dict[str, _SymbolBook] = {}
        self._symbol_of: dict[UUID, str] = {}

    def __len__(self) -> int:
        return len(self._symbol_of)

    def version(self, order_id: UUID) -> int | None:
        """None where the order is not in the book."""
        symbol = self._symbol_of.get(order_id)
        return None if symbol is None else self._symbols[symbol].orders[order_id].version

    def versions(self) -> dict[UUID, int]:
        return {order.id: order.version for book in self._symbols.values() for order in book.orders.values()}

    def symbols(self) -> list[str]:
        """Those in which anything rests."""
        return [symbol for symbol, book in self._symbols.items() if book.orders]

    def orders(self, symbol: str) -> list[RestingOrder]:
        book = self._symbols.get(symbol)
        return [] if book is None else list(book.orders.values())

    def put(self, order: RestingOrder) -> None:
        """Add it, or have it stand as it says, at the place in the queue that it says."""
        self._symbol_of[order.id] = order.symbol
        self._book(order.symbol).put(order)

    def remove(self, order_id: UUID) -> None:
        symbol = self._symbol_of.pop(order_id, None)
        if symbol is not None:
            self._symbols[symbol].remove(order_id)

    @exactly
    def on_quote(self, quote: Quote) -> list[Proposal]:
        """Expiries, then triggers, then fills by price and time, for no more than the quote is good for.

        A quote that came before gives what is left of it; one that is stale, crossed, one-sided or older than the last
        makes nothing trade.
        """
        return self._forget_ended(self._book(quote.symbol).on_quote(quote))

    def on_time(self, market_time: datetime) -> list[Proposal]:
        """Expiries alone, of all symbols: also where no quote comes any more."""
        return self._forget_ended(
            [proposal for book in self._symbols.values() for proposal in book.expiries(market_time)]
        )

    def _book(self, symbol: str) -> "_SymbolBook":
        book = self._symbols.get(symbol)
        if book is None:
            book = self._symbols[symbol] = _SymbolBook()
        return book

    def _forget_ended(self, proposals: list[Proposal]) -> list[Proposal]:
        for proposal in proposals:
            order = proposal.order
            if order.id not in self._symbols[order.symbol].orders:
                self._symbol_of.pop(order.id, None)
        return proposals


class _SymbolBook:
    """Queues are ranked so that the least comes first: for purchases and falling triggers prices count negative."""

    def __init__(self) -> None:
        self.orders: dict[UUID, RestingOrder] = {}
        self._resting = {side: OrderQueue() for side in OrderSide}
        self._stops = {side: OrderQueue() for side in OrderSide}
        self._expiries = OrderQueue()
        self._quoted_at: datetime | None = None
        self._used = dict.fromkeys(OrderSide, ZERO)

    def put(self, order: RestingOrder) -> None:
        self.orders[order.id] = order
        side = order.side
        if order.stop_price is not None:
            self._stops[side].put(_rank(_turned(order.stop_price, side is OrderSide.SELL), order))
            self._resting[side].remove(order.id)
        else:
            price = _ANY_PRICE if order.limit_price is None else _turned(order.limit_price, side is OrderSide.BUY)
            self._resting[side].put(_rank(price, order))
            self._stops[side].remove(order.id)
        if order.expires_at is None:
            self._expiries.remove(order.id)
        else:
            self._expiries.put((order.expires_at, order.id))

    def remove(self, order_id: UUID) -> None:
        order = self.orders.pop(order_id)
        self._resting[order.side].remove(order_id)
        self._stops[order.side].remove(order_id)
        self._expiries.remove(order_id)

    def expiries(self, market_time: datetime) -> list[Proposal]:
        found = []
        while (rank := self._expiries.first()) is not None and rank[0] <= market_time:
            order = self.orders[rank[-1]]
            self.remove(order.id)
            found.append(Proposal(Action.EXPIRE, order))
        return found

    def on_quote(self, quote: Quote) -> list[Proposal]:
        if self._quoted_at is not None and quote.quoted_at < self._quoted_at:
            return []
        proposals = self.expiries(quote.time)
        if not quote.is_good or quote.bid is None or quote.ask is None:
            return proposals
        if quote.quoted_at != self._quoted_at:
            self._quoted_at = quote.quoted_at
            self._used = dict.fromkeys(OrderSide, ZERO)
        proposals += self._triggers(OrderSide.BUY, quote.price)
        proposals += self._triggers(OrderSide.SELL, quote.price.copy_negate())
        proposals += self._fills(OrderSide.BUY, quote.ask.copy_negate(), quote.ask_size)
        proposals += self._fills(OrderSide.SELL, quote.bid, quote.bid_size)
        return proposals

    def _triggers(self, side: OrderSide, reached: Decimal) -> Iterator[Proposal]:
        stops = self._stops[side]
        while (rank := stops.first()) is not None and rank[0] <= reached:
            order = self.orders[rank[-1]]
            self.put(replace(order, stop_price=None))
            yield Proposal(Action.TRIGGER, order)

    def _fills(self, side: OrderSide, reach: Decimal, size: Decimal | None) -> Iterator[Proposal]:
        """Of the side of the quote that `side` trades with; without a `size` it is good for any quantity."""
        resting = self._resting[side]
        while (rank := resting.first()) is not None and rank[0] <= reach:
            order = self.orders[rank[-1]]
            quantity = order.open_quantity if size is None else min(order.open_quantity, size - self._used[side])
            if quantity <= ZERO:
                return
            self._used[side] += quantity
            if quantity == order.open_quantity:
                self.remove(order.id)
            else:
                self.orders[order.id] = replace(order, open_quantity=order.open_quantity - quantity)
            yield Proposal(Action.FILL, order, quantity)


def _rank(price: Decimal, order: RestingOrder) -> Rank:
    return price, order.priority_at, order.id


def _turned(price: Decimal, negative: bool) -> Decimal:
    """Exactly, whatever the precision of the context."""
    return price.copy_negate() if negative else price
