"""/portfolios/{id}/rebalance at the edge."""

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.portfolio.v1 import rebalance_pb2 as pb
from quantmesh.gateway.http.models.rebalance import BasketShown, RebalanceShown

from .edges import ADA, Edge
from .samples import NOW, ORDER, amount

PATH = f"/api/v2/portfolios/{ADA}/rebalance"
PLAN = pb.PlanRebalanceResponse(
    trades=[
        pb.PlannedTrade(
            symbol="AAPL",
            side=portfolio_pb2.ORDER_SIDE_SELL,
            quantity=amount("5"),
            price=amount("130.00"),
            estimated_price=amount("129.95"),
            fee=amount("0.06"),
            slippage=amount("0.25"),
            realized_gain=amount("149.75"),
            weight=0.8,
            target_weight=0.5,
            weight_after=0.52,
            currency="EUR",
        )
    ],
    base_currency="USD",
    invested=amount("1000.00"),
    cash=amount("10.00"),
    cash_after=amount("659.69"),
    drift=0.3,
    drift_after=0.02,
    fees=amount("0.06"),
    slippage=amount("0.25"),
    realized_gain=amount("149.75"),
    lot_method=portfolio_pb2.LOT_METHOD_FIFO,
    as_of=NOW,
    seq=9,
    cash_by_currency=[
        pb.CurrencyCash(
            currency="USD",
            before=amount("10.00"),
            proceeds=amount("0.00"),
            purchases=amount("0.00"),
            fees=amount("0.00"),
            after=amount("10.00"),
            kept=amount("110.00"),
            shortfall=amount("100.00"),
        )
    ],
    exchange_rates=[portfolio_pb2.TranslationRate(currency="EUR", rate=amount("1.1"), date="2022-12-20")],
    suggestion=pb.RebalanceSuggestion(
        transactions=[
            portfolio_pb2.TransactionInput(
                type=portfolio_pb2.TRANSACTION_TYPE_DEPOSIT, amount=amount("100.00"), currency="USD"
            )
        ],
        orders=[pb.BasketOrder(symbol="JPM", side=portfolio_pb2.ORDER_SIDE_BUY, quantity=amount("1"))],
    ),
)


async def test_a_plan_is_asked_for_with_its_wishes_and_shown_whole(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["PlanRebalance"] = PLAN
    body = {"target_weights": {"AAPL": 0.5}, "cash_buffer": "100", "minimum_trade": "20"}
    shown = RebalanceShown.model_validate((await edge.http.post(PATH, json=body)).json())
    assert (shown.orders[0].side, shown.orders[0].quantity, shown.lot_method, shown.seq) == ("sell", "5", "fifo", 9)
    assert (shown.orders[0].currency, shown.cash_by_currency[0].shortfall) == ("EUR", "100.00")
    assert [(each.currency, each.rate) for each in shown.exchange_rates] == [("EUR", "1.1")]
    assert shown.suggestion is not None
    assert shown.suggestion.model_dump() == {
        "transactions": [{"type": "deposit", "amount": "100.00", "currency": "USD"}],
        "orders": [{"symbol": "JPM", "side": "buy", "quantity": "1"}],
    }
    asked = portfolio.last("PlanRebalance")
    assert (dict(asked.target_weights), asked.cash_buffer.value, asked.minimum_trade.value) == (
        {"AAPL": 0.5}, "100", "20",
    )  # fmt: skip
    assert not asked.HasField("maximum_realized_gain")


async def test_only_a_tax_aware_plan_limits_what_is_realised(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["PlanRebalance"] = PLAN
    for more, limit in (
        ({"tax_aware": True}, "0"),
        ({"tax_aware": True, "maximum_realized_gain": "50"}, "50"),
        ({"maximum_realized_gain": None}, ""),
    ):
        await edge.http.post(PATH, json={"target_weights": {}, **more})
        assert portfolio.last("PlanRebalance").maximum_realized_gain.value == limit


@pytest.mark.parametrize("more", [{}, {"tax_aware": False}])
async def test_a_limit_that_a_plan_would_not_keep_is_refused(edge: Edge, more: dict[str, bool]) -> None:
    asked = {"target_weights": {"AAPL": 0.5}, "maximum_realized_gain": "0", **more}
    answer = await edge.http.post(PATH, json=asked)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], "tax_aware" in error["detail"]) == ("#/maximum_realized_gain", True)


async def test_a_basket_is_placed_under_one_key(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["ExecuteRebalance"] = pb.ExecuteRebalanceResponse(basket_id=str(ADA), orders=[ORDER])
    body = {"orders": [{"symbol": "AAPL", "side": "sell", "quantity": "5"}]}
    assert (await edge.http.post(f"{PATH}/execute", json=body)).status_code == 400
    answer = await edge.http.post(f"{PATH}/execute", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    assert BasketShown.model_validate(answer.json()).basket_id == str(ADA)
    (asked,) = portfolio.last("ExecuteRebalance").orders
    assert (asked.symbol, asked.side, asked.quantity.value) == ("AAPL", portfolio_pb2.ORDER_SIDE_SELL, "5")


async def test_weights_outside_their_range_are_refused(edge: Edge) -> None:
    for weights in ({"AAPL": 1.5}, {"AAPL": -0.1}, {"aapl": 0.5}, None):
        assert (await edge.http.post(PATH, json={"target_weights": weights})).status_code == 422
    assert not edge.peers["portfolio"].asked
