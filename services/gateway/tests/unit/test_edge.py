"""What every request passes: identity, limits, ids, headers, problems."""

import gzip
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, QuantmeshError, Unavailable, Violation

from .edges import ADA, Edge, caller, make_edge, policies

PORTFOLIO = "/api/v2/portfolios/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10"
DEPOSIT = {"type": "deposit", "amount": "100.00", "executed_at": "2020-01-02T15:00:00Z"}


async def test_a_path_that_needs_a_token_refuses_a_stranger(edge: Edge) -> None:
    answer = await edge.client().get("/api/v2/auth/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "/problems/unauthenticated"


async def test_a_bad_token_is_refused_where_one_is_needed_and_passed_over_where_none_is(edge: Edge) -> None:
    edge.peers["auth"].answers["GetJwks"] = auth_pb2.GetJwksResponse(jwks='{"keys":[]}')
    bad = edge.client(Authorization="Bearer forged")
    assert (await bad.get("/api/v2/auth/me")).status_code == 401
    assert (await bad.get("/api/v2/auth/.well-known/jwks.json")).status_code == 200
    assert (await edge.client(Authorization="Basic YTpi").get("/api/v2/auth/me")).status_code == 401


async def test_an_api_key_is_as_good_as_a_token(edge: Edge) -> None:
    edge.peers["auth"].answers["GetMe"] = auth_pb2.GetMeResponse(user=auth_pb2.User(email="ada@example.org"))
    answer = await edge.client(**{"X-Api-Key": "ada"}).get("/api/v2/auth/me")
    assert answer.json()["email"] == "ada@example.org"


async def test_a_missing_scope_is_named() -> None:
    edge = make_edge(clerk=caller(scopes=frozenset({"market:read"})))
    answer = await edge.client(Authorization="Bearer clerk").get("/api/v2/portfolios")
    assert answer.status_code == 403
    assert "portfolio:read" in answer.json()["detail"]


async def test_a_request_id_is_echoed_or_made_up(edge: Edge) -> None:
    given = await edge.client(**{"X-Request-Id": "abc-1"}).get("/healthz")
    assert given.headers["x-request-id"] == "abc-1"
    made = await edge.client(**{"X-Request-Id": "not allowed\t"}).get("/nowhere")
    assert made.headers["x-request-id"] == made.json()["request_id"] != "not allowed"


async def test_security_headers_are_on_every_answer(edge: Edge) -> None:
    for answer in (await edge.client().get("/docs"), await edge.client().get("/nowhere"), await edge.http.get("/")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "max-age" in answer.headers["strict-transport-security"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_path_that_is_not_served_is_a_problem_and_a_wrong_method_names_the_right_ones(edge: Edge) -> None:
    nowhere = await edge.http.get("/api/v2/options/tea-leaves")
    assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "application/problem+json")
    wrong = await edge.http.put("/api/v2/portfolios")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET, POST"


async def test_the_limit_of_a_tier_is_told_and_kept() -> None:
    edge = make_edge(limits=policies(quota=3), pro=caller(uuid4(), tier="pro"))
    edge.peers["auth"].answers["GetMe"] = auth_pb2.GetMeResponse()
    answers = [await edge.http.get("/api/v2/auth/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert '"user-free";q=3;w=60' in answers[0].headers["ratelimit-policy"]
    assert '"user-free";r=2;t=20' in answers[0].headers["ratelimit"]
    assert answers[3].headers["retry-after"] == "20"
    pro = edge.client(Authorization="Bearer pro")
    assert [(await pro.get("/api/v2/auth/me")).status_code for _ in range(7)] == [200] * 6 + [429]


async def test_guessing_passwords_has_a_limit_of_its_own(edge: Edge) -> None:
    edge.peers["auth"].answers["Login"] = auth_pb2.LoginResponse()
    body = {"email": "ada@example.org", "password": "guess"}
    codes = [(await edge.client().post("/api/v2/auth/login", json=body)).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]


async def test_strangers_are_limited_by_address() -> None:
    edge = make_edge(limits=policies(stranger=2))
    codes = [(await edge.client(Authorization="Bearer forged").get("/nowhere")).status_code for _ in range(3)]
    assert codes == [404, 404, 429]
    assert (await edge.http.get("/nowhere")).status_code == 404


async def test_health_is_never_limited() -> None:
    edge = make_edge(limits=policies(stranger=1))
    assert [(await edge.client().get("/healthz")).status_code for _ in range(3)] == [200] * 3


async def test_readiness_names_what_is_missing(edge: Edge) -> None:
    assert (await edge.client().get("/readyz")).status_code == 200
    edge.waiting_for.append("redis")
    answer = await edge.client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "waiting for redis\n")


async def test_a_recording_call_needs_an_idempotency_key(edge: Edge) -> None:
    refused = await edge.http.post(f"{PORTFOLIO}/transactions", json=DEPOSIT)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-missing")
    malformed = await edge.http.post(
        f"{PORTFOLIO}/transactions", json=DEPOSIT, headers={"Idempotency-Key": "two words"}
    )
    assert malformed.status_code == 400


async def test_a_replayed_answer_says_so(edge: Edge) -> None:
    peer = edge.peers["portfolio"]
    peer.answers["RecordTransaction"] = portfolio_pb2.RecordTransactionResponse(
        transaction=portfolio_pb2.Transaction(
            id="t1", input=portfolio_pb2.TransactionInput(type=portfolio_pb2.TRANSACTION_TYPE_DEPOSIT, currency="USD")
        )
    )
    key = {"Idempotency-Key": "k1"}
    first = await edge.http.post(f"{PORTFOLIO}/transactions", json=DEPOSIT, headers=key)
    peer.replayed = True
    again = await edge.http.post(f"{PORTFOLIO}/transactions", json=DEPOSIT, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.content == again.content


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * (1024 * 1024 + 1), {"content-type": "application/json"}, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
    ],
)
async def test_a_body_too_large_or_of_another_type_is_refused(
    edge: Edge, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await edge.http.post("/api/v2/portfolios", content=body, headers=headers)
    assert answer.status_code == status


async def test_a_body_that_grows_over_the_limit_on_the_way_is_refused(edge: Edge) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = await edge.http.post("/api/v2/portfolios", content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no such portfolio"), 404),
        (PermissionDenied("no"), 403),
        (InvalidInput("no"), 422),
        (Unavailable("away"), 503),
        (QuantmeshError("a secret stack"), 500),
    ],
)
async def test_a_services_error_keeps_its_kind_and_a_fault_its_secrets(
    edge: Edge, error: QuantmeshError, status: int
) -> None:
    edge.peers["portfolio"].answers["GetPortfolio"] = error
    answer = await edge.http.get(PORTFOLIO)
    assert answer.status_code == status
    assert "secret" not in answer.text
    assert answer.json()["instance"] == PORTFOLIO


async def test_a_recorded_transaction_that_the_chain_has_not_heard_of_is_425(edge: Edge) -> None:
    edge.peers["portfolio"].answers["GetTransactionPayload"] = portfolio_pb2.GetTransactionPayloadResponse(
        payload=b"{}"
    )
    edge.peers["blockchain"].answers["GetInclusionProof"] = NotFound("no leaf")
    answer = await edge.http.get("/api/v2/blockchain/proofs/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10")
    assert (answer.status_code, answer.json()["type"]) == (425, "/problems/not-yet-anchored")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_bug_is_a_bare_500(edge: Edge) -> None:
    def broken(_: object) -> object:
        raise RuntimeError("a secret")

    edge.peers["portfolio"].answers["GetPortfolio"] = broken
    answer = await edge.http.get(PORTFOLIO)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "secret" not in answer.text


async def test_an_id_that_can_be_nobodys_is_404(edge: Edge) -> None:
    assert (await edge.http.get("/api/v2/portfolios/nonsense")).status_code == 404
    assert (await edge.http.get("/api/v2/jobs/nonsense")).status_code == 404
    assert (await edge.http.get("/api/v2/jobs/nowhere-019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10")).status_code == 404


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


async def test_an_empty_query_parameter_counts_as_absent(edge: Edge) -> None:
    edge.peers["market"].answers["GetBars"] = market_pb2.GetBarsResponse(symbol="AAPL")
    answer = await edge.http.get("/api/v2/market/AAPL/bars?interval=1d&start=&end=")
    assert answer.status_code == 200


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


async def test_the_address_is_the_connections_own(edge: Edge) -> None:
    edge.peers["auth"].answers["Login"] = auth_pb2.LoginResponse()
    spoofed = edge.client(**{"X-Forwarded-For": "10.9.8.7", "X-Owner-Id": str(uuid4())})
    await spoofed.post("/api/v2/auth/login", json={"email": "ada@example.org", "password": "x"})
    assert edge.peers["auth"].last("Login").ip_address == "127.0.0.1"


async def test_control_characters_and_lone_surrogates_are_no_names(edge: Edge) -> None:
    for name in (r"a\u0000b", r"\ud800", r"tab\there"):
        answer = await edge.http.post(
            "/api/v2/portfolios",
            content=f'{{"name": "{name}"}}'.encode(),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 422, name


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
