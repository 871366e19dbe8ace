"""Backtests of forecasts, remade or given."""

import asyncio
from typing import Any

import numpy as np

from quantmesh.api.risk.v1 import backtest_pb2 as pb
from quantmesh.api.risk.v1 import risk_pb2
from quantmesh.api.risk.v1.backtest_pb2_grpc import BacktestServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.quant import backtest
from quantmesh.risk.adapters.rpc.base import Methods, chosen
from quantmesh.risk.core.backtest import (
    DEFAULT_DAYS,
    DEFAULT_WINDOW,
    Method,
    Series,
    check_rolling,
    report,
    rolling,
)
from quantmesh.risk.core.errors import UnknownChoice
from quantmesh.risk.core.model import History

_METHODS: dict[int, Method] = {
    risk_pb2.VALUE_AT_RISK_METHOD_HISTORICAL: "historical",
    risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC: "parametric",
}


class BacktestRpc(Methods, BacktestServiceServicer):
    @requires("risk:use")
    async def Backtest(self, request: pb.BacktestRequest, context: Any) -> pb.BacktestResponse:
        match request.WhichOneof("forecasts"):
            case "rolling":
                return await self._rolling(request)
            case "series":
                answer = await asyncio.to_thread(report, _given(request.series), request.confidence, request.seed)
                return _report(answer)
            case _:
                raise UnknownChoice("profits", "must be given, or a portfolio_id or positions")

    async def _rolling(self, request: pb.BacktestRequest) -> pb.BacktestResponse:
        asked = request.rolling
        method = chosen("method", asked.method, _METHODS)
        days, window = asked.days or DEFAULT_DAYS, asked.window or DEFAULT_WINDOW
        check_rolling(days, window)
        book, history = await self._measured(asked.book, days + window + 1)

        def work() -> tuple[Series, backtest.Report]:
            series = rolling(book, history, method, request.confidence, days, window, asked.book.rate)
            return series, report(series, request.confidence, request.seed)

        series, found = await asyncio.to_thread(work)
        answer = _report(found)
        _add_series(answer, series, history)
        answer.currency = book.currency
        return answer


def _given(series: pb.ForecastSeries) -> Series:
    shortfalls = np.array(series.expected_shortfall) if series.expected_shortfall else None
    return Series(np.array(series.profits), np.array(series.value_at_risk), shortfalls)


def _add_series(answer: pb.BacktestResponse, series: Series, history: History) -> None:
    answer.series.profits.extend(series.profits.tolist())
    answer.series.value_at_risk.extend(series.value_at_risk.tolist())
    if series.expected_shortfall is not None:
        answer.series.expected_shortfall.extend(series.expected_shortfall.tolist())
    answer.dates.extend(day.isoformat() for day in series.days)
    answer.as_of.CopyFrom(to_timestamp(history.as_of))


def _report(found: backtest.Report) -> pb.BacktestResponse:
    light, shortfall = found.traffic_light, found.shortfall
    return pb.BacktestResponse(
        observations=found.observations,
        exceptions=found.exceptions,
        expected_exceptions=found.expected_exceptions,
        confidence=found.confidence,
        kupiec=_ratio(found.kupiec),
        independence=_ratio(found.independence),
        conditional_coverage=_ratio(found.conditional_coverage),
        traffic_light=pb.TrafficLight(
            zone=pb.TrafficLightZone.Value(f"TRAFFIC_LIGHT_ZONE_{light.zone.upper()}"),
            cumulative_probability=light.cumulative_probability,
            multiplier_increase=light.multiplier_increase,
        ),
        shortfall=None if shortfall is None else pb.ShortfallTest(**shortfall._asdict()),
    )


def _ratio(found: backtest.LikelihoodRatio) -> pb.LikelihoodRatio:
    return pb.LikelihoodRatio(statistic=found.statistic, p_value=found.p_value)
