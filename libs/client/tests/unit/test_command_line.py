"""The command line's own errors are one clear line, and its exit codes say how it ended."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.models.portfolios import Portfolio

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
