"""One order under its portfolio's lock: what happens to it in one transaction, written at the end at once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmesh.portfolio.core.account_log import order_event
from quantmesh.portfolio.core.admission import Books, Holding, admit
from quantmesh.portfolio.core.buying_power import required
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.execution import Venue, execution_price, fee_of, is_triggered, traded_value
from quantmesh.portfolio.core.halts.model import halt_of
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.margin import require_margin
from quantmesh.portfolio.core.market import Asset, Quote
from quantmesh.portfolio.core.model import Entry, LotMethod, Portfolio, Transaction, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.orders import AT_ONCE, Fill, Order, OrderSide, TimeInForce
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.record_transactions import NewId, changed, fold_touched
from quantmesh.portfolio.core.reservations import affordable, reservation, reserved_from, worst_price

TakeLiquidity = Callable[[LiquidityRequest], Awaitable[Decimal]]
_TRANSACTION_TYPES = {OrderSide.BUY: TransactionType.BUY, OrderSide.SELL: TransactionType.SELL}


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step at `time` of the market, and the order after it; with what a fill posts."""

    order: Order
    step: OrderStep
    time: datetime
    fill: Fill | None = None
    entry: Entry | None = None


class OrderWork:
    """`take` and `match` decide, `write` writes; the portfolio is locked since before the order was read."""

    def __init__(
        self, order: Order, books: Books, recorded_at: datetime, new_id: NewId, take_liquidity: TakeLiquidity
    ) -> None:
        self.order = order
        self._books = books
        self._recorded_at = recorded_at
        self._new_id = new_id
        self._take_liquidity = take_liquidity
        self._before = order
        self._taken: list[_Taken] = []

    def take(self, step: OrderStep, time: datetime, **changes: Any) -> None:
        """Raises IllegalTransition. An order that has ended reserves nothing."""
        after = self.order.take(step, **changes)
        self._keep(_Taken(after if after.is_open else replace(after, reserved=ZERO), step, time))

    def trigger(self, quote: Quote) -> None:
        self.take(OrderStep.TRIGGERED, quote.time, triggered_at=quote.time)

    def required(self, order: Order, price: Decimal, venue: Venue, time: datetime) -> Decimal:
        """What `order`, in the place of this one, needs at `price`. Raises InsufficientCash or InsufficientHolding."""
        return required(self._books, replace(order, reserved=self.order.reserved), price, venue, time)

    async def match(self, venue: Venue, quote: Quote, wanted: Decimal, *, behind_resting: bool) -> None:
        """Trigger it, fill it as far as the quote goes and up to `wanted`, and cancel what must not rest after that."""
        if self.order.waits_for_trigger:
            if not is_triggered(self.order.request, quote):
                return
            self.trigger(quote)
        price = execution_price(self.order.request, quote, venue.asset, venue.costs)
        if price is not None:
            await self._fill(venue, quote, min(wanted, self.order.open_quantity), price, behind_resting=behind_resting)
        if self.order.is_open and self.order.request.time_in_force in AT_ONCE:
            self.take(OrderStep.CANCELLED, quote.time, reason=_left_over(self.order, price))

    @property
    def took_a_step(self) -> bool:
        return bool(self._taken)

    @property
    def fills(self) -> list[Fill]:
        """In order of execution."""
        return [taken.fill for taken in self._taken if taken.fill is not None]

    @property
    def entries(self) -> list[Entry]:
        """What the fills post."""
        return [taken.entry for taken in self._taken if taken.entry is not None]

    async def write(self, ledger: Ledger, portfolio: Portfolio) -> Order:
        """All that was taken, with the next numbers of the account's log, which `portfolio` was locked at."""
        order, recorded_at, seq = self.order, self._recorded_at, portfolio.seq
        await ledger.take_numbers(portfolio, len(self._taken) + len(self.fills), recorded_at)
        transactions = []
        for taken in self._taken:
            seq += 1
            event = order_event(taken.order, taken.step, seq, taken.time, recorded_at, taken.fill)
            await ledger.take_step(taken.order, taken.step, event, taken.fill)
            if taken.fill is not None and taken.entry is not None:
                seq += 1
                transactions.append(
                    Transaction(taken.fill.transaction_id, portfolio.id, seq, taken.entry, recorded_at, order.id)
                )
        # Less is kept before cash and units go, more after they came: never more than there is.
        kept = order.reserved - self._before.reserved
        if kept < ZERO:
            await ledger.reserve(portfolio.id, reserved_from(order), kept)
        if transactions:
            balances = changed(self._books, [item.entry for item in transactions])
            await ledger.append(transactions, balances)
            if portfolio.lot_method is LotMethod.SPECIFIC:
                # A sale takes the oldest lots, which a later one may have named.
                await fold_touched(ledger, portfolio, balances)
            await require_margin(
                ledger, portfolio, [item.entry for item in transactions], balances, before=portfolio.seq
            )
        if kept > ZERO:
            await ledger.reserve(portfolio.id, reserved_from(order), kept)
        return order

    async def _fill(self, venue: Venue, quote: Quote, wanted: Decimal, price: Decimal, *, behind_resting: bool) -> None:
        order, asset = self.order, venue.asset
        payable = wanted
        if not self._books.may_owe:
            available = self._free(quote.time)
            payable = min(wanted, affordable(order, available, price, asset, venue.costs))
        whole = order.request.time_in_force is TimeInForce.FOK
        granted = ZERO
        request = LiquidityRequest(order, quote, payable, asset.lot_size, whole, behind_resting)
        if payable > ZERO and (payable == wanted or not whole) and self._can_post(request.at_most, venue, price):
            granted = await self._take_liquidity(request)
        if granted > ZERO and self._can_post(granted, venue, price):
            self._execute(venue, quote, granted, price)
        if granted == payable < wanted:
            reason = f"the account cannot pay for more than {plain(granted)} of {plain(wanted)} at {plain(price)}"
            self.take(OrderStep.CANCELLED, quote.time, reason=reason)

    @exactly
    def _can_post(self, quantity: Decimal, venue: Venue, price: Decimal) -> bool:
        """Whether the ledger takes a fill of `quantity`, a part of what is open; of all of it the ledger itself says.

        Less than the currency's smallest unit is no trade, nor does a sale bring less than its fee where there is no
        other cash: a larger part may come.
        """
        order, asset = self.order, venue.asset
        if quantity == order.open_quantity:
            return True
        notional = quantity * price
        value = round_cash(traded_value(notional, asset), order.currency)
        if order.request.side is OrderSide.BUY or self._books.may_owe:
            return value > ZERO
        cash = self._books.balance((CASH, order.currency)).headroom(venue.time).amount
        return value > ZERO and cash + value >= fee_of(order, notional, asset, venue.costs)

    @exactly
    def _execute(self, venue: Venue, quote: Quote, quantity: Decimal, price: Decimal) -> None:
        order, asset = self.order, venue.asset
        notional = quantity * price
        fee = fee_of(order, notional, asset, venue.costs)
        asked = _trade(order, asset, quantity, price, fee, quote.time).checked()
        # The order pays with what it reserved.
        self._books.balance(reserved_from(order)).reserve(-order.reserved)
        self.order = replace(order, reserved=ZERO)
        entry = admit(asked, order.currency, self._books)
        fill = Fill(self._new_id(), quantity, price, fee, quote.time)
        filled = order.filled_quantity + quantity
        step = OrderStep.FILLED if filled == order.request.quantity else OrderStep.PARTIALLY_FILLED
        after = self.order.take(
            step,
            filled_quantity=filled,
            notional=order.notional + notional,
            fee=order.fee + fee,
            executed_at=quote.time,
            transaction_id=fill.transaction_id,
        )
        rest = reservation(after, worst_price(after, venue) or price, asset, venue.costs)
        if not self._books.may_owe:
            rest = min(rest, max(self._free(quote.time), ZERO))
        self._keep(_Taken(replace(after, reserved=rest), step, quote.time, fill, entry))

    def _keep(self, taken: _Taken) -> None:
        more = taken.order.reserved - self.order.reserved
        self._books.balance(reserved_from(taken.order)).reserve(more)
        self.order = taken.order
        self._taken.append(taken)

    def _free(self, time: datetime) -> Decimal:
        """What the order can still draw on, its own reservation included."""
        return self._books.balance(reserved_from(self.order)).headroom(time, own=self.order.reserved).amount


