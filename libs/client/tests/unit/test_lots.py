"""The lots of one instrument, over a mesh that answers by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx

from quantmesh.client import Client

LOT = {
    "transaction_id": "t1",
    "opened_at": "2020-01-03T15:00:00Z",
    "quantity": "2",
    "cost": "140.00",
    "unrealized_pnl": None,
}


def test_every_page_of_lots_asks_for_the_same_instrument_and_time() -> None:
    pages = iter([{"data": [LOT], "next_cursor": "c", "seq": 6}, {"data": [LOT], "next_cursor": None, "seq": 6}])
    asked: list[httpx.QueryParams] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        return httpx.Response(200, json=next(pages))

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with Client("http://mesh.test", api_key="k", http=http) as client:
        lots = list(client.portfolios.lots("p1", "AAPL", datetime(2020, 2, 1, tzinfo=UTC)))
    assert [(lot.quantity, lot.cost) for lot in lots] == [(Decimal(2), Decimal("140.00"))] * 2
    assert [params["symbol"] for params in asked] == ["AAPL", "AAPL"]
    assert len({params["as_of"] for params in asked}) == 1
    assert [params.get("cursor") for params in asked] == [None, "c"]
