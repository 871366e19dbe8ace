"""Rebalancing: plans, and the baskets that carry them out."""

from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.portfolio.v1 import rebalance_pb2 as pb
from quantmesh.api.portfolio.v1.rebalance_pb2_grpc import RebalanceServiceServicer
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.identity import requires
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters import translate, translate_orders
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, portfolio_id_of, within
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.currency_cash import Conversion, CurrencyCash
from quantmesh.portfolio.core.errors import UnknownSymbol
from quantmesh.portfolio.core.execution import check_instrument
from quantmesh.portfolio.core.fold_ledger import fold_open_lots
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.place_basket import BasketOrder, basket_request, place_basket, sales_first
from quantmesh.portfolio.core.place_order import ask_venues
from quantmesh.portfolio.core.plan_rebalance import Holdings, MarketPlan, checked_targets, plan_at_market
from quantmesh.portfolio.core.planned_positions import Position
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.pre_trade import ProposedTrade
from quantmesh.portfolio.core.rebalance import PlannedTrade, Wishes
from quantmesh.portfolio.core.rebalance_errors import BasketRefused
from quantmesh.portfolio.core.reservations import trade_price


class RebalanceRpc(Methods, RebalanceServiceServicer):
    @requires("portfolio:read")
    async def PlanRebalance(self, request: pb.PlanRebalanceRequest, context: Context) -> pb.PlanRebalanceResponse:
        wishes = Wishes(
            cash_buffer=translate.number(request, "cash_buffer") or ZERO,
            minimum_trade=translate.number(request, "minimum_trade") or ZERO,
            maximum_gain=translate.number(request, "maximum_realized_gain"),
        )
        targets = checked_targets(request.target_weights, wishes)
        portfolio_id = portfolio_id_of(request.portfolio_id)
        async with self._store() as store:
            account = await store.account(portfolio_id)
            portfolio = await store.portfolio(portfolio_id)
            _, lots = await fold_open_lots(store, portfolio_id, portfolio.lot_method, View(seq=account.seq))
        holdings = Holdings(account, lots, portfolio.lot_method)
        planned = await plan_at_market(self._market, holdings, targets, wishes, self._costs)
        return _plan(planned)

    @requires("orders:write")
    async def ExecuteRebalance(
        self, request: pb.ExecuteRebalanceRequest, context: Context
    ) -> pb.ExecuteRebalanceResponse:
        kept = await self._kept(request, pb.ExecuteRebalanceResponse)
        if kept is not None:
            return kept
        portfolio_id = portfolio_id_of(request.portfolio_id)
        basket = await self._basket(request)
        if self._pre_trade is not None:
            allowed = await self._pre_trade.check(*(_proposed(portfolio_id, each) for each in basket))
            if allowed.denial is not None:
                raise allowed.denial

        async def place(store: Store) -> pb.ExecuteRebalanceResponse:
            basket_id, placed = await place_basket(store, portfolio_id, basket, self._clock.now(), uuid7)
            orders = [translate_orders.order(order, await store.fills(order)) for order in placed]
            return pb.ExecuteRebalanceResponse(basket_id=str(basket_id), orders=orders)

        return await self._once(request, pb.ExecuteRebalanceResponse, place)

    async def _basket(self, request: pb.ExecuteRebalanceRequest) -> list[BasketOrder]:
        requests = []
        for index, each in enumerate(request.orders):
            with within(f"orders[{index}]"):
                side = translate.chosen(translate_orders.ORDER_SIDES, each.side, "side")
                requests.append(basket_request(each.symbol, side, from_proto(each.quantity, "quantity")))
        in_turn = sales_first(requests)
        assets = await self._market.assets([asked.symbol for asked in requests])
        for index, asked in enumerate(requests):
            with within(f"orders[{index}]"):
                if asked.symbol not in assets:
                    raise UnknownSymbol(asked.symbol, "symbol")
                check_instrument(asked, assets[asked.symbol])
        venues = await ask_venues(self._market, [asked.symbol for asked in requests], self._costs)
        return [BasketOrder(asked, venues[asked.symbol], f"orders[{requests.index(asked)}]") for asked in in_turn]