async def locked(ledger: Ledger, order_id: UUID, now: datetime) -> tuple[Order, Portfolio, datetime]:
    """The order as it stands under its portfolio's lock, and the time of recording. Raises OrderNotFound."""
    order = await ledger.order(order_id)
    portfolio, recorded_at = await ledger.lock(order.portfolio_id, now)
    return await ledger.order(order_id), portfolio, recorded_at


async def with_halt(ledger: Ledger, venue: Venue) -> Venue:
    """With the halt that is in force for its symbol now, whatever was seen before the transaction.

    Whoever trades has locked what is used of its quote: no halt comes while that is waited for.
    """
    return replace(venue, halt=halt_of(await ledger.halts(), venue.asset.symbol))


async def books_for(ledger: Ledger, order: Order, since: datetime) -> Books:
    """The balances that the order can change, from the time on at which it may trade."""
    return await ledger.books(order.portfolio_id, balances_of(order), since)


def balances_of(order: Order) -> set[Holding]:
    return {(CASH, order.currency), (SECURITIES, order.request.symbol)}


def _trade(
    order: Order, asset: Asset, quantity: Decimal, price: Decimal, fee: Decimal, executed_at: datetime
) -> TransactionInput:
    return TransactionInput(
        type=_TRANSACTION_TYPES[order.request.side],
        executed_at=executed_at,
        currency=order.currency,
        symbol=asset.symbol,
        quantity=quantity,
        price=price,
        fee=fee,
        option=asset.option,
    )


def _left_over(order: Order, price: Decimal | None) -> str:
    """Why an order that is settled at once was not filled, or not whole."""
    request = order.request
    if price is None and request.limit_price is not None:
        return f"nobody trades at {plain(request.limit_price)} or better now"
    if order.filled_quantity:
        return f"only {plain(order.filled_quantity)} of {plain(request.quantity)} could be filled at once"
    return f"{plain(request.quantity)} could not be filled at once"
