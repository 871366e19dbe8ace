"""Rebalancing: JSON to messages and back."""

from typing import Any

from quantmesh.api.portfolio.v1 import rebalance_pb2 as pb
from quantmesh.gateway.http.models.rebalance import BasketBody, RebalanceBody
from quantmesh.gateway.translation.common import decimal_request, instant
from quantmesh.gateway.translation.orders import SIDE_NAMES, SIDES, order
from quantmesh.gateway.translation.portfolios import LOT_METHOD_NAMES, translation_rate
from quantmesh.gateway.translation.transactions import TYPE_NAMES


def plan_request(portfolio_id: str, body: RebalanceBody) -> pb.PlanRebalanceRequest:
    request = pb.PlanRebalanceRequest(
        portfolio_id=portfolio_id,
        target_weights=body.target_weights,
        cash_buffer=decimal_request(body.cash_buffer),
        minimum_trade=decimal_request(body.minimum_trade),
    )
    if body.tax_aware:
        request.maximum_realized_gain.value = body.maximum_realized_gain or "0"
    return request


def execute_request(portfolio_id: str, body: BasketBody) -> pb.ExecuteRebalanceRequest:
    return pb.ExecuteRebalanceRequest(
        portfolio_id=portfolio_id,
        orders=[
            pb.BasketOrder(symbol=each.symbol, side=SIDES[each.side], quantity=decimal_request(each.quantity))
            for each in body.orders
        ],
    )


def plan(answer: pb.PlanRebalanceResponse) -> dict[str, Any]:
    return {
        "orders": [_trade(each) for each in answer.trades],
        "base_currency": answer.base_currency,
        "invested": answer.invested.value,
        "cash": answer.cash.value,
        "cash_after": answer.cash_after.value,
        "drift": answer.drift,
        "drift_after": answer.drift_after,
        "fees": answer.fees.value,
        "slippage": answer.slippage.value,
        "realized_gain": answer.realized_gain.value,
        "lot_method": LOT_METHOD_NAMES[answer.lot_method],
        "as_of": instant(answer, "as_of"),
        "seq": answer.seq,
        "cash_by_currency": [_cash(each) for each in answer.cash_by_currency],
        "exchange_rates": [translation_rate(rate) for rate in answer.exchange_rates],
        "suggestion": _suggestion(answer.suggestion) if answer.HasField("suggestion") else None,
    }


def basket(answer: pb.ExecuteRebalanceResponse) -> dict[str, Any]:
    return {"basket_id": answer.basket_id, "orders": [order(each) for each in answer.orders]}


def _order(each: pb.PlannedTrade | pb.BasketOrder) -> dict[str, Any]:
    return {"symbol": each.symbol, "side": SIDE_NAMES[each.side], "quantity": each.quantity.value}


def _trade(each: pb.PlannedTrade) -> dict[str, Any]:
    return {
        **_order(each),
        "currency": each.currency,
        "price": each.price.value,
        "estimated_price": each.estimated_price.value,
        "fee": each.fee.value,
        "slippage": each.slippage.value,
        "realized_gain": each.realized_gain.value,
        "weight": each.weight,
        "target_weight": each.target_weight,
        "weight_after": each.weight_after,
        "stale": each.stale,
    }


def _cash(each: pb.CurrencyCash) -> dict[str, Any]:
    return {
        "currency": each.currency,
        "before": each.before.value,
        "proceeds": each.proceeds.value,
        "purchases": each.purchases.value,
        "fees": each.fees.value,
        "after": each.after.value,
        "kept": each.kept.value,
        "shortfall": each.shortfall.value,
    }


def _suggestion(suggested: pb.RebalanceSuggestion) -> dict[str, Any]:
    return {
        "transactions": [
            {"type": TYPE_NAMES[each.type], "amount": each.amount.value, "currency": each.currency}
            for each in suggested.transactions
        ],
        "orders": [_order(each) for each in suggested.orders],
    }
