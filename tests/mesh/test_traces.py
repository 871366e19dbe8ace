"""One request, one trace through everything that it touches, from the edge to the database and the chain."""

import secrets
import time
from collections import Counter
from collections.abc import Callable

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, funded_portfolio, key, new_portfolio
from .collector import SeenSpan, TelemetryCollector

OPTION = {"option_type": "call", "spot": 100, "strike": 90, "time_to_expiry": 0.5, "rate": 0.01, "volatility": 0.3}
SERVER, CLIENT, CONSUMER = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_CONSUMER


class Caller:
    """Who begins the trace: its ids, and the header that hands them on."""

    def __init__(self) -> None:
        self.trace_id, self.span_id = secrets.token_bytes(16), secrets.token_bytes(8)
        self.headers = {"traceparent": f"00-{self.trace_id.hex()}-{self.span_id.hex()}-01"}


def one(seen: list[SeenSpan], service: str, kind: "Span.SpanKind.ValueType", name: str) -> SeenSpan:
    found = [
        each
        for each in seen
        if each.service == f"quantmesh-{service}" and each.span.kind == kind and name in each.span.name
    ]
    assert len(found) == 1, [(each.service, each.span.kind, each.span.name) for each in seen]
    return found[0]


def has(service: str, name: str) -> Callable[[list[SeenSpan]], bool]:
    return lambda seen: any(each.service == f"quantmesh-{service}" and name in each.span.name for each in seen)


def all_of(*wanted: Callable[[list[SeenSpan]], bool]) -> Callable[[list[SeenSpan]], bool]:
    """Each process exports in its own time, and what it did for one request in several parts."""
    return lambda seen: all(each(seen) for each in wanted)


def lies_within(inner: Span, outer: Span) -> bool:
    return (
        outer.start_time_unix_nano <= inner.start_time_unix_nano <= inner.end_time_unix_nano <= outer.end_time_unix_nano
    )


def test_a_price_is_one_trace_from_the_client_through_gateway_and_pricing(
    user: httpx.Client, telemetry: TelemetryCollector
) -> None:
    caller = Caller()
    answer = user.post(f"{API}/options/price", json=OPTION, headers=caller.headers).raise_for_status()
    seen = telemetry.trace(caller.trace_id, all_of(has("gateway", "POST"), has("pricing", "PricingService/Price")))
    edge = one(seen, "gateway", SERVER, f"POST {API}/options/price")
    call = one(seen, "gateway", CLIENT, "Price")
    served = one(seen, "pricing", SERVER, "PricingService/Price")
    assert edge.span.parent_span_id == caller.span_id
    assert call.span.parent_span_id == edge.span.span_id
    assert served.span.parent_span_id == call.span.span_id
    assert lies_within(served.span, edge.span)
    request_id = answer.headers["x-request-id"]
    assert edge.attribute("quantmesh.request_id") == served.attribute("quantmesh.request_id") == request_id


