"""Option pricing at the edge: what goes to pricing, what comes back, what is refused."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.market.v1.market_pb2 import GetClockResponse
from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, RuleBroken, Unavailable, Violation
from quantmesh.gateway.http.models.implied_volatility import ImpliedVolatilityShown
from quantmesh.gateway.http.models.options import PriceBatchShown, PriceShown

from .edges import Edge

PRICE = "/api/v2/options/price"
BODY = {
    "model": "black_scholes",
    "style": "european",
    "option_type": "call",
    "spot": 100,
    "strike": 100,
    "time_to_expiry": 1.0,
    "rate": 0.05,
    "dividend_yield": 0.0,
    "volatility": 0.2,
    "greeks": True,
}
ANSWER = pb.PriceResponse(
    price=10.45,
    greeks=pb.Greeks(delta=0.6, gamma=float("inf"), vega=37.5, theta=-6.4, rho=53.2),
    model=pb.MODEL_BLACK_SCHOLES,
    engine="closed_form",
    quote_id="q1",
)


async def test_a_contract_is_passed_on_and_its_price_shown(edge: Edge) -> None:
    edge.peers["pricing"].answers["Price"] = ANSWER
    answer = await edge.http.post(PRICE, json=BODY)
    assert answer.status_code == 200
    shown = PriceShown.model_validate(answer.json())
    assert (shown.price, shown.quote_id, shown.standard_error) == (10.45, "q1", None)
    asked = edge.peers["pricing"].last("Price")
    assert asked.contract == pb.Contract(
        option_type=pb.OPTION_TYPE_CALL,
        style=pb.EXERCISE_STYLE_EUROPEAN,
        spot=100,
        strike=100,
        time_to_expiry=1,
        rate=0.05,
    )
    assert (asked.volatility, asked.greeks) == (0.2, True)


async def test_an_infinite_greek_is_null(edge: Edge) -> None:
    edge.peers["pricing"].answers["Price"] = ANSWER
    assert (await edge.http.post(PRICE, json=BODY)).json()["greeks"]["gamma"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"greeks": "second"}, "#/greeks"),
        ({"volatility": -0.2}, "#/volatility"),
        ({"spot": 0}, "#/spot"),
        ({"spot": "100"}, "#/spot"),
        ({"strike": True}, "#/strike"),
        ({"option_type": "straddle"}, "#/option_type"),
        ({"model": "trinomial"}, "#/model"),
        ({"model": "heston"}, "#/v0"),
        ({"model": "heston"}, "#/volatility"),
        ({"model": "black_76"}, "#/forward"),
        ({"model": "black_76", "forward": 100}, "#/spot"),
        ({"accuracy": "exact"}, "#/accuracy"),
        ({"colour": "red"}, "#/colour"),
        ({"time_to_expiry": None}, "#"),
        ({"expiry": "2030-01-18"}, "#"),
        ({"time_to_expiry": -1}, "#/time_to_expiry"),
        ({"spot": 1e400}, "#/spot"),
    ],
)
async def test_a_broken_rule_is_named_by_its_place(edge: Edge, change: dict[str, Any], pointer: str) -> None:
    body = {**BODY, **change}
    text = str(body).replace("'", '"').replace("True", "true").replace("None", "null").replace("inf", "1e400")
    answer = await edge.http.post(PRICE, content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]
    assert edge.peers["pricing"].asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"spot": 1, "spot": 2}',
        b'{"spot": NaN}',
        b'{"spot": -Infinity}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"spot": ' + b"9" * 5000 + b"}",
    ],
)
async def test_what_is_no_json_is_malformed(edge: Edge, body: bytes) -> None:
    answer = await edge.http.post(PRICE, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/malformed-request"


async def test_an_expiry_date_counts_from_the_markets_clock(edge: Edge) -> None:
    now = Timestamp()
    now.FromJsonString("2022-07-15T20:00:00Z")
    edge.peers["market"].answers["GetClock"] = GetClockResponse(market_time=now)
    edge.peers["pricing"].answers["Price"] = ANSWER
    body = {name: value for name, value in BODY.items() if name != "time_to_expiry"}
    await edge.http.post(PRICE, json={**body, "expiry": "2023-07-15"})
    assert edge.peers["pricing"].last("Price").contract.time_to_expiry == pytest.approx(1.0, abs=1e-12)
    expired = await edge.http.post(PRICE, json={**body, "expiry": "2022-07-15"})
    assert (expired.status_code, expired.json()["type"]) == (422, "/problems/option-expired")


async def test_a_service_that_is_away_answers_503_with_retry_after(edge: Edge) -> None:
    edge.peers["pricing"].answers["Price"] = Unavailable("pricing is away", retry_after_seconds=0.2)
    answer = await edge.http.post(PRICE, json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_services_violation_points_into_the_flat_body(edge: Edge) -> None:
    broken = InvalidInput("strike is too large", violations=[Violation("contract.strike", "at most 1e9")])
    edge.peers["pricing"].answers["Price"] = broken
    answer = await edge.http.post(PRICE, json=BODY)
    assert answer.json()["errors"] == [{"pointer": "#/strike", "detail": "at most 1e9"}]


def _priced(requests: list[pb.PriceBatchRequest]) -> list[pb.PriceBatchResponse]:
    """Answers every row's strike as its price, so that order and number show."""
    stream = b"".join(request.arrow for request in requests)
    with pa.ipc.open_stream(stream) as reader:
        table = reader.read_all()
    sink = io.BytesIO()
    priced = pa.table({"price": table.column("strike")})
    with pa.ipc.new_stream(sink, priced.schema) as writer:
        writer.write_table(priced)
    return [pb.PriceBatchResponse(arrow=sink.getvalue())]


