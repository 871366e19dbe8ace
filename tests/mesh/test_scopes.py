"""What OpenAPI says that a call needs is enough for it, through every service behind the first, and it is needed."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, funded_portfolio, key, live_quotes, record

Program = Callable[[str], httpx.Client]
Operation = tuple[str, str, dict[str, Any]]

# What the examples of an operation do not say, by its id.
BODIES: Mapping[str, Any] = {
    "portfolios_update": {"name": "Renamed"},
    "portfolios_reverse": {},
    "portfolios_reverse_import": {},
    "orders_replace": {"quantity": "2"},
    "blockchain_verify": {"leaf": "0x00"},
    "predictions_train": {"timeframe": "1w", "symbols": ["NOBODY"]},
    "halts_impose": {"kind": "operator", "symbol": "NOBODY", "cause": "Nobody knows it."},
    "portfolios_optimize": {"objective": "risk_parity"},
    "auth_create_api_key": {"name": "a child", "scopes": ["account:manage"]},
}
QUERIES: Mapping[str, Mapping[str, str]] = {
    "market_quotes": {"symbols": "AAPL"},
    "market_exchange_rates": {"base": "EUR", "quote": "USD"},
    "portfolios_lots": {"symbol": "AAPL"},
}
IDS: Mapping[str, Mapping[str, str]] = {
    "market_option_chain": {"symbol": "SPY"},
    "predictions_crypto": {"symbol": "BTC-USD"},
}
SEVERAL = '"7", "8", "9"'
HEADERS: Mapping[str, Mapping[str, str]] = {
    "orders_replace": {"If-Match": "*"},
    "orders_cancel": {"If-Match": SEVERAL},
    "portfolios_update": {"If-Match": SEVERAL},
    "portfolios_delete": {"If-Match": SEVERAL},
    "risk_set_limits": {"If-Match": SEVERAL},
    "compliance_decide": {"If-Match": SEVERAL},
}
# Where the right was there, and the thing was not.
OTHER_ANSWERS: Mapping[str, int] = {
    **dict.fromkeys((name for name, tags in HEADERS.items() if tags["If-Match"] == SEVERAL), 412),
    **dict.fromkeys(("halts_lift", "auth_revoke_session", "auth_revoke_api_key", "events_replay"), 404),
    **dict.fromkeys(("predictions_get", "blockchain_transaction"), 404),
    **dict.fromkeys(("predictions_train", "halts_impose"), 422),
    "blockchain_proof": 425,
}
# What follows asks of a portfolio what it asks of positions or symbols.
OF_A_PORTFOLIO: Mapping[str, Mapping[str, Any]] = {
    "var": {},
    "stress": {"episodes": ["covid"]},
    "margin": {"rule": "portfolio"},
    "exposure": {},
    "backtest": {"days": 50, "window": 100},
    "optimize": {"objective": "risk_parity"},
    "frontier": {"points": 5},
}


@pytest.fixture
def operator(mesh: Mesh) -> Iterator[httpx.Client]:
    """Who has every scope."""
    with mesh.login(mesh.operator.email, mesh.operator.password) as client:
        yield client


@pytest.fixture
def operations(operator: httpx.Client) -> list[Operation]:
    """Those that need a credential."""
    paths = operator.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation["security"]
    ]


@pytest.fixture
def program(mesh: Mesh, operator: httpx.Client) -> Iterator[Program]:
    """A client of the scopes and no others."""
    clients: dict[str, httpx.Client] = {}

    def client(scopes: str) -> httpx.Client:
        if scopes not in clients:
            clients[scopes] = httpx.Client(
                base_url=mesh.url, headers={"X-Api-Key": new_key(operator, scopes)}, timeout=30
            )
        return clients[scopes]

    yield client
    for each in clients.values():
        each.close()


def new_key(user: httpx.Client, scopes: str) -> str:
    made = user.post(f"{API}/auth/api-keys", json={"name": "a program", "scopes": scopes.split()}, headers=key())
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


@pytest.fixture
def account(operator: httpx.Client) -> dict[str, str]:
    """An id of the operator's own for each parameter of a path."""
    live_quotes(operator)
    portfolio = funded_portfolio(operator)
    holding(operator, portfolio)
    deposit = record(operator, portfolio, type="deposit", amount="1.00").json()["id"]
    rows = "type,amount,currency,executed_at\ndeposit,1.00,USD,2020-01-02T15:00:00Z\n"
    imported = operator.post(
        f"{API}/portfolios/{portfolio}/transactions/import", content=rows, headers={"Content-Type": "text/csv"} | key()
    )
    resting = {"side": "buy", "type": "limit", "quantity": "1", "limit_price": "10.00", "time_in_force": "gtc"}
    order = operator.post(f"{API}/orders", json={"portfolio_id": portfolio, "symbol": "AAPL", **resting}, headers=key())
    contract = {"option_type": "put", "spot": 90, "strike": 100, "time_to_expiry": 1, "rate": 0, "volatility": 0.3}
    unknown = str(uuid.uuid4())
    return {
        "portfolio_id": portfolio,
        "transaction_id": deposit,
        "import_id": imported.json()["import_id"],
        "order_id": order.json()["id"],
        "quote_id": operator.post(f"{API}/options/price", json=contract).json()["quote_id"],
        "job_id": new_job(operator),
        "user_id": operator.get(f"{API}/auth/me").json()["id"],
        "symbol": "AAPL",
        "hash": "0x" + "00" * 32,
        "number": "1000000",
        **dict.fromkeys(("halt_id", "session_id", "api_key_id", "prediction_id"), unknown),
    }


