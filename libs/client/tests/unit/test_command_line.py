"""The command line's own errors are one clear line, and its exit codes say how it ended."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from quantmesh.client import Client
from quantmesh.client.cli import login, tables
from quantmesh.client.cli.app import app
from quantmesh.client.cli.console import plain_console
from quantmesh.client.models.optimization import Optimization
from quantmesh.client.models.portfolios import Import, LedgerEntry, Portfolio, Posting, RejectedRow
from quantmesh.client.models.risk import ValueAtRisk

from .test_transport import Server

NOBODY = "http://127.0.0.1:1"


def quantmesh(home: Path, *arguments: str, text: str = "", address: str = NOBODY) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QUANTMESH_")}
    environ |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "QUANTMESH_ADDRESS": address}
    return subprocess.run(
        [sys.executable, "-m", "quantmesh.client", *arguments],
        env=environ,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_without_a_login_says_how_to_log_in(tmp_path: Path) -> None:
    done = quantmesh(tmp_path, "portfolios")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "You are not logged in: run `quantmesh login`, or set QUANTMESH_API_KEY.\n"


def test_a_mesh_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    done = quantmesh(tmp_path, "login", "--email", "ada@example.org", "--password", "secret")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{NOBODY} cannot be reached")
    assert len(done.stderr.splitlines()) == 1


def test_what_others_wrote_is_shown_as_it_is(tmp_path: Path) -> None:
    done = quantmesh(tmp_path, "login", "--email", "a@b.cd", "--password", "secret", address=f"{NOBODY}/[/x]:bug:")
    assert done.stderr.startswith(f"{NOBODY}/[/x]:bug: cannot be reached")
    assert "Traceback" not in done.stderr


def test_names_with_brackets_are_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    created_at = datetime(2026, 1, 1, tzinfo=UTC)
    named = ["[beta] Growth", "[/x]", ":bug:"]
    portfolios = [
        Portfolio(id="p", name=name, base_currency="USD", lot_method="fifo", version=1, created_at=created_at)
        for name in named
    ]
    plain_console().print(tables.portfolios_table(portfolios))
    shown = capsys.readouterr().out
    assert all(name in shown for name in named)


def test_a_narrow_terminal_cuts_off_no_id_and_no_amount(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    posting = Posting(account="equity:contributions", commodity="USD", amount=Decimal("-150000.25"))
    entry = LedgerEntry(
        id="e", transaction_id="t", description="deposit", executed_at=now, recorded_at=now, postings=(posting,)
    )
    plain_console().print(tables.ledger_table([entry]))
    name = "a name of some length that goes on and on"
    portfolio = Portfolio(
        id="01a20537-daef-7b0a-aaaa-337fea33f71c",
        name=name,
        base_currency="USD",
        lot_method="fifo",
        version=1,
        created_at=now,
    )
    plain_console().print(tables.portfolios_table([portfolio]))
    shown = capsys.readouterr().out
    for whole in ("2026-01-01", posting.account, "-150,000.25", portfolio.id, name):
        assert whole in shown


def test_what_may_wrap_wraps_in_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    refused = RejectedRow(line=34, column=3, field="quantity", reason="needs more of it than is there " * 4)
    report = Import(
        dry_run=True,
        import_id=None,
        accepted_rows=0,
        rejected_rows=1,
        duplicate_rows=0,
        accepted=(),
        rejected=(refused,),
        duplicates=(),
    )
    plain_console().print(tables.import_table(report))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert max(len(line) for line in lines) <= 60


def test_a_confidence_is_shown_as_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    measured = ValueAtRisk(
        value_at_risk=1.0,
        expected_shortfall=2.0,
        contributions=(),
        observations=500,
        as_of=None,
        currency="USD",
        market_value=100.0,
        method="historical",
        confidence=0.995,
        horizon_days=1,
        stale=False,
    )
    plain_console().print(tables.risk_table([measured]))
    assert "99.5%, 1 d, USD" in capsys.readouterr().out


def test_equal_weights_are_shown_in_one_order_whatever_the_answer_began_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def shown(*symbols: str) -> str:
        weights = dict.fromkeys(symbols, 0.25)
        statistics = {"weights": weights, "expected_return": 0.1, "volatility": 0.2, "sharpe": 0.5}
        result = Optimization.model_validate(
            statistics
            | {"objective": "risk_parity", "observations": 500, "as_of": None, "solver": "newton", "orders": []}
            | {"objective_value": 0.0, "bound": None, "gap": None, "iterations": 1}
            | {"benchmarks": dict.fromkeys((f"as {symbol}" for symbol in symbols), statistics)}
        )
        plain_console().print(tables.optimization_table(result))
        return capsys.readouterr().out

    assert shown("MSFT", "AAPL", "JPM", "XOM") == shown("XOM", "JPM", "AAPL", "MSFT")


def test_an_instant_of_the_past_is_asked_for_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[str, object] = {
        "data": [],
        "cash": [],
        "cash_value": None,
        "total_value": None,
        "exchange_rates": [],
        "seq": 0,
    }
    server = Server(httpx.Response(200, json=held | {"as_of": None, "known_at": None}))
    http = httpx.Client(transport=httpx.MockTransport(server))
    monkeypatch.setenv("QUANTMESH_API_KEY", "k")
    monkeypatch.setattr(login, "Client", lambda address, api_key: Client(address, api_key=api_key, http=http))
    done = CliRunner().invoke(app, ["positions", "p1", "--as-of", "2022-01-03"])
    assert done.exit_code == 0, done.output
    assert server.asked[0].url.params["as_of"] == "2022-01-03T00:00:00+00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        ("trade", "p1", "buy", "some", "AAPL"),
        ("orders", "place", "p1", "buy", "1", "AAPL", "--limit", "some"),
        ("deposit", "p1", "some"),
        ("rebalance", "review", "p1", "AAPL=some"),
        ("rebalance", "place", "p1", "AAPL=0.5", "aapl=0.4", "--yes"),
    ],
)
def test_what_is_no_number_or_none_that_is_meant_is_refused_before_anybody_is_asked(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "Invalid value" in done.output


@pytest.mark.parametrize("text", ["{}", "no json", json.dumps({"leaf": 1})])
def test_what_is_no_proof_is_refused(tmp_path: Path, text: str) -> None:
    done = quantmesh(tmp_path, "proof", "verify", "-", text=text)
    assert done.returncode == 1
    assert done.stderr.startswith("This is no proof: ")


def test_a_ledger_is_shown_or_verified(tmp_path: Path) -> None:
    shown = quantmesh(tmp_path, "ledger", "0198b3c0-0000-7000-8000-000000000000")
    assert shown.stderr == "You are not logged in: run `quantmesh login`, or set QUANTMESH_API_KEY.\n"
    for arguments in (["verify", "--help"], ["show", "--help"]):
        assert quantmesh(tmp_path, "ledger", *arguments).returncode == 0
    assert "No such option" in quantmesh(tmp_path, "ledger", "verify", "--nothing").stderr
