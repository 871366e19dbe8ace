"""Orders through the client: what is sent, and what is read from the answers."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from quantmesh.client import Client
from quantmesh.client.api.orders import NewOrder
from quantmesh.client.errors import Problem

ORDER: dict[str, Any] = {
    "id": "o1",
    "portfolio_id": "p1",
    "client_order_id": None,
    "symbol": "AAPL",
    "side": "buy",
    "type": "limit",
    "quantity": "5",
    "limit_price": "129.41",
    "stop_price": None,
    "time_in_force": "gtc",
    "status": "accepted",
    "filled_quantity": "0",
    "average_fill_price": None,
    "fee": "0.00",
    "currency": "USD",
    "reserved": {"commodity": "USD", "amount": "647.12"},
    "accepted_at": "2026-03-01T09:00:00Z",
    "expires_at": None,
    "triggered_at": None,
    "executed_at": None,
    "transaction_id": None,
    "reason": None,
    "version": 3,
    "fills": [],
}


class Mesh:
    """Answers each request with what stands for its method, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = answers
        self.client = Client("http://mesh.test", api_key="k", http=httpx.Client(transport=httpx.MockTransport(self)))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body = self._answers[request.method]
        return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({}, "market"),
        ({"limit_price": Decimal("129.41")}, "limit"),
        ({"stop_price": Decimal(120)}, "stop"),
        ({"stop_price": Decimal(120), "limit_price": Decimal(119)}, "stop_limit"),
    ],
)
def test_the_type_follows_from_the_prices(prices: dict[str, Any], kind: str) -> None:
    mesh = Mesh(POST=(201, ORDER))
    wanted = NewOrder(portfolio_id="p1", symbol="AAPL", side="buy", quantity=Decimal("5.0"), **prices)
    assert mesh.client.orders.place(wanted).version == 3
    sent = json.loads(mesh.asked[0].content)
    assert sent == {
        "portfolio_id": "p1",
        "symbol": "AAPL",
        "side": "buy",
        "quantity": "5.0",
        "time_in_force": "day",
        "type": kind,
        **{name: str(price) for name, price in prices.items()},
    }
    assert mesh.asked[0].headers["idempotency-key"]


def test_a_replacement_is_of_what_was_seen() -> None:
    mesh = Mesh(GET=(200, ORDER), PATCH=(200, {**ORDER, "quantity": "7", "version": 4}))
    replaced = mesh.client.orders.replace(mesh.client.orders.get("o1"), quantity=Decimal(7))
    assert (replaced.quantity, replaced.version) == (Decimal(7), 4)
    assert mesh.asked[1].headers["if-match"] == '"3"'
    assert json.loads(mesh.asked[1].content) == {"quantity": "7"}


def test_a_list_is_read_to_its_end() -> None:
    pages = iter([{"data": [ORDER], "next_cursor": "c"}, {"data": [ORDER], "next_cursor": None}])
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=next(pages))

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with Client("http://mesh.test", api_key="k", http=http) as client:
        assert len(list(client.orders.all("p1", status="open"))) == 2
    assert [dict(request.url.params) for request in asked] == [
        {"portfolio_id": "p1", "status": "open"},
        {"portfolio_id": "p1", "status": "open", "cursor": "c"},
    ]


def test_a_denial_brings_the_request_that_passes() -> None:
    suggestion = {"symbol": "AAPL", "quantity": "3"}
    problem = {"type": "/problems/insufficient-cash", "detail": "too much", "suggestion": suggestion}
    mesh = Mesh(POST=(422, problem))
    with pytest.raises(Problem) as denied:
        mesh.client.orders.trade("p1", "AAPL", "buy", Decimal(5))
    assert (denied.value.kind, denied.value.suggestion) == ("insufficient-cash", suggestion)
