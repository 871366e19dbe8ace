"""What stress, margin, backtests and exposures refuse, and by which field."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.risk.v1 import backtest_pb2, exposure_pb2, margin_pb2, stress_pb2
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.backtest_pb2_grpc import BacktestServiceStub
from quantmesh.api.risk.v1.exposure_pb2_grpc import ExposureServiceStub
from quantmesh.api.risk.v1.margin_pb2_grpc import MarginServiceStub
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.api.risk.v1.stress_pb2_grpc import StressServiceStub
from quantmesh.chassis.errors import InvalidInput, PermissionDenied
from quantmesh.chassis.rpc import Peer

from .served_risk import HEDGED, PUT, act_with, book, served


@pytest.fixture
async def risk() -> AsyncIterator[Peer]:
    async with served() as peer:
        yield peer


def with_option(**changes: Any) -> pb.InlinePositions:
    option = pb.PositionOption()
    option.CopyFrom(PUT.option)
    for name, value in changes.items():
        setattr(option, name, value)
    return pb.InlinePositions(
        positions=[pb.InlinePosition(symbol="AAPL", quantity=DecimalMessage(value="1"), option=option)]
    )


@pytest.mark.parametrize(
    ("service", "method", "request_", "field"),
    [
        (StressServiceStub, "Stress", stress_pb2.StressRequest(book=book(HEDGED)), "episodes"),
        (StressServiceStub, "Stress", stress_pb2.StressRequest(book=book(HEDGED), episodes=["x"]), "episodes[0]"),
        (
            StressServiceStub,
            "Stress",
            stress_pb2.StressRequest(
                book=book(HEDGED), custom=stress_pb2.CustomStress(shocks={"XOM": stress_pb2.Shock(spot_move=0.1)})
            ),
            "shocks",
        ),
        (
            StressServiceStub,
            "Stress",
            stress_pb2.StressRequest(
                book=book(HEDGED), custom=stress_pb2.CustomStress(shocks={"JPM": stress_pb2.Shock(spot_move=-1.1)})
            ),
            "shocks.JPM",
        ),
        (
            StressServiceStub,
            "Stress",
            stress_pb2.StressRequest(book=book(HEDGED), reverse=stress_pb2.ReverseStress(loss=-1.0)),
            "reverse.loss",
        ),
        (MarginServiceStub, "Margin", margin_pb2.MarginRequest(book=book(HEDGED)), "rule"),
        (
            MarginServiceStub,
            "Margin",
            margin_pb2.MarginRequest(
                book=book(HEDGED), rule=margin_pb2.MARGIN_RULE_REGULATION_T, broad_indices=["XOM"]
            ),
            "broad_indices",
        ),
        (
            MarginServiceStub,
            "Margin",
            margin_pb2.MarginRequest(book=book(with_option(strike=-1.0)), rule=margin_pb2.MARGIN_RULE_PORTFOLIO),
            "positions[0].option.strike",
        ),
        (
            MarginServiceStub,
            "Margin",
            margin_pb2.MarginRequest(book=book(with_option(style=0)), rule=margin_pb2.MARGIN_RULE_PORTFOLIO),
            "positions[0].option.style",
        ),
        (BacktestServiceStub, "Backtest", backtest_pb2.BacktestRequest(confidence=0.99), "profits"),
        (
            BacktestServiceStub,
            "Backtest",
            backtest_pb2.BacktestRequest(
                rolling=backtest_pb2.RollingForecasts(book=book(HEDGED), method=pb.VALUE_AT_RISK_METHOD_PARAMETRIC),
                confidence=0.99,
            ),
            "method",
        ),
        (
            BacktestServiceStub,
            "Backtest",
            backtest_pb2.BacktestRequest(
                series=backtest_pb2.ForecastSeries(profits=[1.0, 2.0], value_at_risk=[1.0, -1.0]), confidence=0.99
            ),
            "value_at_risk[1]",
        ),
        (
            ExposureServiceStub,
            "Exposure",
            exposure_pb2.ExposureRequest(book=book(HEDGED), daily_volumes={"XOM": 1.0}),
            "daily_volumes",
        ),
        (
            ExposureServiceStub,
            "Exposure",
            exposure_pb2.ExposureRequest(book=book(HEDGED), daily_volumes={"JPM": 1.0}, participation_rate=2.0),
            "participation_rate",
        ),
        (
            ExposureServiceStub,
            "Exposure",
            exposure_pb2.ExposureRequest(book=book(HEDGED), daily_volumes={"JPM": -1.0}),
            "daily_volumes.JPM",
        ),
        (ExposureServiceStub, "Exposure", exposure_pb2.ExposureRequest(book=book(HEDGED, rate=900.0)), "rate"),
        (
            StressServiceStub,
            "Stress",
            stress_pb2.StressRequest(
                book=book(HEDGED), custom=stress_pb2.CustomStress(shocks={"JPM": stress_pb2.Shock(spot_move=1e300)})
            ),
            "shocks",
        ),
        (
            RiskServiceStub,
            "ValueAtRisk",
            pb.ValueAtRiskRequest(
                positions=HEDGED,
                method=pb.VALUE_AT_RISK_METHOD_HISTORICAL,
                confidence=0.99,
                horizon_days=1,
                rate=900.0,
            ),
            "rate",
        ),
    ],
)
async def test_bad_input_names_the_field(risk: Peer, service: Any, method: str, request_: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await risk.call(getattr(service(risk.channel), method), request_)
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_the_scope_is_needed(risk: Peer) -> None:
    act_with("market:read")
    for call in (
        risk.call(StressServiceStub(risk.channel).Stress, stress_pb2.StressRequest()),
        risk.call(MarginServiceStub(risk.channel).Margin, margin_pb2.MarginRequest()),
        risk.call(BacktestServiceStub(risk.channel).Backtest, backtest_pb2.BacktestRequest()),
        risk.call(ExposureServiceStub(risk.channel).Exposure, exposure_pb2.ExposureRequest()),
    ):
        with pytest.raises(PermissionDenied):
            await call
