"""RiskService over a real channel."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, RuleBroken
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc import RiskRpc

from .served_risk import CLOSE, StandInMarket, StandInPortfolios, act_with, positions, served


@pytest.fixture
async def risk() -> AsyncIterator[tuple[Peer, RiskServiceStub]]:
    async with served() as peer:
        yield peer, RiskServiceStub(peer.channel)


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


async def test_students_t_has_the_heavier_tail_at_the_same_seed(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    asked = request(positions=positions(AAPL="10"), method=pb.VALUE_AT_RISK_METHOD_MONTE_CARLO, confidence=0.995)
    normal = await peer.call(stub.ValueAtRisk, asked)
    asked.distribution = pb.SHOCK_DISTRIBUTION_STUDENT_T
    of_five = await peer.call(stub.ValueAtRisk, asked)
    asked.degrees_of_freedom = 3.0
    of_three = await peer.call(stub.ValueAtRisk, asked)
    assert normal.expected_shortfall < of_five.expected_shortfall < of_three.expected_shortfall


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


async def test_symbols_of_several_currencies_are_refused(risk: tuple[Peer, RiskServiceStub]) -> None:
    peer, stub = risk
    for call in (
        peer.call(stub.ValueAtRisk, request(positions=positions(AAPL="1", XOM="1"))),
        peer.call(stub.Optimize, pb.OptimizeRequest(symbols=["AAPL", "XOM"], objective=pb.OBJECTIVE_RISK_PARITY)),
    ):
        with pytest.raises(RuleBroken, match="EUR, USD") as caught:
            await call
        assert caught.value.problem == "several-currencies"


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
