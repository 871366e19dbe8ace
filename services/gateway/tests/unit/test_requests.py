"""What a request may carry: keys, bodies, ids."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.gateway.http import call

from .edges import Edge

PORTFOLIO = "/api/v2/portfolios/019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10"
DEPOSIT = {"type": "deposit", "amount": "100.00", "executed_at": "2020-01-02T15:00:00Z"}


async def test_a_recording_call_needs_an_idempotency_key(edge: Edge) -> None:
    refused = await edge.http.post(f"{PORTFOLIO}/transactions", json=DEPOSIT)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-missing")


@pytest.mark.parametrize("keys", [["two words"], ["k" * 256], [""], ["k1", "k2"], ["k1", "k1"]])
async def test_what_is_not_one_idempotency_key_is_refused_before_anyone_is_asked(edge: Edge, keys: list[str]) -> None:
    headers = [("Authorization", "Bearer ada"), *(("Idempotency-Key", key) for key in keys)]
    refused = await edge.client().post(f"{PORTFOLIO}/transactions", json=DEPOSIT, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-invalid")
    assert [item["pointer"] for item in refused.json()["errors"]] == ["header/Idempotency-Key"]
    assert edge.peers["portfolio"].asked == []


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/api/v2/portfolios", "application/json"),
        (f"{PORTFOLIO}/transactions/import", "text/csv"),
        ("/api/v2/options/price/batch", "application/vnd.apache.arrow.stream"),
        ("/api/v2/blockchain/verify", "application/json"),
    ],
)
async def test_a_compressed_body_is_refused_as_such(edge: Edge, path: str, media_type: str) -> None:
    headers = {"Content-Type": media_type, "Content-Encoding": "gzip", "Idempotency-Key": "k1"}
    refused = await edge.http.post(path, content=gzip.compress(b"{}"), headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (415, "/problems/unsupported-content-coding")
    assert "gzip" in refused.json()["detail"]
    assert refused.headers["accept-encoding"] == "identity"


async def test_a_body_that_is_said_not_to_be_compressed_is_read(edge: Edge) -> None:
    edge.peers["portfolio"].answers["CreatePortfolio"] = portfolio_pb2.CreatePortfolioResponse()
    headers = {"Content-Encoding": "identity"}
    answer = await edge.http.post(
        "/api/v2/portfolios", json={"name": "Growth", "base_currency": "USD"}, headers=headers
    )
    assert "CreatePortfolio" in dict(edge.peers["portfolio"].asked), answer.text


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


async def test_an_id_that_can_be_nobodys_is_404(edge: Edge) -> None:
    assert (await edge.http.get("/api/v2/portfolios/nonsense")).status_code == 404
    assert (await edge.http.get("/api/v2/jobs/nonsense")).status_code == 404
    assert (await edge.http.get("/api/v2/jobs/nowhere-019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10")).status_code == 404


async def test_what_is_encoded_in_a_path_divides_and_ends_nothing(edge: Edge) -> None:
    """An id that somebody was given, and encodes as he should, reaches nothing beside it."""
    for path in ("%2Fpositions", "%2fpositions", "/positions%0A"):
        assert (await edge.http.get(PORTFOLIO + path)).status_code == 404, path
    assert edge.peers["portfolio"].asked == []


async def test_control_characters_and_lone_surrogates_are_no_names(edge: Edge) -> None:
    for name in (r"a\u0000b", r"\ud800", r"tab\there"):
        answer = await edge.http.post(
            "/api/v2/portfolios",
            content=f'{{"name": "{name}"}}'.encode(),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 422, name


@pytest.mark.parametrize(
    ("path", "media_type", "begun"),
    [
        (f"{PORTFOLIO}/transactions", "application/json", []),
        (f"{PORTFOLIO}/transactions", "application/json", [b'{"type":']),
        ("/api/v2/options/price/batch", "application/vnd.apache.arrow.stream", []),
        ("/api/v2/options/price/batch", "application/vnd.apache.arrow.stream", [b"ARROW1"]),
    ],
)
async def test_a_body_that_does_not_come_is_408(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, path: str, media_type: str, begun: list[bytes]
) -> None:
    monkeypatch.setattr(call, "_BODY_SECONDS", 0.05)

    async def dribble() -> AsyncIterator[bytes]:
        for piece in begun:
            yield piece
        await asyncio.Event().wait()

    headers = {"Content-Type": media_type, "Idempotency-Key": "k1"}
    async with asyncio.timeout(30):
        refused = await edge.http.post(path, content=dribble(), headers=headers)
    assert (refused.status_code, refused.json()["status"]) == (408, 408)
