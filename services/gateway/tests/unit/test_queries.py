"""What a query may carry: each parameter once, with a value of its type."""

import pytest

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import InvalidInput, Violation

from .edges import ADA, Edge

PORTFOLIO = "/api/v2/portfolios/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10"
PLACED = {"portfolio_id": str(ADA), "symbol": "AAPL", "side": "buy", "type": "market", "quantity": "1"}


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "colour=red", "limit=1&limit=2"])
async def test_query_parameters_are_checked(edge: Edge, query: str) -> None:
    answer = await edge.http.get(f"/api/v2/portfolios?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("query/")


@pytest.mark.parametrize("field", ["page.cursor", "cursor"])
async def test_what_a_service_finds_wrong_with_a_query_parameter_points_at_the_query(edge: Edge, field: str) -> None:
    refused = InvalidInput("no such page", violations=[Violation(field, "is not one that this list gave")])
    edge.peers["portfolio"].answers["ListPortfolios"] = refused
    answer = await edge.http.get("/api/v2/portfolios?cursor=abc")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["query/cursor"]


@pytest.mark.parametrize("query", ["dry_run", "dry_run=", "dry_run=1", "dry_run=yes", "dry_run=True", "dry_run=on"])
async def test_an_order_is_not_placed_where_dry_run_is_neither_true_nor_false(edge: Edge, query: str) -> None:
    answer = await edge.http.post(f"/api/v2/orders?{query}", json=PLACED, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "query/dry_run", "detail": "must be true or false"}]
    assert edge.peers["portfolio"].asked == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"{PORTFOLIO}/positions", "as_of="),
        (f"{PORTFOLIO}/positions", "known_at="),
        (f"{PORTFOLIO}/performance", "risk_free_rate="),
        (f"{PORTFOLIO}/transactions", "import_id="),
        ("/api/v2/orders", "portfolio_id="),
        ("/api/v2/orders", "side="),
        ("/api/v2/orders", "limit="),
        ("/api/v2/market/AAPL/bars", "interval="),
        ("/api/v2/market/AAPL/bars", "start="),
    ],
)
async def test_a_query_parameter_without_a_value_is_refused_by_name(edge: Edge, path: str, query: str) -> None:
    answer = await edge.http.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == [f"query/{query[:-1]}"]


async def test_only_a_text_that_is_empty_by_default_may_be_sent_empty_and_the_document_says_so(edge: Edge) -> None:
    edge.peers["market"].answers["ListAssets"] = market_pb2.ListAssetsResponse()
    assert (await edge.http.get("/api/v2/assets?search=&cursor=")).status_code == 200
    document = (await edge.client().get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    parameters = [parameter for operation in operations for parameter in operation.get("parameters", ())]
    assert {parameter["name"] for parameter in parameters if parameter.get("allowEmptyValue")} == {"search", "cursor"}


@pytest.mark.parametrize("number", ["+1", "%2B1", "1_0", "1.0", "1e1", "%EF%BC%91"])
async def test_a_whole_number_of_a_query_is_its_digits(edge: Edge, number: str) -> None:
    edge.peers["portfolio"].answers["ListOrders"] = portfolio_pb2.ListOrdersResponse()
    answer = await edge.http.get(f"/api/v2/orders?limit={number}")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["query/limit"]
    assert (await edge.http.get("/api/v2/orders?limit=10")).status_code == 200
    assert edge.peers["portfolio"].last("ListOrders").page.limit == 10


@pytest.mark.parametrize("rate", ["inf", "nan", "1_0", "+0.1", ".5", "1e999"])
async def test_a_number_of_a_query_is_written_as_in_json(edge: Edge, rate: str) -> None:
    answer = await edge.http.get(f"{PORTFOLIO}/performance?risk_free_rate={rate}")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["query/risk_free_rate"]


@pytest.mark.parametrize("greeks", ["", "1", "yes", "True", "second"])
async def test_the_greeks_of_a_columnar_body_are_true_false_or_an_order(edge: Edge, greeks: str) -> None:
    answer = await edge.http.post(
        f"/api/v2/options/price/batch?greeks={greeks}",
        content=b"",
        headers={"content-type": "application/vnd.apache.arrow.stream"},
    )
    assert answer.status_code == 422
    assert {item["pointer"] for item in answer.json()["errors"]} == {"query/greeks"}
    assert edge.peers["pricing"].asked == []
