"""RiskService over a real channel, with hand-written stand-ins for market and portfolio."""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import jwt
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub, add_RiskServiceServicer_to_server
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, RuleBroken
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc import RiskRpc
from quantmesh.risk.core.errors import MissingHistory
from quantmesh.risk.core.model import Book, History, Terms

KEY = Ed25519PrivateKey.generate()
PRICES = {"AAPL": 150.0, "AAPL-RAW": 600.0, "JPM": 110.0, "XOM": 90.0}
CLOSE = datetime(2022, 10, 3, 20, tzinfo=UTC)


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key()


class StandInMarket:
    def __init__(self, market_time: datetime = CLOSE) -> None:
        self.market_time = market_time

    async def history(
        self, symbols: Sequence[str], closes: int, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        missing = [symbol for symbol in symbols if symbol not in PRICES]
        if missing:
            raise MissingHistory(missing, 0, closes)
        steps = np.random.default_rng(3).normal(3e-4, 0.012, (closes, len(PRICES)))
        paths = np.array(list(PRICES.values())) * np.exp(steps.cumsum(axis=0))
        chosen = [list(PRICES).index(symbol) for symbol in symbols]
        # What was known once was twice as much, and has been corrected since.
        return History(tuple(symbols), paths[:, chosen] * (1 if known_at is None else 2), CLOSE)

    async def window(
        self, symbols: Sequence[str], first: date, last: date, as_of: datetime | None, known_at: datetime | None
    ) -> History:
        """Weekdays alone; before 2000 there is nothing."""
        days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
        common = tuple(day for day in days if day.weekday() < 5 and day.year >= 2000)
        falls = np.linspace(1.0, 0.5, len(common))
        return History(tuple(symbols), np.outer(falls, [PRICES[symbol] for symbol in symbols]), CLOSE, common)

    async def terms(self, symbols: Sequence[str]) -> list[Terms]:
        return [Terms("USD", Decimal(1), is_raw=symbol == "AAPL-RAW") for symbol in symbols]

    async def now(self) -> datetime:
        return self.market_time


class StandInPortfolios:
    async def book(self, portfolio_id: str, as_of: datetime | None, known_at: datetime | None) -> Book:
        if portfolio_id != "mine":
            msg = f"You have no portfolio {portfolio_id}."
            raise NotFound(msg)
        held = {"AAPL": (Decimal(10), "USD"), "JPM": (Decimal(5), "USD")}
        return Book.of(held, cash={"USD": Decimal(100)}, stale=True)


@pytest.fixture
async def risk() -> AsyncIterator[tuple[Peer, RiskServiceStub]]:
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(add_RiskServiceServicer_to_server, RiskRpc(StandInMarket(), StandInPortfolios()))
    await server.start()
    peer = Peer("risk", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=10.0)
    act_with("risk:use")
    yield peer, RiskServiceStub(peer.channel)
    await peer.close()
    await server.stop(0)


def act_with(scope: str) -> None:
    now = int(time.time())
    claims = {"sub": str(uuid.uuid4()), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 60, "scope": scope}
    token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k", "typ": TOKEN_TYPE})
    set_call(CallContext(caller=Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)))


def positions(**quantities: str) -> pb.InlinePositions:
    return pb.InlinePositions(
        positions=[
            pb.InlinePosition(symbol=symbol, quantity=DecimalMessage(value=text)) for symbol, text in quantities.items()
        ]
    )


