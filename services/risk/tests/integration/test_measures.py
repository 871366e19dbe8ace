"""Stress, margin, backtests and exposures over a real channel."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from quantmesh.api.risk.v1 import backtest_pb2, margin_pb2, stress_pb2
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.backtest_pb2_grpc import BacktestServiceStub
from quantmesh.api.risk.v1.margin_pb2_grpc import MarginServiceStub
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.api.risk.v1.stress_pb2_grpc import StressServiceStub
from quantmesh.chassis.errors import RuleBroken
from quantmesh.chassis.rpc import Peer

from .served_risk import HEDGED, PUT, book, positions, served


def total(outcome: stress_pb2.StressOutcome) -> float:
    return sum(item.profit for item in outcome.positions)


@pytest.fixture
async def risk() -> AsyncIterator[Peer]:
    async with served() as peer:
        yield peer


async def test_every_method_measures_a_book_with_options_position_by_position(risk: Peer) -> None:
    stub = RiskServiceStub(risk.channel)
    for method in (
        pb.VALUE_AT_RISK_METHOD_HISTORICAL,
        pb.VALUE_AT_RISK_METHOD_FILTERED_HISTORICAL,
        pb.VALUE_AT_RISK_METHOD_MONTE_CARLO,
    ):
        request = pb.ValueAtRiskRequest(
            positions=HEDGED, method=method, confidence=0.99, horizon_days=1, rate=0.03, paths=2_000
        )
        answer = await risk.call(stub.ValueAtRisk, request)
        assert [item.HasField("option") for item in answer.contributions] == [False, False, True]
        assert answer.contributions[2].option == PUT.option
        assert sum(item.value_at_risk for item in answer.contributions) == pytest.approx(answer.value_at_risk)
        assert answer.HasField("standard_error") == (method == pb.VALUE_AT_RISK_METHOD_MONTE_CARLO)
        for item in answer.contributions:
            assert item.marginal * item.market_value == pytest.approx(item.value_at_risk)


async def test_an_episode_is_todays_book_under_the_moves_of_then(risk: Peer) -> None:
    stub = StressServiceStub(risk.channel)
    asked = stress_pb2.StressRequest(book=book(HEDGED), episodes=["covid", "lehman"])
    answer = await risk.call(stub.Stress, asked)
    covid, lehman = answer.episodes
    assert (covid.first_day, covid.last_day, lehman.name) == ("2020-02-19", "2020-03-23", "lehman")
    # The stand-in's closes halve in every window, to the last day.
    assert covid.spot_moves["AAPL"] == pytest.approx(-0.5)
    by_position = covid.last.positions
    assert by_position[0].profit == pytest.approx(-0.5 * by_position[0].market_value)
    assert by_position[2].profit > 0
    assert total(covid.last) == pytest.approx(covid.last.profit)
    assert sum(item.market_value for item in by_position) == pytest.approx(answer.market_value)
    assert covid.worst.profit <= covid.last.profit
    with pytest.raises(RuleBroken) as caught:
        await risk.call(stub.Stress, stress_pb2.StressRequest(book=book(HEDGED), episodes=["kuwait_1990"]))
    assert caught.value.problem == "missing-history"


async def test_shocks_move_what_they_name_and_reverse_stress_loses_what_was_asked(risk: Peer) -> None:
    stub = StressServiceStub(risk.channel)
    custom = stress_pb2.CustomStress(shocks={"JPM": stress_pb2.Shock(spot_move=0.1)})
    linear = positions(AAPL="100", JPM="-3")
    asked = stress_pb2.StressRequest(
        book=book(linear), custom=custom, reverse=stress_pb2.ReverseStress(loss=500.0, observations=300)
    )
    answer = await risk.call(stub.Stress, asked)
    aapl, jpm = answer.custom.positions
    assert aapl.profit == 0.0
    assert jpm.profit == pytest.approx(0.1 * jpm.market_value)
    assert answer.reverse.is_exact
    assert answer.reverse.outcome.profit == pytest.approx(-500.0)
    assert total(answer.reverse.outcome) == pytest.approx(-500.0)
    assert answer.reverse.distance > 0


async def test_margin_by_both_rules_and_a_cure_that_passes_when_asked_for(risk: Peer) -> None:
    stub = MarginServiceStub(risk.channel)
    for rule in (margin_pb2.MARGIN_RULE_REGULATION_T, margin_pb2.MARGIN_RULE_PORTFOLIO):
        held = positions(AAPL="100", JPM="-30")
        free = await risk.call(stub.Margin, margin_pb2.MarginRequest(book=book(held), rule=rule))
        assert not free.HasField("equity")
        equity = 0.8 * free.requirement
        short = await risk.call(stub.Margin, margin_pb2.MarginRequest(book=book(held), rule=rule, equity=equity))
        assert short.shortfall.amount == pytest.approx(0.2 * free.requirement)
        values = [cure.traded_value for cure in short.shortfall.cures]
        assert values == sorted(values)
        cured = margin_pb2.MarginRequest(book=book(short.shortfall.cured), rule=rule, equity=equity)
        after = await risk.call(stub.Margin, cured)
        assert not after.HasField("shortfall")
        assert after.requirement == pytest.approx(short.shortfall.cures[0].requirement)


async def test_regulation_t_lines_add_up_and_portfolio_groups_name_their_scenario(risk: Peer) -> None:
    stub = MarginServiceStub(risk.channel)
    fixed = await risk.call(
        stub.Margin, margin_pb2.MarginRequest(book=book(HEDGED), rule=margin_pb2.MARGIN_RULE_REGULATION_T)
    )
    assert sum(line.maintenance for line in fixed.lines) == pytest.approx(fixed.requirement)
    assert {line.rule for line in fixed.lines} == {
        margin_pb2.MARGIN_LINE_RULE_LONG_STOCK,
        margin_pb2.MARGIN_LINE_RULE_SHORT_STOCK,
        margin_pb2.MARGIN_LINE_RULE_LONG_OPTION,
    }
    scanned = await risk.call(
        stub.Margin, margin_pb2.MarginRequest(book=book(HEDGED), rule=margin_pb2.MARGIN_RULE_PORTFOLIO)
    )
    groups = {group.symbol: group for group in scanned.groups}
    assert groups["JPM"].spot_move == 0.15
    short = next(line for line in fixed.lines if line.rule == margin_pb2.MARGIN_LINE_RULE_SHORT_STOCK)
    # Of three shares, whose initial margin is half of their value.
    assert groups["JPM"].scan_loss == pytest.approx(0.15 * 2.0 * short.initial)
    assert sum(group.requirement for group in scanned.groups) == pytest.approx(scanned.requirement)


async def test_a_portfolio_brings_its_own_equity(risk: Peer) -> None:
    stub = MarginServiceStub(risk.channel)
    answer = await risk.call(
        stub.Margin,
        margin_pb2.MarginRequest(book=pb.MeasuredBook(portfolio_id="mine"), rule=margin_pb2.MARGIN_RULE_REGULATION_T),
    )
    assert answer.equity == pytest.approx(answer.market_value + 100)
    assert answer.initial == pytest.approx(0.5 * answer.market_value)


@pytest.mark.parametrize("method", [pb.VALUE_AT_RISK_METHOD_HISTORICAL, pb.VALUE_AT_RISK_METHOD_PARAMETRIC])
async def test_a_report_on_rolling_forecasts_is_that_on_their_series(
    risk: Peer, method: pb.ValueAtRiskMethod.ValueType
) -> None:
    stub = BacktestServiceStub(risk.channel)
    rolling = backtest_pb2.RollingForecasts(book=book(positions(AAPL="100", JPM="-3")), method=method, window=100)
    answer = await risk.call(stub.Backtest, backtest_pb2.BacktestRequest(rolling=rolling, confidence=0.99))
    profits, forecasts = np.array(answer.series.profits), np.array(answer.series.value_at_risk)
    assert answer.observations == profits.size == forecasts.size == 250
    assert answer.exceptions == int((profits < -forecasts).sum())
    assert answer.traffic_light.HasField("multiplier_increase")
    given = backtest_pb2.BacktestRequest(series=answer.series, confidence=0.99)
    again = await risk.call(stub.Backtest, given)
    assert (again.kupiec, again.shortfall) == (answer.kupiec, answer.shortfall)


async def test_a_hedged_book_is_backtested_with_its_option_and_loses_less(risk: Peer) -> None:
    stub = BacktestServiceStub(risk.channel)

    async def tested(held: pb.InlinePositions) -> backtest_pb2.BacktestResponse:
        measured = book(held, rate=0.03)
        rolling = backtest_pb2.RollingForecasts(book=measured, method=pb.VALUE_AT_RISK_METHOD_HISTORICAL, window=100)
        return await risk.call(stub.Backtest, backtest_pb2.BacktestRequest(rolling=rolling, confidence=0.99))

    hedged, naked = await tested(HEDGED), await tested(positions(AAPL="100", JPM="-3"))
    assert hedged.observations == naked.observations == 250
    pairs = zip(hedged.series.value_at_risk, naked.series.value_at_risk, strict=True)
    assert all(with_put < 0.8 * without for with_put, without in pairs)
    assert hedged.kupiec.p_value > 0.01
