"""Orders over the API: placed, rehearsed, replaced with If-Match, listed."""

from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models import orders

from .edges import ADA, Edge
from .samples import ORDER, amount

KEY = {"Idempotency-Key": "once"}
PATH = f"/api/v2/orders/{ADA}"
BODY = {"portfolio_id": str(ADA), "symbol": "AAPL", "side": "buy", "quantity": "5"}


async def test_an_order_is_placed_and_a_trade_is_filled_or_nothing(edge: Edge) -> None:
    edge.peers["portfolio"].answers["PlaceOrder"] = pb.PlaceOrderResponse(order=ORDER)
    placed = await edge.http.post("/api/v2/orders", json=BODY, headers=KEY)
    orders.OrderShown.model_validate(placed.json())
    assert (placed.status_code, placed.headers["location"]) == (201, PATH)
    assert edge.peers["portfolio"].last("PlaceOrder").time_in_force == pb.TIME_IN_FORCE_DAY
    traded = await edge.http.post("/api/v2/trade/execute", json=BODY, headers=KEY)
    assert traded.status_code == 200
    assert edge.peers["portfolio"].last("PlaceOrder").time_in_force == pb.TIME_IN_FORCE_FOK


async def test_prices_and_fills_are_passed_as_they_are(edge: Edge) -> None:
    fill = pb.Fill(transaction_id="t", quantity=amount("2"), price=amount("129.40"), fee=amount("0.10"))
    fill.executed_at.FromJsonString("2022-12-20T18:00:00Z")
    waiting = pb.Order(
        type=pb.ORDER_TYPE_STOP_LIMIT,
        limit_price=amount("129.41"),
        stop_price=amount("129"),
        side=pb.ORDER_SIDE_SELL,
        time_in_force=pb.TIME_IN_FORCE_GTC,
        status=pb.ORDER_STATUS_PARTIALLY_FILLED,
        quantity=amount("5"),
        reserved=pb.Reservation(commodity="AAPL", amount=amount("3")),
        fills=[fill],
    )
    edge.peers["portfolio"].answers["PlaceOrder"] = pb.PlaceOrderResponse(order=waiting)
    body = {**BODY, "type": "stop_limit", "limit_price": "129.41", "stop_price": "129", "time_in_force": "gtc"}
    shown = (await edge.http.post("/api/v2/orders", json=body, headers=KEY)).json()
    orders.OrderShown.model_validate(shown)
    asked = edge.peers["portfolio"].last("PlaceOrder")
    assert (asked.type, asked.limit_price.value, asked.stop_price.value) == (
        pb.ORDER_TYPE_STOP_LIMIT,
        "129.41",
        "129",
    )
    assert (shown["status"], shown["reserved"]) == ("partially_filled", {"commodity": "AAPL", "amount": "3"})
    assert shown["fills"] == [
        {
            "transaction_id": "t",
            "quantity": "2",
            "price": "129.40",
            "fee": "0.10",
            "executed_at": "2022-12-20T18:00:00Z",
        }
    ]


async def test_a_rehearsal_says_what_placing_would_do_and_places_nothing(edge: Edge) -> None:
    preview = pb.OrderPreview(
        order=ORDER,
        estimated_price=amount("130.05"),
        reservation=pb.Reservation(commodity="USD", amount=amount("650.32")),
        position_after=amount("5"),
        denial=pb.OrderDenial(problem="insufficient-cash", detail="too much", suggestion_json='{"quantity": "3"}'),
        changes=[pb.FigureChange(name="initial_margin", before=amount("0"), after=amount("325"), unit="USD")],
    )
    for money, value in ((preview.estimated_fee, "0.07"), (preview.cash_after, "-50.39")):
        money.currency = "USD"
        money.amount.value = value
    edge.peers["portfolio"].answers["PreviewOrder"] = pb.PreviewOrderResponse(preview=preview)
    answer = await edge.http.post("/api/v2/orders?dry_run=true", json=BODY, headers=KEY)
    assert answer.status_code == 200
    shown = answer.json()
    orders.OrderPreviewShown.model_validate(shown)
    assert shown["denial"]["type"] == "/problems/insufficient-cash"
    assert shown["denial"]["suggestion"] == {"quantity": "3"}
    assert [name for name, _ in edge.peers["portfolio"].asked] == ["PreviewOrder"]


async def test_a_replacement_names_the_version_that_was_seen(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["ReplaceOrder"] = pb.ReplaceOrderResponse(order=ORDER)
    portfolio.answers["GetOrder"] = pb.GetOrderResponse(order=ORDER)
    unseen = await edge.http.patch(PATH, json={"quantity": "7"})
    assert (unseen.status_code, unseen.json()["type"]) == (428, "/problems/if-match-missing")
    seen = await edge.http.patch(PATH, json={"quantity": "7"}, headers={"If-Match": '"4"'})
    assert (seen.status_code, seen.headers["etag"]) == (200, '"2"')
    assert portfolio.last("ReplaceOrder").expected_version == 4
    await edge.http.patch(PATH, json={"limit_price": "130"}, headers={"If-Match": "*"})
    asked = portfolio.last("ReplaceOrder")
    assert (asked.expected_version, asked.limit_price.value, asked.HasField("quantity")) == (2, "130", False)


async def test_a_cancellation_may_name_a_version(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["CancelOrder"] = pb.CancelOrderResponse(order=ORDER)
    assert (await edge.http.delete(PATH)).status_code == 200
    assert not portfolio.last("CancelOrder").HasField("expected_version")
    await edge.http.delete(PATH, headers={"If-Match": '"2"'})
    assert portfolio.last("CancelOrder").expected_version == 2


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("status=open", {"open": True}),
        ("status=expired", {"status": pb.ORDER_STATUS_EXPIRED}),
        ("symbol=AAPL&side=sell", {"symbol": "AAPL", "side": pb.ORDER_SIDE_SELL}),
        ("client_order_id=mine", {"client_order_id": "mine"}),
    ],
)
async def test_orders_are_listed_by_what_is_asked(edge: Edge, query: str, wanted: dict[str, Any]) -> None:
    edge.peers["portfolio"].answers["ListOrders"] = pb.ListOrdersResponse(orders=[ORDER])
    answer = await edge.http.get(f"/api/v2/orders?{query}")
    orders.OrdersShown.model_validate(answer.json())
    asked = edge.peers["portfolio"].last("ListOrders")
    asked.ClearField("page")
    assert asked == pb.ListOrdersRequest(**wanted)