def _proposed(portfolio_id: UUID, order: BasketOrder) -> ProposedTrade:
    """Raises BasketRefused."""
    price = trade_price(order.request, order.venue)
    if price is None:
        raise BasketRefused(order.request.symbol, order.venue.problem or "there is no price to trade at", order.field)
    return ProposedTrade(portfolio_id, order.request, order.venue.asset, price, in_basket=True)


def _plan(planned: MarketPlan) -> pb.PlanRebalanceResponse:
    plan, holdings = planned.plan, planned.holdings
    currency = holdings.account.base_currency
    trades = sorted(plan.trades, key=lambda trade: trade.position.lots > 0)
    return pb.PlanRebalanceResponse(
        trades=[_trade(trade, is_stale=trade.position.candidate.symbol in planned.stale) for trade in trades],
        base_currency=currency,
        invested=translate.cash(plan.invested, currency),
        cash=translate.cash(plan.cash, currency),
        cash_after=translate.cash(plan.cash_after, currency),
        drift=float(plan.drift),
        drift_after=float(plan.drift_after),
        fees=translate.cash(plan.fees, currency),
        slippage=translate.cash(plan.slippage, currency),
        realized_gain=translate.cash(plan.realized_gain, currency),
        lot_method=portfolio_pb2.LotMethod.Value(f"LOT_METHOD_{holdings.method.name}"),
        as_of=to_timestamp(planned.as_of),
        seq=holdings.account.seq,
        cash_by_currency=[_cash(each) for each in plan.cash_by_currency],
        exchange_rates=translate.exchange_rates(planned.rates),
        suggestion=None if plan.conversion is None else _suggestion(plan.conversion),
    )


def _trade(trade: PlannedTrade, *, is_stale: bool) -> pb.PlannedTrade:
    position, candidate = trade.position, trade.position.candidate
    order = _order(position)
    return pb.PlannedTrade(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=to_proto(candidate.price),
        estimated_price=to_proto(position.fill_price),
        fee=translate.cash(position.fee, candidate.currency),
        slippage=translate.cash(position.slippage, candidate.currency),
        realized_gain=translate.cash(position.gain, candidate.currency),
        weight=float(trade.weight),
        target_weight=float(candidate.target),
        weight_after=float(trade.weight_after),
        stale=is_stale,
        currency=candidate.currency,
    )


def _order(position: Position) -> pb.BasketOrder:
    side = portfolio_pb2.ORDER_SIDE_BUY if position.lots > 0 else portfolio_pb2.ORDER_SIDE_SELL
    return pb.BasketOrder(symbol=position.candidate.symbol, side=side, quantity=to_proto(abs(position.quantity)))


def _cash(cash: CurrencyCash) -> pb.CurrencyCash:
    currency = cash.till.currency
    amounts = {
        "before": cash.till.cash,
        "proceeds": cash.proceeds,
        "purchases": cash.purchases,
        "fees": cash.fees,
        "after": cash.after,
        "kept": cash.till.kept,
        "shortfall": cash.shortfall,
    }
    return pb.CurrencyCash(
        currency=currency, **{name: translate.cash(amount, currency) for name, amount in amounts.items()}
    )


def _suggestion(conversion: Conversion) -> pb.RebalanceSuggestion:
    moves = (
        (portfolio_pb2.TRANSACTION_TYPE_WITHDRAWAL, conversion.withdrawals),
        (portfolio_pb2.TRANSACTION_TYPE_DEPOSIT, conversion.deposits),
    )
    return pb.RebalanceSuggestion(
        transactions=[
            portfolio_pb2.TransactionInput(type=kind, amount=translate.cash(amount, currency), currency=currency)
            for kind, amounts in moves
            for currency, amount in amounts.items()
        ],
        orders=[_order(position) for position in conversion.purchases],
    )
