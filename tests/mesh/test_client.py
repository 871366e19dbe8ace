"""The client library is whole: each operation of the API's document answers a method of it, and whatever is answered
has a place in its models."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.client import Client, JobFailed, NotSignedIn
from quantmesh.client.api.orders import NewOrder
from quantmesh.client.models.jobs import Job
from quantmesh.client.models.risk import HeldOption, Holding
from quantmesh.client.transport import Transport
from quantmesh.local.testing.mesh import PASSWORD, Mesh

from .test_command_line import publish
from .visit import Visit, strictly, within

LONG_AGO = datetime(2020, 1, 2, 21, tzinfo=UTC)
CONTRACT = {"option_type": "call", "spot": 100.0, "strike": 100.0, "time_to_expiry": 1.0, "rate": 0.05}
ASIAN = {
    "payoff": {"kind": "asian", "option_type": "call", "strike": 100.0},
    "spot": 100.0,
    "time_to_expiry": 1.0,
    "volatility": 0.2,
    "steps": 52,
}
SMILE = [
    {"option_type": "call", "strike": strike, "time_to_expiry": years, "implied_volatility": volatility}
    for years in (0.5, 1.0)
    for strike, volatility in ((85.0, 0.26), (92.0, 0.235), (100.0, 0.215), (108.0, 0.205), (115.0, 0.2))
]
PUT = HeldOption(option_type="put", style="american", strike=130.0, time_to_expiry=0.5, volatility=0.3, multiplier=100)
BOOK = (Holding(symbol="AAPL", quantity=Decimal(100)), Holding(symbol="AAPL", quantity=Decimal(-1), option=PUT))
ROWS = b"type,amount,currency,executed_at\ndeposit,1.00,USD,2020-01-02T15:00:00Z\n"


@pytest.fixture
def visit(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Visit:
    monkeypatch.setattr(Transport, "read", strictly)
    return Visit(mesh)


@pytest.fixture
def ada(visit: Visit) -> Iterator[Client]:
    with visit.client() as client:
        email = f"ada-{time.time_ns():x}@example.org"
        client.auth.register(email, PASSWORD, "Ada Lovelace")
        client.auth.login(email, PASSWORD)
        yield client


@pytest.fixture
def operator(visit: Visit) -> Iterator[Client]:
    with visit.client() as client:
        client.auth.login(visit.mesh.operator.email, visit.mesh.operator.password)
        yield client


def funded(client: Client) -> str:
    """A portfolio with cash and shares, once quotes come that orders can be filled at."""
    within(60.0, lambda: client.market.quotes(["AAPL"]).data[0].bid, lambda bid: bid is not None)
    portfolio = client.portfolios.create("Growth")
    for transaction in (
        {"type": "deposit", "amount": Decimal("100000.00"), "executed_at": LONG_AGO},
        {"type": "buy", "symbol": "AAPL", "quantity": Decimal(10), "price": Decimal("73.35"), "executed_at": LONG_AGO},
    ):
        client.portfolios.record(portfolio.id, transaction)
    return portfolio.id


def test_accounts(visit: Visit, ada: Client) -> None:
    transport, me = ada.transport, ada.auth.me()
    assert transport.session is not None
    transport.session = replace(transport.session, expires_at=0.0)
    (this,) = ada.auth.sessions()
    assert this.current
    with visit.client() as elsewhere:
        elsewhere.auth.login(me.email, PASSWORD)
        (other,) = (each for each in ada.auth.sessions() if not each.current)
        ada.auth.end_session(other.id)
        with pytest.raises(NotSignedIn):
            elsewhere.auth.me()
    made = ada.auth.create_api_key("nightly", ["portfolio:read"], expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert made.key
    with Client(visit.mesh.url, api_key=made.key) as program:
        assert program.auth.me() == me
    assert [key.prefix for key in ada.auth.api_keys()] == [made.prefix]
    ada.auth.revoke_api_key(made.id)
    assert not [*ada.auth.api_keys()]
    assert ada.auth.public_keys().keys[0]["kty"] == "OKP"
    ada.auth.logout()
    assert visit.reached >= visit.operations("auth")


def test_verification(visit: Visit, ada: Client, operator: Client) -> None:
    submitted = ada.compliance.submit()
    assert ada.compliance.kyc() == submitted
    approved = operator.compliance.decide(submitted.user_id, "approved", "seen", if_version=submitted.version)
    assert operator.compliance.kyc(submitted.user_id).version == approved.version
    assert [each.status for each in operator.compliance.history(submitted.user_id)] == ["approved", "pending"]
    assert visit.reached >= visit.operations("compliance")


def test_market_data(visit: Visit, ada: Client) -> None:
    market = ada.market
    apple = market.asset("AAPL")
    assert apple in [*market.assets("stock", search="AAPL")]
    now = market.clock().market_time
    assert market.quotes(["AAPL"], now).data[0].symbol == "AAPL"
    week = market.bars("AAPL", start=date(2022, 1, 3), end=date(2022, 1, 7), as_of=now)
    assert [bar.date.day for bar in week.data] == [3, 4, 5, 6, 7]
    assert market.exchange_rates("EUR", ["USD"], date(2022, 1, 3)).data[0].rate == Decimal("1.1355")
    assert market.option_chain("SPY").data
    assert visit.reached >= visit.operations("market") | visit.operations("assets")


def test_options(visit: Visit, ada: Client) -> None:
    options = ada.options
    price = options.price({**CONTRACT, "volatility": 0.2})
    assert options.implied_volatility({**CONTRACT, "price": price.price}) == pytest.approx(0.2, abs=1e-9)
    assert within(60.0, lambda: options.quote(price.quote_id)).response == price
    terms: dict[str, Any] = {"option_type": "put", "forward": 100.0, "strike": [90.0, 110.0], "time_to_expiry": 0.5}
    batch = options.price_batch({**terms, "volatility": [0.3, 0.2]}, model="black_76")
    back = options.implied_volatilities({**terms, "price": [*batch.columns.price]}, model="black_76")
    assert back.columns.implied_volatility == pytest.approx((0.3, 0.2), abs=1e-9)
    lost = options.implied_volatilities({**terms, "price": [1.0, 0.0]}, model="black_76")
    assert (lost.columns.implied_volatility[1], lost.errors[0].index) == (None, 1)
    fitted = options.calibrate("heston", SMILE, spot=100.0, rate=0.02, fixed={"rho": -0.7})
    assert (fitted.parameters["rho"], len(fitted.residuals)) == (-0.7, len(SMILE))
    point = {"strike": 100.0, "time_to_expiry": 0.5}
    surface = options.surface(SMILE, points=[point], spot=100.0, rate=0.02)
    assert surface.volatilities[0] == pytest.approx(0.215, abs=0.01)
    local = options.local_volatility(SMILE, options=[{"option_type": "call", **point}], spot=100.0, rate=0.02)
    assert local.prices[0] == pytest.approx(
        options.price({**CONTRACT, **point, "rate": 0.02, "volatility": 0.215}).price, rel=0.02
    )
    simulated = options.monte_carlo({**ASIAN, "paths": 1024, "seed": 7, "greeks": True})
    assert simulated == options.monte_carlo({**ASIAN, "paths": 1024, "seed": 7, "greeks": True})
    assert visit.reached >= visit.operations("options")


def test_portfolios(visit: Visit, ada: Client) -> None:
    portfolios, portfolio = ada.portfolios, funded(ada)
    renamed = portfolios.update(portfolio, name="Income", if_version=portfolios.get(portfolio).version)
    assert [*portfolios.all()] == [renamed]
    fee = portfolios.record(portfolio, {"type": "fee", "amount": "5.00", "executed_at": LONG_AGO})
    known = fee.recorded_at
    assert fee.id is not None
    assert portfolios.reverse(portfolio, fee.id, "a mistake").reverses == fee.id
    imported = portfolios.import_csv(portfolio, ROWS, dry_run=False)
    assert imported.import_id is not None
    (row,) = portfolios.transactions(portfolio, import_id=imported.import_id)
    assert row.import_id == imported.import_id
    assert portfolios.reverse_import(portfolio, imported.import_id).reversed_rows == 1
    cash = [portfolios.positions(portfolio, None, each, lots=True).cash[0].amount for each in (known, None)]
    assert cash == [Decimal("99261.50"), Decimal("99266.50")]
    assert [lot.quantity for lot in portfolios.lots(portfolio, "AAPL")] == [10]
    performance = portfolios.performance(
        portfolio, start=date(2021, 1, 4), end=date(2021, 12, 31), explain=True, benchmark="MSFT", frequency="monthly"
    )
    assert len(performance.series) in (12, 13)
    assert {entry.transaction_id for entry in portfolios.ledger(portfolio)} >= {fee.id, row.id}
    numbers = [event.seq for event in portfolios.events(portfolio)]
    assert (numbers, portfolios.snapshot(portfolio).seq) == ([*range(1, len(numbers) + 1)], numbers[-1])
    weights = portfolios.optimize(
        portfolio, "minimum_variance", ["AAPL", "JPM", "XOM"], constraints={"maximum_weight": 0.5}
    )
    plan = ada.rebalance.plan(portfolio, weights.weights, cash_buffer=Decimal("1000.00"), minimum_trade=Decimal(100))
    assert {order.status for order in ada.rebalance.execute(portfolio, plan.orders).orders} == {"filled"}
    empty = portfolios.create("Empty")
    portfolios.close(empty.id, if_version=empty.version)
    assert visit.reached >= visit.operations("portfolios")


def test_orders(visit: Visit, ada: Client) -> None:
    orders, portfolio = ada.orders, funded(ada)
    wanted = NewOrder(
        portfolio_id=portfolio,
        symbol="AAPL",
        side="buy",
        quantity=Decimal(1),
        limit_price=Decimal(10),
        time_in_force="gtc",
        client_order_id="mine",
    )
    assert orders.preview(wanted).order.status == "accepted"
    placed = orders.place(wanted)
    replaced = orders.replace(orders.get(placed.id), quantity=Decimal(2))
    (found,) = orders.all(portfolio, status="open", side="buy", client_order_id="mine")
    assert (found.id, found.quantity) == (placed.id, Decimal(2))
    assert orders.cancel(placed.id, if_version=replaced.version).status == "cancelled"
    assert orders.trade(portfolio, "AAPL", "sell", Decimal(1), client_order_id="second").status == "filled"
    assert visit.reached >= visit.operations("orders")


def test_risk(visit: Visit, ada: Client) -> None:
    risk, portfolio = ada.risk, funded(ada)
    simulated = risk.value_at_risk(BOOK, method="monte_carlo", covariance="ledoit_wolf", paths=2000, seed=7, rate=0.03)
    assert simulated.standard_error
    assert risk.value_at_risk(portfolio, as_of=datetime(2022, 6, 1, tzinfo=UTC)).value_at_risk > 0
    shocks = {"AAPL": {"spot_move": -0.2}}
    stress = risk.stress(BOOK, episodes=["covid"], shocks=shocks, reverse={"loss": Decimal(1000)}, rate=0.03)
    assert stress.reverse is not None
    assert stress.reverse.outcome.profit == pytest.approx(-1000, rel=0.01)
    margin = risk.margin(BOOK, "portfolio", equity=Decimal(2000), rate=0.03)
    assert margin.shortfall is not None
    assert margin.shortfall.suggestion is not None
    cured = risk.margin(margin.shortfall.suggestion.positions, "portfolio", equity=Decimal(2000), rate=0.03)
    assert cured.shortfall is None
    assert risk.margin(portfolio).lines
    exposure = risk.exposure(BOOK, daily_volumes={"AAPL": 1000.0}, participation_rate=0.1, rate=0.03)
    assert exposure.exposures[0].days_to_sell
    assert len(risk.backtest(portfolio, days=50, window=100).series) == 50
    told = risk.backtest_forecasts(
        [1.0, -3.0] * 50, [2.0] * 100, expected_shortfall=[2.5] * 100, confidence=0.95, seed=7
    )
    assert told.exceptions == 50
    symbols = ["AAPL", "JPM", "XOM"]
    best = risk.optimize("maximum_sharpe", symbols, constraints={"maximum_weight": 0.5}, covariance="ledoit_wolf")
    assert sum(best.weights.values()) == pytest.approx(1.0)
    assert len(risk.frontier(symbols, points=5).points) == 5
    limits = ada.limits.set(portfolio, [{"rule": "order_notional", "limit": Decimal("500.00")}])
    assert ada.limits.get(portfolio).version == limits.version
    assert not ada.limits.what_if(portfolio, [{"symbol": "AAPL", "side": "buy", "quantity": Decimal(100)}]).allowed
    assert visit.reached >= visit.operations("risk")


def test_predictions(visit: Visit, ada: Client, operator: Client) -> None:
    forecast = ada.predictions.forecast("AAPL")
    assert within(60.0, lambda: ada.predictions.get(forecast.id)) == forecast
    assert ada.predictions.forecast("BTC-USD", "1w", "crypto").timeframe == "1w"
    ada.predictions.models()
    operator.jobs.cancel(operator.predictions.train("3m", max_seconds=5).id)
    assert visit.reached >= visit.operations("predictions")


def test_jobs(visit: Visit, ada: Client) -> None:
    def cancel(job: Job) -> None:
        ada.jobs.cancel(job.id)

    # As long as a simulation may be: half a minute, if it were not cancelled.
    american = {**ASIAN, "payoff": {"kind": "american", "option_type": "put", "strike": 100.0}}
    with pytest.raises(JobFailed, match="cancelled"):
        ada.options.monte_carlo({**american, "paths": 2**19, "steps": 150}, on_progress=cancel)
    assert visit.reached >= visit.operations("jobs")


def test_proofs(visit: Visit, ada: Client) -> None:
    (deposit,) = (each.id for each in ada.portfolios.transactions(funded(ada)) if each.type == "deposit")
    assert deposit is not None
    proof = ada.chain.proof(deposit, patience_seconds=60.0)
    assert ada.chain.verify(proof).valid
    anchor = ada.chain.transaction(proof.anchor.transaction_hash)
    assert (anchor.network, anchor.block_number) == (proof.anchor.network, proof.anchor.block_number)
    assert proof.anchor.network in {network.name for network in ada.chain.networks()}
    assert visit.reached >= visit.operations("blockchain")


def test_halts(visit: Visit, ada: Client, operator: Client) -> None:
    halt = operator.halts.impose("News are pending.", symbol="XOM")
    assert halt in ada.halts.in_force()
    lifted = operator.halts.lift(halt.id)
    assert lifted in [*ada.halts.all("XOM")]
    assert visit.reached >= visit.operations("halts")


def test_dead_letters(visit: Visit, operator: Client) -> None:
    event_id = str(uuid.uuid4())
    asyncio.run(publish(visit.mesh, EventEnvelope(event_id=event_id, aggregate_id=event_id, type="no.such.Type")))
    found = within(60.0, lambda: [each for each in operator.events.dead_letters() if each.event_id == event_id])
    assert operator.events.replay(found[0].number).event_id == event_id
    assert visit.reached >= visit.operations("events")


def test_every_operation_belongs_to_one_of_these_topics(visit: Visit) -> None:
    topics = [
        *("auth", "compliance", "market", "assets", "options", "portfolios", "orders", "risk", "predictions", "jobs"),
        *("blockchain", "halts", "events"),
    ]
    every = {each["operationId"] for methods in visit.document["paths"].values() for each in methods.values()}
    assert every == set().union(*(visit.operations(topic) for topic in topics))
