"""What a portfolio holds of listed options is measured as the same options given inline, in every answer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.risk.v1 import backtest_pb2, exposure_pb2, margin_pb2, stress_pb2
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.backtest_pb2_grpc import BacktestServiceStub
from quantmesh.api.risk.v1.exposure_pb2_grpc import ExposureServiceStub
from quantmesh.api.risk.v1.margin_pb2_grpc import MarginServiceStub
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.api.risk.v1.stress_pb2_grpc import StressServiceStub
from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.limits.histories import Histories
from quantmesh.risk.adapters.rpc import RiskRpc
from quantmesh.risk.core.errors import NotMeasurable
from quantmesh.risk.core.model import History

from .served_risk import (
    CLOSE,
    EXPIRED,
    ON_NOTHING,
    PUT_SYMBOL,
    UNQUOTED,
    StandInMarket,
    StandInPortfolios,
    positions,
    served,
)

PUT = pb.PositionOption(
    option_type=pricing_pb2.OPTION_TYPE_PUT,
    style=pricing_pb2.EXERCISE_STYLE_AMERICAN,
    strike=140,
    time_to_expiry=0.2,
    volatility=0.4,
    multiplier=100,
)
SPELT_OUT = pb.InlinePositions(
    positions=[
        *positions(AAPL="100", JPM="-3").positions,
        pb.InlinePosition(symbol="AAPL", quantity=DecimalMessage(value="1"), option=PUT),
    ]
)
BY_SYMBOL = positions(**{"AAPL": "100", "JPM": "-3", PUT_SYMBOL: "1"})
HISTORICAL = pb.VALUE_AT_RISK_METHOD_HISTORICAL


@pytest.fixture
async def risk() -> AsyncIterator[Peer]:
    async with served() as peer:
        yield peer


def tail(method: pb.ValueAtRiskMethod.ValueType = HISTORICAL, **book: Any) -> pb.ValueAtRiskRequest:
    return pb.ValueAtRiskRequest(method=method, confidence=0.99, horizon_days=1, rate=0.03, paths=2_000, **book)


@pytest.mark.parametrize("method", list(pb.ValueAtRiskMethod.values())[1:])
async def test_value_at_risk_is_that_of_the_options_spelt_out(
    risk: Peer, method: pb.ValueAtRiskMethod.ValueType
) -> None:
    stub = RiskServiceStub(risk.channel)
    expected = await risk.call(stub.ValueAtRisk, tail(method, positions=SPELT_OUT))
    assert await risk.call(stub.ValueAtRisk, tail(method, portfolio_id="hedged")) == expected
    assert await risk.call(stub.ValueAtRisk, tail(method, positions=BY_SYMBOL)) == expected
    unhedged = await risk.call(stub.ValueAtRisk, tail(method, positions=positions(AAPL="100", JPM="-3")))
    assert 0 < expected.value_at_risk < unhedged.value_at_risk


async def test_each_contribution_tells_the_terms_and_the_volatility_that_were_taken(risk: Peer) -> None:
    answer = await risk.call(RiskServiceStub(risk.channel).ValueAtRisk, tail(portfolio_id="hedged"))
    assert [(each.symbol, each.option) for each in answer.contributions] == [
        ("AAPL", pb.PositionOption()),
        ("JPM", pb.PositionOption()),
        ("AAPL", PUT),
    ]


async def test_every_other_measure_is_that_of_the_options_spelt_out(risk: Peer) -> None:
    mine, spelt_out = (
        pb.MeasuredBook(portfolio_id="hedged", rate=0.03),
        pb.MeasuredBook(positions=SPELT_OUT, rate=0.03),
    )
    shocks = stress_pb2.CustomStress(shocks={"AAPL": stress_pb2.Shock(spot_move=-0.2)})

    async def measured(book: pb.MeasuredBook) -> list[Any]:
        rolling = backtest_pb2.RollingForecasts(book=book, method=HISTORICAL, days=50, window=100)
        return [
            await risk.call(
                StressServiceStub(risk.channel).Stress,
                stress_pb2.StressRequest(book=book, custom=shocks, episodes=["covid"]),
            ),
            await risk.call(
                MarginServiceStub(risk.channel).Margin,
                margin_pb2.MarginRequest(book=book, rule=margin_pb2.MARGIN_RULE_PORTFOLIO, equity=1e6),
            ),
            await risk.call(
                BacktestServiceStub(risk.channel).Backtest,
                backtest_pb2.BacktestRequest(rolling=rolling, confidence=0.99),
            ),
            await risk.call(ExposureServiceStub(risk.channel).Exposure, exposure_pb2.ExposureRequest(book=book)),
        ]

    assert await measured(mine) == await measured(spelt_out)


@pytest.mark.parametrize(
    ("symbol", "problem", "reason"),
    [
        (UNQUOTED, "not-measurable", f"implied volatility of {UNQUOTED}"),
        (EXPIRED, "not-measurable", f"{EXPIRED} had expired by 2022-10-03T20:00:00Z"),
        (ON_NOTHING, "missing-history", "no closes of SPY, by which they and options on them are measured"),
    ],
)
async def test_an_option_that_cannot_be_valued_is_named_with_what_is_missing(
    risk: Peer, symbol: str, problem: str, reason: str
) -> None:
    held = positions(**{"AAPL": "1", symbol: "1"})
    with pytest.raises(RuleBroken, match=reason) as caught:
        await risk.call(RiskServiceStub(risk.channel).ValueAtRisk, tail(positions=held))
    assert caught.value.problem == problem


async def test_an_option_on_an_option_is_refused(risk: Peer) -> None:
    twice = pb.InlinePosition(symbol=PUT_SYMBOL, quantity=DecimalMessage(value="1"), option=PUT)
    held = pb.InlinePositions(positions=[*positions(AAPL="1").positions, twice])
    with pytest.raises(InvalidInput) as caught:
        await risk.call(RiskServiceStub(risk.channel).ValueAtRisk, tail(positions=held))
    assert [violation.field for violation in caught.value.violations] == ["positions[1].symbol"]


async def test_an_old_volatility_makes_an_answer_stale_and_a_missing_quote_does_not(risk: Peer) -> None:
    portfolios = StandInPortfolios()
    fresh = RiskRpc(StandInMarket(), portfolios)
    assert not (await fresh.ValueAtRisk(tail(portfolio_id="hedged"), None)).stale
    aged = RiskRpc(StandInMarket(chain_time=CLOSE - timedelta(days=80)), portfolios)
    assert (await aged.ValueAtRisk(tail(portfolio_id="hedged"), None)).stale


async def test_an_option_ages_with_the_market_where_closes_do_not(risk: Peer) -> None:
    later = RiskRpc(StandInMarket(CLOSE + timedelta(days=36, hours=12)), StandInPortfolios())
    answer = await later.ValueAtRisk(tail(portfolio_id="hedged"), None)
    assert answer.contributions[2].option.time_to_expiry == pytest.approx(0.1)
    before = tail(portfolio_id="hedged", as_of=to_timestamp(CLOSE))
    assert (await later.ValueAtRisk(before, None)).contributions[2].option.time_to_expiry == pytest.approx(0.2)


async def test_weights_are_sought_for_what_is_held_but_options(risk: Peer) -> None:
    stub = RiskServiceStub(risk.channel)
    request = pb.OptimizeRequest(portfolio_id="hedged", objective=pb.OBJECTIVE_MINIMUM_VARIANCE)
    answer = await risk.call(stub.Optimize, request)
    assert dict(answer.optimal.weights) == {"AAPL": 1.0}
    request.symbols.extend(["AAPL", PUT_SYMBOL])
    with pytest.raises(InvalidInput, match=f"{PUT_SYMBOL}; an option has no weight") as caught:
        await risk.call(stub.Optimize, request)
    assert [violation.field for violation in caught.value.violations] == ["symbols"]


async def test_limits_are_measured_by_the_closes_of_underlyings_or_say_what_is_missing() -> None:
    histories = Histories(StandInMarket())
    found = await histories.of(["AAPL", PUT_SYMBOL])
    assert isinstance(found, History)
    assert (found.symbols, list(found.listed)) == (("AAPL",), [PUT_SYMBOL])
    lacking = await histories.of(["AAPL", UNQUOTED])
    assert isinstance(lacking, NotMeasurable)
    assert UNQUOTED in lacking.detail
