"""What every request passes: identity, limits, ids, headers, problems."""

from uuid import uuid4

import pytest

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, QuantmeshError, Unavailable
from quantmesh.gateway.http.edge import Edge as ServedEdge

from .edges import ADA, SCOPES, Edge, caller, make_edge, policies

PORTFOLIO = "/api/v2/portfolios/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10"


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


def test_what_a_client_says_of_its_identity_is_dropped() -> None:
    said = [(name, b"019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10") for name in (b"x-owner-id", b"x-user-id", b"x-roles")]
    scope = {"headers": [*said, (b"accept", b"application/json")], "client": ("127.0.0.1", 1)}
    assert ServedEdge.of(scope).headers == {b"accept": b"application/json"}


def test_headers_of_one_name_are_one_list() -> None:
    said = [(b"accept-encoding", b"br"), (b"authorization", b"Bearer a"), (b"accept-encoding", b"gzip")]
    kept = ServedEdge.of({"headers": said, "client": ("127.0.0.1", 1)}).headers
    assert kept == {b"accept-encoding": b"br, gzip", b"authorization": b"Bearer a"}


async def test_of_two_tokens_neither_is_taken(edge: Edge) -> None:
    twice = [("Authorization", "Bearer forged"), ("Authorization", "Bearer ada")]
    assert (await edge.client().get("/api/v2/auth/me", headers=twice)).status_code == 401


async def test_an_api_key_is_as_good_as_a_token(edge: Edge) -> None:
    edge.peers["auth"].answers["GetMe"] = auth_pb2.GetMeResponse(user=auth_pb2.User(email="ada@example.org"))
    answer = await edge.client(**{"X-Api-Key": "ada"}).get("/api/v2/auth/me")
    assert answer.json()["email"] == "ada@example.org"


async def test_a_missing_scope_is_named() -> None:
    edge = make_edge(clerk=caller(scopes=frozenset({"market:read"})))
    answer = await edge.client(Authorization="Bearer clerk").get("/api/v2/portfolios")
    assert answer.status_code == 403
    assert "portfolio:read" in answer.json()["detail"]


async def test_an_operation_that_needs_several_scopes_is_refused_without_any_one_of_them() -> None:
    needed = {"risk:use", "portfolio:read"}
    for missing in needed:
        edge = make_edge(clerk=caller(scopes=SCOPES - {missing}))
        path = f"/api/v2/portfolios/{ADA}/optimize"
        answer = await edge.client(Authorization="Bearer clerk").post(path, json={"objective": "risk_parity"})
        assert (answer.status_code, missing in answer.json()["detail"].split(";")[0]) == (403, True)
        assert edge.peers["risk"].asked == []
    operation = (await edge.client().get("/openapi.json")).json()["paths"]["/api/v2/portfolios/{portfolio_id}/optimize"]
    assert set(operation["post"]["x-required-scope"].split()) == needed


async def test_a_key_is_asked_for_with_named_scopes_or_all_but_never_with_none(edge: Edge) -> None:
    auth = edge.peers["auth"]
    auth.answers["CreateApiKey"] = auth_pb2.CreateApiKeyResponse(secret="qmk_1")
    none = await edge.http.post("/api/v2/auth/api-keys", json={"name": "bot", "scopes": []})
    assert (none.status_code, none.json()["errors"][0]["pointer"]) == (422, "#/scopes")
    assert auth.asked == []
    assert (await edge.http.post("/api/v2/auth/api-keys", json={"name": "bot"})).status_code == 201
    assert (list(auth.last("CreateApiKey").scopes), auth.last("CreateApiKey").all_scopes) == ([], True)
    twice = {"name": "bot", "scopes": ["market:read", "market:read"]}
    assert (await edge.http.post("/api/v2/auth/api-keys", json=twice)).status_code == 201
    assert not auth.last("CreateApiKey").all_scopes


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
    assert wrong.headers["allow"] == "GET, HEAD, POST"


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


async def test_the_address_is_the_connections_own(edge: Edge) -> None:
    edge.peers["auth"].answers["Login"] = auth_pb2.LoginResponse()
    spoofed = edge.client(**{"X-Forwarded-For": "10.9.8.7", "X-Owner-Id": str(uuid4())})
    await spoofed.post("/api/v2/auth/login", json={"email": "ada@example.org", "password": "x"})
    assert edge.peers["auth"].last("Login").ip_address == "127.0.0.1"