def request(**fields: object) -> pb.ValueAtRiskRequest:
    defaults = {"method": pb.VALUE_AT_RISK_METHOD_HISTORICAL, "confidence": 0.99, "horizon_days": 1}
    return pb.ValueAtRiskRequest(**(defaults | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [pb.VALUE_AT_RISK_METHOD_HISTORICAL, pb.VALUE_AT_RISK_METHOD_PARAMETRIC])
async def test_contributions_add_up_to_the_total(
    risk: tuple[Peer, RiskServiceStub], method: pb.ValueAtRiskMethod.ValueType
) -> None:
    peer, stub = risk
    answer = await peer.call(stub.ValueAtRisk, request(positions=positions(AAPL="10", JPM="-3"), method=method))
    assert answer.value_at_risk > 0
    assert sum(item.value_at_risk for item in answer.contributions) == pytest.approx(answer.value_at_risk)
    assert sum(item.expected_shortfall for item in answer.contributions) == pytest.approx(answer.expected_shortfall)
    assert (answer.observations, answer.currency, answer.stale) == (500, "USD", False)


async def test_prices_are_taken_as_they_were_known_at_the_time_asked_for(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    now = await peer.call(stub.ValueAtRisk, request(positions=positions(AAPL="10")))
    then = await peer.call(stub.ValueAtRisk, request(positions=positions(AAPL="10"), known_at=to_timestamp(CLOSE)))
    assert then.value_at_risk == pytest.approx(2 * now.value_at_risk)


async def test_a_portfolios_staleness_is_passed_on_and_a_foreign_one_is_not_found(
    risk: tuple[Peer, RiskServiceStub],
) -> None:
    peer, stub = risk
    assert (await peer.call(stub.ValueAtRisk, request(portfolio_id="mine"))).stale
    with pytest.raises(NotFound):
        await peer.call(stub.ValueAtRisk, request(portfolio_id="theirs"))


@pytest.mark.parametrize(
    "bad",
    [
        request(positions=positions(AAPL="1"), confidence=1.5),
        request(positions=positions(AAPL="1"), horizon_days=0),
        request(positions=positions(AAPL="one")),
        request(positions=positions(AAPL="1"), method=0),
        request(positions=positions(AAPL="1"), observations=1),
        request(positions=pb.InlinePositions(positions=[*positions(AAPL="1").positions] * 2)),
        request(),
    ],
)
async def test_bad_input_names_the_field(risk: tuple[Peer, RiskServiceStub], bad: pb.ValueAtRiskRequest) -> None:
    peer, stub = risk
    with pytest.raises(InvalidInput) as caught:
        await peer.call(stub.ValueAtRisk, bad)
    assert caught.value.violations


async def test_what_has_no_history_or_no_positions_is_a_broken_rule(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    with pytest.raises(RuleBroken, match="NOSUCH"):
        await peer.call(stub.ValueAtRisk, request(positions=positions(NOSUCH="1")))
    with pytest.raises(RuleBroken, match="no positions"):
        await peer.call(stub.ValueAtRisk, request(positions=positions(AAPL="0")))


async def test_weights_come_beside_equal_ones_and_current_ones_with_orders_that_lead_there(
    risk: tuple[Peer, RiskServiceStub],
) -> None:
    peer, stub = risk
    answer = await peer.call(
        stub.Optimize, pb.OptimizeRequest(portfolio_id="mine", objective=pb.OBJECTIVE_MINIMUM_VARIANCE)
    )
    assert sum(answer.optimal.weights.values()) == pytest.approx(1.0, abs=1e-12)
    assert set(answer.benchmarks) == {"equal_weight", "current"}
    assert answer.optimal.statistics.volatility <= answer.benchmarks["current"].statistics.volatility
    assert {order.side for order in answer.orders} <= {"buy", "sell"}


async def test_infeasible_constraints_say_what_would_pass(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    tight = pb.OptimizeRequest(
        symbols=["AAPL", "JPM"], objective=pb.OBJECTIVE_MAXIMUM_SHARPE, constraints=pb.Constraints(maximum_weight=0.4)
    )
    with pytest.raises(RuleBroken) as caught:
        await peer.call(stub.Optimize, tight)
    assert caught.value.problem == "infeasible-constraints"
    assert "0.5" in caught.value.violations[0].description
    for broken in (
        pb.OptimizeRequest(symbols=["AAPL", "AAPL"], objective=pb.OBJECTIVE_RISK_PARITY),
        pb.OptimizeRequest(symbols=["AAPL"]),
    ):
        with pytest.raises(InvalidInput):
            await peer.call(stub.Optimize, broken)


async def test_a_raw_series_is_refused(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    raw = "AAPL-RAW"
    for call in (
        peer.call(stub.ValueAtRisk, request(positions=positions(**{raw: "1"}))),
        peer.call(stub.Optimize, pb.OptimizeRequest(symbols=[raw, "JPM"], objective=pb.OBJECTIVE_RISK_PARITY)),
    ):
        with pytest.raises(RuleBroken) as caught:
            await call
        assert caught.value.problem == "series-unadjusted"


async def test_a_last_common_close_of_long_ago_is_stale() -> None:
    rpc = RiskRpc(StandInMarket(CLOSE + timedelta(days=30)), StandInPortfolios())
    late = await rpc.ValueAtRisk(request(positions=positions(AAPL="1")), None)
    assert late.stale
    then = request(positions=positions(AAPL="1"), as_of=to_timestamp(CLOSE + timedelta(days=1)))
    assert not (await rpc.ValueAtRisk(then, None)).stale


async def test_the_scope_is_needed(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    act_with("market:read")
    with pytest.raises(PermissionDenied):
        await peer.call(stub.Optimize, pb.OptimizeRequest(symbols=["AAPL"], objective=pb.OBJECTIVE_RISK_PARITY))
