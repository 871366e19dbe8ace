"""What a program logs as an error reaches Sentry, as Sentry's own client sends it."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from quantmesh.local.network import free_port

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PROGRAM = f"""
import sys
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.chassis.telemetry import error_reports
from quantmesh.chassis.telemetry.forwards import forwards_of
from quantmesh.chassis.telemetry.logs import configure_logs, get_logger

error_reports._SHUTDOWN_SECONDS = 30.0  # the machine may stand still while a report is on its way
settings = ServiceSettings(sentry_dsn=sys.argv[1], otlp_endpoint=sys.argv[2], environment="test", revision="abc123")
configure_logs("ledger-worker", "INFO", forwards_of("ledger", "ledger-worker", settings))
set_call(CallContext(request_id="request-1", traceparent="00-{TRACE_ID}-{SPAN_ID}-01"))
log = get_logger("ledger.test")
log.warning("a warning is no error")
try:
    password = "hunter" + "2"
    raise LookupError("no such row")
except LookupError:
    log.exception("the row is gone", table="entry")
import json, time
print(json.dumps({{"event": "all is done", "logger": "", "at": time.time()}}), flush=True)
"""
QUOTING = f"""{PROGRAM}
from psycopg.errors import UniqueViolation
try:
    try:
        raise UniqueViolation("Key (email)=(" + password + "@example.org) already exists.")
    except UniqueViolation as error:
        raise LookupError("no such row") from error
except LookupError:
    log.exception("the row is there")
"""


@contextmanager
def sentry() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A DSN, and the events that were sent to it."""
    events: list[dict[str, Any]] = []

    class Ingest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = body.splitlines()
            # An envelope: its header, then a header and a payload for each item.
            for header, payload in zip(lines[1::2], lines[2::2], strict=True):
                if json.loads(header)["type"] == "event":
                    events.append(json.loads(payload))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ingest)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://key@127.0.0.1:{server.server_port}/7", events
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_error_is_reported_with_its_trace_and_request_but_no_values_and_a_collector_away_delays_no_end() -> None:
    with sentry() as (dsn, events):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, dsn, f"http://127.0.0.1:{free_port()}"],
            capture_output=True,
            text=True,
            check=True,
        )
        ended = time.time()
    (event,) = events
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("LookupError", "no such row")
    assert event["contexts"]["trace"] == {"trace_id": TRACE_ID, "span_id": SPAN_ID}
    assert event["contexts"]["log"]["event"] == "the row is gone"
    assert event["contexts"]["log"]["table"] == "entry"
    assert event["tags"] == {"program": "ledger-worker", "logger": "ledger.test", "request_id": "request-1"}
    assert (event["environment"], event["release"], event["level"]) == ("test", "abc123", "error")
    assert "hunter2" not in json.dumps(event)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in printed if line["logger"] == "ledger.test"] == [
        "a warning is no error",
        "the row is gone",
    ]
    assert all(line["trace_id"] == TRACE_ID for line in printed if line["logger"] == "ledger.test")
    assert "LookupError: no such row" in printed[1]["exception"]
    # Its start takes as long as the machine likes.
    (done_at,) = (line["at"] for line in printed if "at" in line)
    assert ended - done_at < 10.0, done.stdout + done.stderr


def test_what_postgres_quotes_of_a_value_is_not_reported() -> None:
    with sentry() as (dsn, events):
        subprocess.run([sys.executable, "-c", QUOTING, dsn, ""], capture_output=True, check=True)
    values = events[-1]["exception"]["values"]
    assert [each["value"] for each in values] == ["SQLSTATE 23505", "no such row"]
    assert "hunter2" not in json.dumps(events)
