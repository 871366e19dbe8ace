"""CalibrationService over gRPC."""

import asyncio
from typing import Any

from grpc.aio import ServicerContext

from quantmesh.api.pricing.v1 import calibration_pb2 as pb
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.pricing.v1.calibration_pb2_grpc import CalibrationServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.pricing.adapters import metrics
from quantmesh.pricing.adapters.quotes import market_quotes
from quantmesh.pricing.adapters.translate import model_name
from quantmesh.pricing.core.calibrate_model import calibrate_model
from quantmesh.quant.calibration import Calibration

_CONFIDENCE = 0.95


class CalibrationRpc(CalibrationServiceServicer):
    @requires("pricing:use")
    async def Calibrate(self, request: pb.CalibrateRequest, context: ServicerContext[Any, Any]) -> pb.CalibrateResponse:
        found = await asyncio.to_thread(_calibrated, request)
        return _response(request.model or pricing_pb2.MODEL_BLACK_SCHOLES, found)


def _calibrated(request: pb.CalibrateRequest) -> Calibration:
    market = market_quotes(request.quotes, request.spot, request.rate, request.dividend_yield)
    model = model_name(request.model)
    found = calibrate_model(model, market, dict(request.fixed), request.confidence or _CONFIDENCE)
    metrics.CALIBRATION_ERROR.labels(model).observe(found.rmse)
    return found


def _response(model: pricing_pb2.Model.ValueType, found: Calibration) -> pb.CalibrateResponse:
    return pb.CalibrateResponse(
        model=model,
        parameters=[_parameter(found, name) for name in found.parameters],
        residuals=found.residuals,
        price_residuals=found.price_residuals,
        rmse=found.rmse,
        price_rmse=found.price_rmse,
        iterations=found.iterations,
        converged=found.converged,
        seconds=found.seconds,
        confidence=found.confidence,
    )


def _parameter(found: Calibration, name: str) -> pb.FittedParameter:
    interval = found.intervals.get(name)
    return pb.FittedParameter(
        name=name,
        value=found.parameters[name],
        lower=None if interval is None else interval.lower,
        upper=None if interval is None else interval.upper,
        at_bound=name in found.binding,
    )
