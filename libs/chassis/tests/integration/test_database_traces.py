"""A transaction in the database is found by its trace, and the trace shows its statements."""

from uuid import uuid4

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from psycopg import DataError

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import text
from quantmesh.chassis.telemetry import tracing

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
NAME = text("SELECT current_setting('application_name')")
SECRET = text("SELECT CAST(:secret AS text)")
# Postgres quotes in its complaint what is no number.
NUMBER = text("SELECT CAST(:secret AS integer)")


async def test_postgres_knows_the_trace_of_a_transaction_and_forgets_it_with_it(database: Database) -> None:
    names = []
    for traceparent in (CALLER, ""):
        set_call(CallContext(traceparent=traceparent))
        async with database.transaction(uuid4()) as session:
            names.append(await session.scalar(NAME))
    assert names == [f"quantmesh-ledger-{TRACE_ID}", "quantmesh-ledger-requests"]


async def test_a_call_s_statements_are_spans_below_it_without_their_values(database: Database) -> None:
    exporter = InMemorySpanExporter()
    tracing.configure_tracing("ledger", endpoint="", environment="test", sample_ratio=1.0, exporter=exporter)
    try:
        with tracing.server_span("call", CALLER):
            async with database.transaction(uuid4()) as session:
                await session.execute(SECRET, {"secret": "hunter2"})
                with pytest.raises(DataError, match="hunter2"):
                    await session.execute(NUMBER, {"secret": "hunter2"})
                await session.rollback()
    finally:
        tracing.shutdown_tracing()
    *statements, call = exporter.get_finished_spans()
    assert call.context is not None
    assert [(each.name, each.parent.span_id if each.parent else 0) for each in statements] == [
        ("SELECT", call.context.span_id)
    ] * 2
    assert [each.status.is_ok for each in statements] == [True, False]
    assert not any("hunter2" in each.to_json() for each in statements)


async def look_for(secret: str, database: Database) -> None:
    with tracing.server_span("call", CALLER):
        try:
            async with database.transaction(uuid4()) as session:
                await session.execute(NUMBER, {"secret": secret})
        except DataError as error:
            msg = "no such row"
            raise LookupError(msg) from error


async def test_what_postgres_quotes_of_a_value_is_in_no_span_of_the_call_that_it_ends(database: Database) -> None:
    exporter = InMemorySpanExporter()
    tracing.configure_tracing("ledger", endpoint="", environment="test", sample_ratio=1.0, exporter=exporter)
    try:
        with pytest.raises(LookupError):
            await look_for("hunter2", database)
    finally:
        tracing.shutdown_tracing()
    (told,) = exporter.get_finished_spans()[-1].events
    assert told.attributes is not None
    assert told.attributes["exception.message"] == "no such row"
    stack = str(told.attributes["exception.stacktrace"])
    assert "in look_for" in stack
    assert "InvalidTextRepresentation: SQLSTATE 22P02" in stack
    assert not any("hunter2" in each.to_json() for each in exporter.get_finished_spans())