def test_a_transaction_is_one_trace_from_the_edge_through_ledger_and_event_to_the_chain(
    user: httpx.Client, telemetry: TelemetryCollector
) -> None:
    portfolio = new_portfolio(user)
    caller = Caller()
    deposit = {"type": "deposit", "amount": "100.00", "currency": "USD", "executed_at": "2020-01-02T21:00:00Z"}
    answer = user.post(f"{API}/portfolios/{portfolio}/transactions", json=deposit, headers=key() | caller.headers)
    assert answer.is_success, answer.text
    wanted = [has("gateway", "POST"), has("portfolio", "RecordTransaction"), has("blockchain", "anchor on chain")]
    seen = telemetry.trace(caller.trace_id, all_of(*wanted, has("blockchain", "process qm.portfolio")))
    edge = one(seen, "gateway", SERVER, f"POST {API}/portfolios/{{portfolio_id}}/transactions")
    call = one(seen, "gateway", CLIENT, "RecordTransaction")
    ledger = one(seen, "portfolio", SERVER, "PortfolioService/RecordTransaction")
    event = one(seen, "blockchain", CONSUMER, "process qm.portfolio.transaction.recorded")
    anchor = one(seen, "blockchain", Span.SPAN_KIND_INTERNAL, "anchor on chain")
    chain = [edge, call, ledger, event, anchor]
    assert [each.span.parent_span_id for each in chain] == [
        caller.span_id,
        *(each.span.span_id for each in chain[:-1]),
    ]
    assert lies_within(ledger.span, edge.span)
    # What follows from an event begins after the ledger wrote it, and nobody waits for it.
    assert event.span.start_time_unix_nano > ledger.span.start_time_unix_nano
    assert anchor.span.end_time_unix_nano > event.span.end_time_unix_nano
    assert len(bytes.fromhex(anchor.attribute("blockchain.transaction_hash"))) == 32

    statements = [each for each in seen if each.attribute("db.system.name") == "postgresql"]
    below = Counter(
        parent.span.name
        for each in statements
        for parent in (ledger, event)
        if each.span.parent_span_id == parent.span.span_id
    )
    assert set(below) == {ledger.span.name, event.span.name}
    assert any("INSERT INTO transaction" in each.attribute("db.query.text") for each in statements)
    assert not any(portfolio in each.attribute("db.query.text") for each in statements), "values stay out of traces"


def test_a_refusal_is_no_error_of_a_span(user: httpx.Client, telemetry: TelemetryCollector) -> None:
    portfolio, caller = funded_portfolio(user), Caller()
    withdrawal = {
        "type": "withdrawal",
        "amount": "1000000000.00",
        "currency": "USD",
        "executed_at": "2020-01-03T21:00:00Z",
    }
    answer = user.post(f"{API}/portfolios/{portfolio}/transactions", json=withdrawal, headers=key() | caller.headers)
    assert answer.status_code == 422
    seen = telemetry.trace(caller.trace_id, all_of(has("portfolio", "RecordTransaction"), has("gateway", "POST")))
    for each in (one(seen, "gateway", SERVER, "POST"), one(seen, "portfolio", SERVER, "RecordTransaction")):
        assert each.span.status.code != Status.STATUS_CODE_ERROR, each


def failed_request(mesh: Mesh, user: httpx.Client) -> tuple[Caller, httpx.Response]:
    """What nobody is there to answer. Where this test is held up, the part is back before the request comes."""
    give_up_at = time.monotonic() + 60.0
    while True:
        wait_for_pricing(user)
        caller = Caller()
        mesh.kill("pricing")
        answer = user.post(f"{API}/options/price", json=OPTION, headers=caller.headers)
        if not answer.is_success:
            assert answer.status_code == 503
            return caller, answer
        assert time.monotonic() < give_up_at, "a part that is killed is never missed"


def wait_for_pricing(user: httpx.Client) -> None:
    back_by = time.monotonic() + 30.0
    while not user.post(f"{API}/options/price", json=OPTION).is_success:
        assert time.monotonic() < back_by, "pricing is not back"
        time.sleep(0.1)


def test_a_failed_request_is_found_in_the_logs_by_its_trace_and_request_id(
    mesh: Mesh, user: httpx.Client, telemetry: TelemetryCollector
) -> None:
    caller, answer = failed_request(mesh, user)
    records = [each for each in telemetry.logs(caller.trace_id) if each.service == "quantmesh-gateway"]
    assert records
    for each in records:
        attributes = {item.key: item.value.string_value for item in each.record.attributes}
        assert attributes["request_id"] == answer.headers["x-request-id"]
        assert attributes["trace_id"] == caller.trace_id.hex()
    seen = telemetry.trace(caller.trace_id, has("gateway", "POST"))
    assert one(seen, "gateway", SERVER, "POST").span.status.code == Status.STATUS_CODE_ERROR
    wait_for_pricing(user)
