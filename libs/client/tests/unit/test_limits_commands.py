"""Commands for limits and KYC, over a mesh that answers from a table."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantmesh.client.cli.app import app

from .test_limits import DEFINITION, KYC, LIMIT

USED = {**LIMIT, "value": "450", "utilisation": 0.45, "state": "warning", "largest": "AAPL", "reason": None}
DECISION = {**KYC, "decided_by": "officer-1"}
ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/risk/limits/p1"): {**DEFINITION, "utilisation": [USED], "base_currency": "USD", "as_of": None},
    ("PUT", "/risk/limits/p1"): DEFINITION,
    ("GET", "/compliance/kyc"): KYC,
    ("POST", "/compliance/kyc"): {**KYC, "status": "pending", "reason": None},
    ("GET", "/compliance/kyc/u1"): {**KYC, "data": [DECISION], "next_cursor": None},
    ("PUT", "/compliance/kyc/u1"): KYC,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The bodies that a mesh was sent."""
    bodies: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            bodies.append(json.loads(self.rfile.read(length) or b"null"))
            path = self.path.partition("?")[0].removeprefix("/api/v2")
            content = json.dumps(ANSWERS[self.command, path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815  http.server's own names

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: the test tells what it saw."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("QUANTMESH_ADDRESS", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("QUANTMESH_API_KEY", "k")
    yield bodies
    server.shutdown()
    server.server_close()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_limits_are_shown_with_their_use_and_set_from_a_file(asked: list[Any], tmp_path: Path) -> None:
    (line,) = [line for line in run("limits", "show", "p1").splitlines() if "gross_exposure" in line]
    assert line.split() == ["gross_exposure", "(AAPL)", "450", "1000.50", "45.00%", "warning"]
    file = tmp_path / "limits.json"
    wanted = [{"rule": "gross_exposure", "limit": "1000.50"}]
    file.write_text(json.dumps(wanted))
    assert run("limits", "set", "p1", str(file)) == "1 limits, version 3.\n"
    assert asked[-1] == {"limits": wanted}


@pytest.mark.parametrize("text", ["{", '{"rule": "leverage"}', '["leverage"]', "\xff"])
def test_a_file_that_holds_no_limits_is_refused(
    asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    # A short name, which no line of the terminal breaks.
    monkeypatch.chdir(tmp_path)
    Path("limits.json").write_bytes(text.encode("latin-1"))
    done = CliRunner().invoke(app, ["limits", "set", "p1", "limits.json"])
    assert (done.exit_code, asked) == (2, [])
    assert "limits.json" in done.output


def test_a_status_is_shown_asked_for_and_decided(asked: list[Any]) -> None:
    assert run("kyc", "show") == "approved: seen\n"
    assert run("kyc", "submit") == "pending\n"
    assert "officer-1" in run("kyc", "show", "u1")
    assert run("kyc", "decide", "u1", "approved", "seen") == "approved: seen\n"
    assert asked[-1] == {"status": "approved", "reason": "seen"}