async def test_json_columns_become_one_arrow_stream_with_scalars_in_its_schema(edge: Edge) -> None:
    seen: list[pa.Schema] = []

    def price(requests: list[pb.PriceBatchRequest]) -> list[pb.PriceBatchResponse]:
        with pa.ipc.open_stream(b"".join(request.arrow for request in requests)) as reader:
            seen.append(reader.schema)
        return _priced(requests)

    edge.peers["pricing"].answers["PriceBatch"] = price
    body = {
        "columns": {
            "option_type": ["call", "put"],
            "spot": 100.0,
            "strike": [95, 105.5],
            "time_to_expiry": 0.5,
            "volatility": 0.2,
        }
    }
    answer = await edge.http.post("/api/v2/options/price/batch", json=body)
    assert PriceBatchShown.model_validate(answer.json()).columns.price == [95.0, 105.5]
    assert seen[0].metadata[b"spot"] == b"100.0"
    assert set(seen[0].names) == {"option_type", "strike"}


@pytest.mark.parametrize(("query", "all_orders"), [("true", False), ("first", False), ("all", True)])
async def test_an_arrow_body_passes_through_undecoded(edge: Edge, query: str, all_orders: bool) -> None:
    edge.peers["pricing"].answers["PriceBatch"] = lambda requests: [
        pb.PriceBatchResponse(arrow=request.arrow) for request in requests[1:]
    ]
    body = bytes(range(256)) * 10_000
    answer = await edge.http.post(
        f"/api/v2/options/price/batch?greeks={query}",
        content=body,
        headers={"content-type": "application/vnd.apache.arrow.stream"},
    )
    assert answer.content == body
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    sent = edge.peers["pricing"].last("PriceBatch")
    assert (sent[0].options.greeks, sent[0].options.higher_orders) == (True, all_orders)
    assert max(len(message.arrow) for message in sent) <= 1024 * 1024


async def test_an_answer_that_cannot_be_ended_is_cut_off(edge: Edge) -> None:
    def break_off(_: list[pb.PriceBatchRequest]) -> Iterator[pb.PriceBatchResponse]:
        yield pb.PriceBatchResponse(arrow=b"the first of two pieces")
        raise Unavailable("pricing went away")

    edge.peers["pricing"].answers["PriceBatch"] = break_off
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    with pytest.raises(ConnectionAbortedError):
        await edge.http.post("/api/v2/options/price/batch", content=b"columns", headers=headers)


