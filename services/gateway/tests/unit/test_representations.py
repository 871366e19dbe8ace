"""How a resource is shown: tags and versions, compression, kept and degraded answers, the document."""

import gzip

import httpx
import pytest

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import Unavailable

from .edges import ADA, Edge

PORTFOLIO = "/api/v2/portfolios/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10"


async def test_an_unchanged_resource_is_304_and_a_version_guards_updates(edge: Edge) -> None:
    portfolio = portfolio_pb2.Portfolio(
        id=str(ADA), name="Growth", base_currency="USD", lot_method=portfolio_pb2.LOT_METHOD_FIFO, version=3
    )
    peer = edge.peers["portfolio"]
    peer.answers["GetPortfolio"] = portfolio_pb2.GetPortfolioResponse(portfolio=portfolio)
    peer.answers["UpdatePortfolio"] = portfolio_pb2.UpdatePortfolioResponse(portfolio=portfolio)
    answer = await edge.http.get(PORTFOLIO)
    assert answer.headers["etag"] == '"3"'
    unchanged = await edge.http.get(PORTFOLIO, headers={"If-None-Match": '"3"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await edge.http.patch(PORTFOLIO, json={"name": "New"}, headers={"If-Match": '"3"'})
    assert peer.last("UpdatePortfolio").expected_version == 3
    await edge.http.patch(PORTFOLIO, json={"name": "New"})
    assert not peer.last("UpdatePortfolio").HasField("expected_version")
    strange = await edge.http.patch(PORTFOLIO, json={"name": "New"}, headers={"If-Match": "three"})
    assert strange.status_code == 400


async def test_large_answers_are_compressed_for_those_who_can_read_it(edge: Edge) -> None:
    plain = await edge.client(**{"Accept-Encoding": "identity"}).get("/openapi.json")
    async with edge.client(**{"Accept-Encoding": "gzip"}).stream("GET", "/openapi.json") as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 3


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1.0, *;q=0.1", True),
        ("gzip;q=0.001", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000, deflate", False),
        ("*, gzip;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=2", False),
        ("gzipped", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_an_answer_is_compressed_for_those_alone_who_take_gzip(edge: Edge, accepted: str, takes: bool) -> None:
    answer = await edge.client(**{"Accept-Encoding": accepted}).get("/problems")
    assert answer.headers.get("content-encoding", "") == ("gzip" if takes else "")
    assert answer.headers["vary"] == "accept-encoding"


async def test_an_answer_that_nobody_gets_compressed_does_not_vary(edge: Edge) -> None:
    assert "vary" not in (await edge.client(**{"Accept-Encoding": "gzip"}).get("/healthz")).headers


async def test_a_304_varies_as_what_it_stands_for(edge: Edge) -> None:
    edge.peers["market"].answers["GetBars"] = market_pb2.GetBarsResponse(symbol="AAPL")
    tag = (await edge.http.get("/api/v2/market/AAPL/bars")).headers["etag"]
    unchanged = await edge.http.get("/api/v2/market/AAPL/bars", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "accept-encoding")


async def test_no_cache_gives_an_answer_to_somebody_else(edge: Edge) -> None:
    """Also to those that know Authorization, and no X-Api-Key."""
    edge.peers["portfolio"].answers["ListPortfolios"] = portfolio_pb2.ListPortfoliosResponse()
    client = edge.client(**{"X-Api-Key": "ada"})
    paths = ("/api/v2/portfolios", "/nowhere", "/openapi.json")
    told = [(await client.get(path)).headers["cache-control"] for path in paths]
    assert told == ["no-store", "no-store", "private, no-cache"]
    tag = (await client.get("/openapi.json")).headers["etag"]
    unchanged = await client.get("/openapi.json", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["cache-control"]) == (304, "private, no-cache")
    edge.peers["auth"].answers["GetJwks"] = auth_pb2.GetJwksResponse(jwks='{"keys": []}')
    keys = await edge.client().get("/api/v2/auth/.well-known/jwks.json")
    assert keys.headers.get_list("cache-control") == ["public, max-age=300"]


async def test_shared_reads_are_kept_until_new_bars_come(edge: Edge) -> None:
    market = edge.peers["market"]
    market.answers["GetBars"] = market_pb2.GetBarsResponse(symbol="AAPL")
    path = "/api/v2/market/AAPL/bars"
    first, second = await edge.http.get(path), await edge.http.get(path)
    assert first.content == second.content
    assert len(market.asked) == 1
    await edge.cache.void("bars:AAPL", "event-1")
    await edge.http.get(path)
    assert len(market.asked) == 2


async def test_quotes_are_degraded_rather_than_refused_while_market_is_away(edge: Edge) -> None:
    edge.peers["market"].answers["GetQuotes"] = Unavailable("away")
    path = "/api/v2/market/quotes?symbols=AAPL"
    assert (await edge.http.get(path)).status_code == 503
    quote = market_pb2.Quote(symbol="AAPL", source="replay", currency="USD")
    quote.price.value = "73.35"
    quote.time.FromJsonString("2020-01-02T21:00:00Z")
    await edge.quotes.handle("quotes.AAPL", quote.SerializeToString())
    shown = (await edge.http.get(path)).json()
    assert shown["degraded"] is True
    assert shown["data"][0]["stale"] is True
    assert shown["data"][0]["price"] == "73.35"


async def test_a_client_of_http_sees_one_document_of_everything(edge: Edge) -> None:
    document = (await edge.client().get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"400", "422", "429", "503"} <= set(operation["responses"]), (method, path)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                name = body["schema"].get("$ref", "").rsplit("/", 1)[-1]
                assert name in document["components"]["schemas"] or body["schema"] == {"type": "object"}, path
    page: httpx.Response = await edge.client().get("/docs")
    assert "/api/v2/options/price" in page.text
    assert "<script" not in page.text


async def test_of_several_versions_the_present_one_guards_an_update(edge: Edge) -> None:
    portfolio = portfolio_pb2.Portfolio(
        id=str(ADA), name="Growth", base_currency="USD", lot_method=portfolio_pb2.LOT_METHOD_FIFO, version=3
    )
    peer = edge.peers["portfolio"]
    peer.answers["GetPortfolio"] = portfolio_pb2.GetPortfolioResponse(portfolio=portfolio)
    peer.answers["UpdatePortfolio"] = portfolio_pb2.UpdatePortfolioResponse(portfolio=portfolio)
    listed = await edge.http.patch(PORTFOLIO, json={"name": "New"}, headers={"If-Match": '"2", "3"'})
    assert listed.status_code == 200
    assert peer.last("UpdatePortfolio").expected_version == 3
    for tags in ('"1", "2"', 'W/"3"', '"three"'):
        refused = await edge.http.patch(PORTFOLIO, json={"name": "New"}, headers={"If-Match": tags})
        assert (refused.status_code, refused.json()["type"]) == (412, "/problems/version-mismatch")
    # Whoever may change it need not have the right to read it.
    assert {name for name, _ in peer.in_own_name().asked} == {"GetPortfolio"}
    assert [name for name, _ in peer.asked] == ["UpdatePortfolio"]
