"""Accounts as they stand: read from the ledger, valued at the market, told to risk."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.portfolio.v1 import account_pb2 as pb
from quantmesh.chassis.database import Database
from quantmesh.chassis.decimals import can_be_told, to_proto
from quantmesh.chassis.identity import current_caller
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters import translate_orders
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.accounts import margin_question
from quantmesh.portfolio.core.account_state import AccountInstrument, AccountState, day_begin, value_account
from quantmesh.portfolio.core.ports import Market

_SIDES = {side: number for number, side in translate_orders.ORDER_SIDES.items()}


@dataclass(frozen=True, slots=True)
class Accounts:
    database: Database
    market: Market

    async def state(
        self, portfolio_id: UUID, symbols: Collection[str], without: Collection[UUID] = ()
    ) -> pb.AccountState:
        """The caller's account, with `symbols` priced too and `without` some of its open orders.

        Raises PortfolioNotFound, Unavailable.
        """
        now = (await self.market.clock()).time
        owner_id = current_caller().user_id
        async with self.database.transaction(owner_id) as session:
            recorded = await Store(session, owner_id).account(portfolio_id, day_begin(now))
        return account_message(await value_account(self.market, recorded.without(without), symbols, now))

    async def may_owe(self, portfolio_id: UUID) -> bool:
        """Whether the caller's account has margin; one that is not there has none."""
        return bool((await self.database.read(current_caller().user_id, *margin_question(portfolio_id))).rows)


def account_message(state: AccountState) -> pb.AccountState:
    recorded = state.recorded
    return pb.AccountState(
        portfolio_id=str(recorded.portfolio_id),
        base_currency=recorded.base_currency,
        cash=_sum(state.cash),
        instruments=[_instrument(each) for each in state.instruments],
        open_orders=[
            pb.AccountOpenOrder(symbol=each.symbol, side=_SIDES[each.side], quantity=to_proto(each.quantity))
            for each in recorded.open_orders
        ],
        day_profit=_sum(state.day_profit),
        as_of=to_timestamp(state.as_of),
        seq=recorded.seq,
        margin_enabled=recorded.margin_enabled,
    )


def _sum(amount: Decimal | None) -> DecimalMessage | None:
    """None where nobody knows it, or where it is larger than can be told: nothing is measured by it then."""
    return None if amount is None or not can_be_told(amount) else to_proto(amount)


def _instrument(each: AccountInstrument) -> pb.AccountInstrument:
    return pb.AccountInstrument(
        symbol=each.symbol,
        quantity=to_proto(each.quantity),
        currency=each.currency,
        price=None if each.price is None else to_proto(each.price),
        exchange_rate=None if each.exchange_rate is None else to_proto(each.exchange_rate),
        stale=each.stale,
        lot_size=to_proto(each.lot_size),
        is_option=each.is_option,
        multiplier=to_proto(each.multiplier),
    )