async def test_a_third_arrow_batch_is_turned_away(edge: Edge) -> None:
    gate = asyncio.Event()

    class Slow:
        channel = edge.peers["pricing"].channel

        async def stream(self, method: Any, requests: Any, **_: Any) -> Any:
            await gate.wait()
            yield pb.PriceBatchResponse(arrow=b"done")

    from quantmesh.gateway.http.options import Options

    slow: Any = Slow()
    market: Any = edge.peers["market"]
    options = Options(slow, market)
    first, second, third = (options._pass_arrow(_call(b""), pb.BatchOptions()) for _ in range(3))
    running = [asyncio.ensure_future(anext(stream)) for stream in (first, second)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await anext(third)
    gate.set()
    assert [await task for task in running] == [b"done", b"done"]
    assert refused.value.problem == "overloaded"


def _call(body: bytes) -> Any:
    class Body:
        async def pieces(self, *_: int) -> Any:
            yield body

    return Body()


async def test_a_broken_row_is_named_in_its_column(edge: Edge) -> None:
    broken = InvalidInput("no", violations=[Violation("volatility[1]", "must not be negative")])
    edge.peers["pricing"].answers["PriceBatch"] = broken
    columns = {"option_type": "call", "spot": 1, "strike": [1, 2], "time_to_expiry": 1, "volatility": [0.1, -1]}
    answer = await edge.http.post("/api/v2/options/price/batch", json={"columns": columns})
    assert answer.json()["errors"][0]["pointer"] == "#/columns/volatility/1"


async def test_columns_of_unequal_length_are_refused(edge: Edge) -> None:
    columns = {"option_type": "call", "spot": [1, 2, 3], "strike": [1, 2], "time_to_expiry": 1, "volatility": 0.1}
    answer = await edge.http.post("/api/v2/options/price/batch", json={"columns": columns})
    assert answer.status_code == 422
    assert "same length" in answer.json()["errors"][0]["detail"]


async def test_a_price_that_no_volatility_reproduces_is_422_alone_and_null_in_a_column(edge: Edge) -> None:
    edge.peers["pricing"].answers["ImpliedVolatility"] = RuleBroken("below the intrinsic value")
    scalar = {name: value for name, value in BODY.items() if name not in ("volatility", "greeks")}
    refused = await edge.http.post("/api/v2/options/implied-volatility", json={**scalar, "price": 0.0})
    assert refused.status_code == 422

    def imply(_: list[pb.ImpliedVolatilityBatchRequest]) -> list[pb.ImpliedVolatilityBatchResponse]:
        sink = io.BytesIO()
        table = pa.table(
            {
                "implied_volatility": pa.array([0.2, None]),
                "error": pa.array([None, "below the intrinsic value"]).dictionary_encode(),
            }
        )
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return [pb.ImpliedVolatilityBatchResponse(arrow=sink.getvalue())]

    edge.peers["pricing"].answers["ImpliedVolatilityBatch"] = imply
    columns = {"option_type": "call", "spot": 100, "strike": 100, "time_to_expiry": 1, "price": [10.0, 0.0]}
    answer = await edge.http.post("/api/v2/options/implied-volatility", json={"columns": columns})
    shown = ImpliedVolatilityShown.model_validate(answer.json())
    assert shown.columns is not None
    assert shown.columns.implied_volatility == [0.2, None]
    assert shown.errors is not None
    assert [(error.index, error.reason) for error in shown.errors] == [(1, "below the intrinsic value")]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"spot": [1, None]}, "#/columns/spot/1"),
        ({"option_type": ["call", "straddle"]}, "#/columns/option_type/1"),
        ({"strike": "1"}, "#/columns/strike"),
        ({"float": 1}, "#/columns/float"),
    ],
)
async def test_a_row_that_the_edge_refuses_is_named_by_its_place_in_the_body(
    edge: Edge, change: dict[str, Any], pointer: str
) -> None:
    columns = {"option_type": "call", "spot": 1, "strike": [1, 2], "time_to_expiry": 1, "volatility": 0.1, **change}
    answer = await edge.http.post("/api/v2/options/price/batch", json={"columns": columns})
    assert answer.json()["errors"][0]["pointer"] == pointer
