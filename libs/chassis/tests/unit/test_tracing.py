"""Spans: what becomes one, below which, and what their absence or their collector's costs."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from quantmesh.chassis.errors import NotFound, Unavailable
from quantmesh.chassis.telemetry import tracing
from quantmesh.local.network import free_port

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Spans = Callable[[], dict[str, ReadableSpan]]


def traced(sample_ratio: float) -> Iterator[Spans]:
    exporter = InMemorySpanExporter()

    def ended() -> dict[str, ReadableSpan]:
        """By name; what was recorded is exported by then."""
        tracing.shutdown_tracing()
        return {span.name: span for span in exporter.get_finished_spans()}

    tracing.configure_tracing("ledger", endpoint="", environment="test", sample_ratio=sample_ratio, exporter=exporter)
    yield ended
    tracing.shutdown_tracing()


@pytest.fixture
def spans() -> Iterator[Spans]:
    yield from traced(1.0)


@pytest.fixture
def unsampled() -> Iterator[Spans]:
    yield from traced(0.0)


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return int(span.parent.span_id)


def test_calls_statements_and_what_follows_lie_below_the_caller(spans: Spans) -> None:
    arrived = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with tracing.server_span("call", CALLER):
        with tracing.client_span("peer"):
            pass
        with tracing.statement_span("  SELECT balance FROM account WHERE id = %(id)s"):
            pass
    with tracing.consumer_span("process event", CALLER) as traceparent:
        pass
    tracing.add_span("anchor", traceparent, arrived, arrived + timedelta(seconds=3), {"block": 7})
    ended = spans()
    assert {name: span.kind for name, span in ended.items()} == {
        "call": SpanKind.SERVER,
        "peer": SpanKind.CLIENT,
        "SELECT": SpanKind.CLIENT,
        "process event": SpanKind.CONSUMER,
        "anchor": SpanKind.INTERNAL,
    }
    assert parent_of(ended["call"]) == parent_of(ended["process event"]) == int("00f067aa0ba902b7", 16)
    assert parent_of(ended["peer"]) == parent_of(ended["SELECT"]) == id_of(ended["call"])
    assert parent_of(ended["anchor"]) == id_of(ended["process event"])
    assert (ended["anchor"].start_time, ended["anchor"].end_time) == (1767323045678901000, 1767323048678901000)
    attributes = ended["SELECT"].attributes or {}
    assert attributes["db.query.text"] == "SELECT balance FROM account WHERE id = %(id)s"


def test_a_statement_outside_any_call_is_no_trace_of_its_own(spans: Spans) -> None:
    with tracing.statement_span("SELECT 1"):
        pass
    assert spans() == {}


def test_a_failure_marks_its_span_and_a_refusal_does_not(spans: Spans) -> None:
    for name, error in (("refused", NotFound("no such account")), ("failed", Unavailable("the database is away"))):
        with pytest.raises(type(error)), tracing.server_span(name, CALLER):
            raise error
    ended = spans()
    assert ended["refused"].status.status_code is StatusCode.UNSET
    assert (ended["refused"].attributes or {})["error.type"] == "NotFound"
    assert ended["failed"].status.status_code is StatusCode.ERROR
    assert [event.name for event in ended["failed"].events] == ["exception"]


def test_the_ratio_is_for_traces_that_begin_here_and_a_caller_that_is_traced_goes_on_to_be(unsampled: Spans) -> None:
    with tracing.server_span("begun here", "") as fresh:
        assert int(fresh[-2:], 16) % 2 == 0
        with tracing.client_span("peer") as passed_on:
            assert passed_on.split("-")[1] == fresh.split("-")[1]
    with tracing.server_span("begun elsewhere", CALLER):
        pass
    assert set(unsampled()) == {"begun elsewhere"}


def test_untraced_calls_hand_on_their_callers_trace_and_have_one_for_the_logs_where_none_came() -> None:
    with tracing.server_span("call", CALLER) as traceparent, tracing.client_span("peer") as to_send:
        assert (traceparent, to_send) == (CALLER, "")
    with tracing.server_span("call", "") as traceparent:
        assert tracing.is_traceparent(traceparent)


@pytest.mark.parametrize(
    "given",
    [
        "00-' || pg_sleep(9) || '0000000000000000-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        f"{CALLER}\n",
    ],
)
def test_what_is_no_traceparent_is_handed_on_to_nobody(given: str) -> None:
    for begin in (tracing.server_span, tracing.consumer_span):
        with begin("call", given) as traceparent:
            assert tracing.is_traceparent(traceparent)
            assert traceparent.split("-")[1] not in given


def test_a_collector_that_is_away_slows_nothing_and_delays_no_end() -> None:
    tracing.configure_tracing(
        "ledger", endpoint=f"http://127.0.0.1:{free_port()}", environment="test", sample_ratio=1.0
    )
    try:
        began = time.process_time()
        for _ in range(3000):
            with tracing.server_span("call", ""), tracing.client_span("peer") as traceparent:
                assert tracing.is_traceparent(traceparent)
        # More than its queue holds; the rest is dropped.
        assert (time.process_time() - began) / 6000 < 0.001
    finally:
        ending = time.monotonic()
        tracing.shutdown_tracing()
    assert time.monotonic() - ending < 8.0
