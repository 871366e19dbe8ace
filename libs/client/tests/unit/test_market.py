"""What is read of the market and of models, page by page."""

from typing import Any

import httpx

from quantmesh.client import Client


def page(request: httpx.Request) -> httpx.Response:
    following = {None: "a", "a": "b", "b": None}[request.url.params.get("cursor")]
    bars: dict[str, Any] = {
        "symbol": "AAPL",
        "interval": "1d",
        "adjustment": None,
        "source": "",
        "currency": "USD",
        "data": [],
    }
    return httpx.Response(200, json={**bars, "next_cursor": following})


def test_models_that_fill_several_pages_are_all_told() -> None:
    def page_of_one(request: httpx.Request) -> httpx.Response:
        first = "cursor" not in request.url.params
        shared: dict[str, Any] = {
            "name": "lstm",
            "timeframe": "1d",
            "skill": None,
            "symbols": [],
            "trained_at": None,
            "training_end": None,
        }
        model = {**shared, "version": "b" if first else "a", "active": first}
        return httpx.Response(200, json={"data": [model], "next_cursor": "1" if first else None})

    http = httpx.Client(transport=httpx.MockTransport(page_of_one))
    with Client("http://mesh.test", http=http) as client:
        assert [model.version for model in client.predictions.models()] == ["b", "a"]


def test_bars_that_fill_several_pages_are_read_one_page_after_the_other() -> None:
    http = httpx.Client(transport=httpx.MockTransport(page))
    with Client("http://mesh.test", http=http) as client:
        first = client.market.bars("AAPL", limit=1)
        second = client.market.bars("AAPL", limit=1, cursor=first.next_cursor)
        last = client.market.bars("AAPL", limit=1, cursor=second.next_cursor)
    assert [each.next_cursor for each in (first, second, last)] == ["a", "b", None]