def holding(user: httpx.Client, portfolio: str) -> None:
    for symbol in ("AAPL", "JPM"):
        bought = record(user, portfolio, type="buy", symbol=symbol, quantity="10", price="70")
        assert bought.status_code == 201, bought.text


def new_job(user: httpx.Client) -> str:
    """A simulation too long to wait for."""
    payoff = {"kind": "asian", "option_type": "call", "strike": 100}
    terms = {"spot": 100, "time_to_expiry": 1, "rate": 0.03, "volatility": 0.2, "paths": 2**22, "steps": 128}
    answer = user.post(f"{API}/options/monte-carlo", json={"payoff": payoff, **terms}, headers=key())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_the_scopes_that_openapi_declares_are_enough(
    operations: list[Operation], account: dict[str, str], operator: httpx.Client, program: Program
) -> None:
    document = operator.get("/openapi.json").json()
    refused = []
    for method, path, operation in operations:
        name = operation["operationId"]
        # What is said of jobs is that each needs what starting it needs.
        scopes = operation.get("x-required-scope") or "pricing:use"
        body = body_of(operation, document, account["portfolio_id"])
        headers = {**body.pop("headers", {}), **HEADERS.get(name, {}), **key()}
        url = path.format(**{**account, **IDS.get(name, {})})
        answer = program(scopes).request(method, url, params=QUERIES.get(name), headers=headers, **body)
        if not answer.is_success and answer.status_code != OTHER_ANSWERS.get(name):
            refused.append(f"{name} with {scopes}: {answer.status_code} {answer.text}")
    assert not refused, "\n".join(refused)


def body_of(operation: dict[str, Any], document: dict[str, Any], portfolio: str) -> dict[str, Any]:
    """The first example, of a portfolio that there is."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "text/csv":
            return {"content": content["example"], "headers": {"Content-Type": media_type}}
        body = BODIES.get(operation["operationId"])
        if body is None:
            schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[-1]]
            body = schema["examples"][0]
        return {"json": body | ({"portfolio_id": portfolio} if "portfolio_id" in body else {})}
    return {}


def test_a_portfolio_is_measured_with_the_scope_that_reads_it(
    operator: httpx.Client, operations: list[Operation], program: Program
) -> None:
    portfolio = funded_portfolio(operator)
    holding(operator, portfolio)
    measures = [path for _, path, _ in operations if path.startswith(f"{API}/risk/") and "{" not in path]
    assert {path.rsplit("/", 1)[-1] for path in measures} == set(OF_A_PORTFOLIO)
    for path in measures:
        body = {"portfolio_id": portfolio, **OF_A_PORTFOLIO[path.rsplit("/", 1)[-1]]}
        assert program("risk:use").post(path, json=body).status_code == 403, path
        answer = program("risk:use portfolio:read").post(path, json=body)
        assert answer.status_code == 200, (path, answer.text)


def test_a_job_is_read_watched_and_cancelled_with_the_scope_that_starts_it(
    mesh: Mesh, operator: httpx.Client, program: Program
) -> None:
    job = new_job(operator)
    for client in (program("market:read"), program("portfolio:read portfolio:write")):
        assert client.get(f"{API}/jobs/{job}").status_code == 403
        assert client.delete(f"{API}/jobs/{job}").status_code == 403
    assert subscribed(mesh, new_key(operator, "market:read"), f"jobs.{job}")["problem"]["status"] == 403
    assert "job." in subscribed(mesh, new_key(operator, "pricing:use"), f"jobs.{job}")["type"]
    assert program("pricing:use").delete(f"{API}/jobs/{job}").status_code == 200


def test_forecasts_are_watched_with_the_scope_that_reads_them(mesh: Mesh, operator: httpx.Client) -> None:
    answer = subscribed(mesh, new_key(operator, "predictions:read"), "predictions.JPM")
    assert answer["op"] == "subscribed", answer


def subscribed(mesh: Mesh, secret: str, channel: str) -> dict[str, Any]:
    """What the stream says first: a refusal, an answer, or the state of what is followed."""
    with connect(mesh.url.replace("http", "ws") + f"{API}/stream", additional_headers={"X-Api-Key": secret}) as stream:
        stream.send(json.dumps({"op": "subscribe", "channels": [channel]}))
        heard = [json.loads(stream.recv(10))]
        if channel.startswith("jobs") and heard[0].get("op") == "subscribed":
            heard.append(json.loads(stream.recv(10)))
        return dict(heard[-1])
