"""The `quantmesh` command line over the running mesh, as a person types it."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

import nats
import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.local.network import LOOPBACK
from quantmesh.local.testing.mesh import PASSWORD, Mesh

Run = Callable[..., str]


@pytest.fixture
def quantmesh(mesh: Mesh, tmp_path: Path) -> Run:
    """Run a command in a home of its own, again and again while it does not end as it should and there is patience;
    gives what it printed."""
    environ = os.environ | {
        "QUANTMESH_ADDRESS": mesh.url,
        "QUANTMESH_PASSWORD": PASSWORD,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "COLUMNS": "160",
    }

    def run(*arguments: str, text: str = "", code: int = 0, key: str = "", patience: float = 0.0) -> str:
        deadline = time.monotonic() + patience
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "quantmesh.client", *arguments],
                env=environ | ({"QUANTMESH_API_KEY": key} if key else {}),
                input=text,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            if done.returncode == code or time.monotonic() > deadline:
                break
        assert done.returncode == code, done.stdout + done.stderr
        if code and not done.stdout:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stdout

    run("register", "--email", f"cli-{time.time_ns():x}@example.com", "--full-name", "Ada Lovelace")
    return run


def test_an_account_from_registration_to_logout(quantmesh: Run) -> None:
    assert "Ada Lovelace" in quantmesh("whoami")
    quantmesh("logout")
    quantmesh("whoami", code=1)


def test_a_portfolio_from_import_to_proof(quantmesh: Run) -> None:
    portfolio = quantmesh("create", "Growth").strip()
    assert portfolio in quantmesh("portfolios")
    with as_file(files("quantmesh.client.demo").joinpath("transactions.csv")) as path:
        assert "35 rows would be recorded" in quantmesh("import", portfolio, str(path), "--dry-run")
        imported = quantmesh("import", portfolio, str(path))
    assert "35 rows were recorded" in imported
    assert "needs 5000 GE, but only 126 is there" in imported
    assert "AAPL" in quantmesh("positions", portfolio)
    assert "maximum drawdown" in quantmesh("performance", portfolio)
    assert "assets:cash" in quantmesh("ledger", portfolio)
    assert "expected shortfall" in quantmesh("var", portfolio, "--method", "parametric")
    assert "equal weight" in quantmesh("optimize", portfolio, "risk_parity")
    traded = quantmesh("trade", portfolio, "buy", "2", "msft")
    assert traded.startswith("filled: buy 2 MSFT at ")
    transaction = traded.partition("Transaction ")[2].partition(";")[0]
    proof = quantmesh("proof", "get", transaction, "--patience", "60")
    assert quantmesh("proof", "verify", "-", text=proof).startswith("valid: anchored in block ")
    falsified = json.loads(proof)
    falsified["payload"]["quantity"] = "3"
    refused = quantmesh("proof", "verify", "-", text=json.dumps(falsified), code=1)
    assert refused.startswith("not valid: The payload hashes to ")


def test_a_mistake_is_taken_back_and_the_past_keeps_it(quantmesh: Run) -> None:
    portfolio = quantmesh("create", "Growth", "--currency", "usd").strip()
    assert "1,000.00 USD" in quantmesh("deposit", portfolio, "1000", "--at", "2020-01-02T15:00:00")
    assert "900.00 USD" in quantmesh("withdraw", portfolio, "100", "--currency", "usd")
    wrong = quantmesh(
        "transactions", "record", portfolio, "buy", "--symbol", "aapl", "--quantity", "10", "--price", "73.35",
        "--at", "2020-01-02T21:00:00", "--note", "it was MSFT",
    )  # fmt: skip
    transaction = re.search(r"Recorded buy ([0-9a-f-]{36})\.", wrong)
    assert transaction is not None
    # Times are told to the second: in the next one it is known.
    time.sleep(1.1)
    before = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    assert "Recorded reversal" in quantmesh("transactions", "reverse", portfolio, transaction[1])
    assert "buy, taken back" in quantmesh("transactions", "list", portfolio)
    assert "AAPL" not in quantmesh("positions", portfolio)
    assert "AAPL" in quantmesh("positions", portfolio, "--known-at", before)
    quantmesh("transactions", "reverse", portfolio, transaction[1], code=1)
    types = [json.loads(line)["data"]["type"] for line in quantmesh("log", portfolio, "--type", "tr").splitlines()]
    assert types == ["deposit", "withdrawal", "buy", "reversal"]
    assert quantmesh("log", portfolio, "--type", "risk") == ""


def test_an_import_is_taken_back_and_a_portfolio_that_holds_nothing_closed(quantmesh: Run, tmp_path: Path) -> None:
    portfolio = quantmesh("create", "Growth").strip()
    file = tmp_path / "rows.csv"
    file.write_text("type,amount,currency,executed_at\ndeposit,1.00,USD,2020-01-02T15:00:00Z\n")
    imported = re.search(r"Import ([0-9a-f-]{36});", quantmesh("import", portfolio, str(file)))
    assert imported is not None
    assert "deposit" in quantmesh("transactions", "list", portfolio, "--import", imported[1])
    quantmesh("close", portfolio, code=1)
    assert quantmesh("transactions", "reverse-import", portfolio, imported[1]) == "1 rows were taken back.\n"
    quantmesh("rename", portfolio, "Emptied")
    assert "Emptied" in quantmesh("portfolios")
    quantmesh("close", portfolio)
    assert portfolio not in quantmesh("portfolios")


def test_target_weights_are_reviewed_and_placed_once_they_are_confirmed(quantmesh: Run) -> None:
    portfolio = quantmesh("create", "Growth").strip()
    quantmesh("deposit", portfolio, "10000")
    targets = (portfolio, "aapl=0.6", "JPM=0.3", "--minimum-trade", "1000")
    reviewed = quantmesh("rebalance", "review", *targets)
    assert {line.split()[1] for line in reviewed.splitlines() if line.startswith("buy")} == {"AAPL", "JPM"}
    quantmesh("rebalance", "place", *targets, text="n\n", code=1)
    assert "AAPL" not in quantmesh("positions", portfolio)
    placed = quantmesh("rebalance", "place", *targets, text="y\n")
    assert placed.count("filled: buy ") == 2
    assert "Nothing is to be traded." in quantmesh("rebalance", "place", *targets)
    listed = quantmesh("orders", "list", portfolio, "--status", "filled")
    order = next(line.split()[0] for line in listed.splitlines() if "AAPL" in line)
    assert " at " in quantmesh("orders", "show", order).splitlines()[-1]


def test_keys_and_sessions_let_in_until_they_are_ended(quantmesh: Run) -> None:
    secret = quantmesh("keys", "create", "nightly", "portfolio:read", "--expires-at", "2100-01-01").strip()
    shown = next(line for line in quantmesh("keys", "list").splitlines() if "nightly" in line)
    assert "portfolio:read" in shown
    assert "2100-01-01" in shown
    assert quantmesh("portfolios", key=secret)
    quantmesh("deposit", "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10", "1", code=1, key=secret)
    quantmesh("keys", "revoke", shown.split()[0])
    # The gateway hears of it in its own time.
    quantmesh("portfolios", code=1, key=secret, patience=30.0)
    (session,) = (line for line in quantmesh("sessions", "list").splitlines() if "this one" in line)
    assert "quantmesh-client/" in session
    quantmesh("sessions", "end", session.split()[0])
    quantmesh("whoami", code=1, patience=30.0)


def test_what_there_is_and_what_it_costs(quantmesh: Run) -> None:
    assert quantmesh("assets", "apple").splitlines()[1].startswith("AAPL")
    shown = quantmesh("quotes", "aapl", "nosuch")
    assert "AAPL" in shown
    assert "Without a quote: NOSUCH." in shown


def test_options_and_forecasts(quantmesh: Run) -> None:
    contract = ("--spot", "100", "--strike", "100", "--years", "1", "--volatility", "0.2", "--rate", "0.05")
    assert "10.4506" in quantmesh("price", "call", *contract)
    assert "SPY at 382.38, 427 quotes" in quantmesh("chain", "spy")
    assert "interval" in quantmesh("predict", "aapl")


def test_live_quotes_are_one_json_object_a_line(quantmesh: Run) -> None:
    deadline = time.monotonic() + 60
    while not (lines := quantmesh("watch", "quotes.AAPL", "--seconds", "4").splitlines()):
        assert time.monotonic() < deadline, "the feed stands still"
    events = [json.loads(line) for line in lines]
    assert events
    assert {event["channel"] for event in events} == {"quotes.AAPL"}
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers))
    assert datetime.fromisoformat(events[0]["time"]).isoformat() == events[0]["time"]


def test_what_is_not_there_is_one_clear_line(quantmesh: Run) -> None:
    assert quantmesh("positions", "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10", code=1) == ""
    assert quantmesh("predict", "NOSUCH", code=1) == ""


def test_an_operator_sees_and_replays_what_a_consumer_gave_up(mesh: Mesh, quantmesh: Run) -> None:
    quantmesh("events", "letters", code=1)
    operator = mesh.operator
    quantmesh("login", "--email", operator.email, "--password", operator.password)
    event_id = str(uuid.uuid4())
    asyncio.run(publish(mesh, EventEnvelope(event_id=event_id, aggregate_id="nobody", type="no.such.Type")))
    deadline = time.monotonic() + 60
    while event_id not in (shown := quantmesh("events", "letters")):
        assert time.monotonic() < deadline, shown
    assert "no.such.Type" in shown
    number = next(line.split()[0] for line in shown.splitlines() if event_id in line)
    # Two services read this subject, and whichever gave up first has the first letter.
    assert re.search(rf"{event_id} goes to (blockchain-|risk-)", quantmesh("events", "replay", number))
    # Given up again, for the same reason, as another letter.
    quantmesh("events", "replay", number, code=1)
    while event_id not in (shown := quantmesh("events", "letters")):
        assert time.monotonic() < deadline + 60, shown


async def publish(mesh: Mesh, envelope: EventEnvelope) -> None:
    client = await nats.connect(f"nats://{LOOPBACK}:{mesh.server_port('nats')}")
    subject = "qm.portfolio.transaction.recorded.0"
    await client.jetstream().publish(subject, envelope.SerializeToString(), timeout=5)
    await client.close()
