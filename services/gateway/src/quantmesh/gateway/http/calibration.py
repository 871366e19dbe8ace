"""/options: models and surfaces from market quotes."""

from quantmesh.api.pricing.v1.calibration_pb2_grpc import CalibrationServiceStub
from quantmesh.api.pricing.v1.surface_pb2_grpc import SurfaceServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, ok
from quantmesh.gateway.http.models import calibration as models
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import calibration as translation

_BODY_BYTES = 1024 * 1024
_SECONDS = 15.0


class Calibration:
    def __init__(self, pricing: Peer) -> None:
        self._pricing = pricing
        self._calibration = CalibrationServiceStub(pricing.channel)
        self._surface = SurfaceServiceStub(pricing.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/options", "options")
        for path, handler, summary, answer in (
            ("/calibrate", self.calibrate, "A model's parameters from market quotes", models.CalibrationShown),
            ("/surface", self.surface, "A volatility surface without arbitrage, with its margins", models.SurfaceShown),
            (
                "/local-volatility",
                self.local_volatility,
                "The diffusion that reprices a surface, and prices on its grid",
                models.LocalVolatilityShown,
            ),
        ):
            operations.add(
                "POST",
                path,
                handler,
                summary=summary,
                scope="pricing:use",
                answer=answer,
                takes_body=True,
                body_limit_bytes=_BODY_BYTES,
                deadline_seconds=_SECONDS,
            )
        return operations

    async def calibrate(self, body: models.CalibrateBody) -> Answer:
        request = translation.calibrate_request(body)
        answer = await self._pricing.call(self._calibration.Calibrate, request, timeout_seconds=_SECONDS)
        return ok(translation.calibration(answer))

    async def surface(self, body: models.SurfaceBody) -> Answer:
        request = translation.surface_request(body)
        answer = await self._pricing.call(self._surface.FitSurface, request, timeout_seconds=_SECONDS)
        return ok(translation.surface(answer))

    async def local_volatility(self, body: models.LocalVolatilityBody) -> Answer:
        request = translation.local_volatility_request(body)
        answer = await self._pricing.call(self._surface.LocalVolatility, request, timeout_seconds=_SECONDS)
        return ok(translation.local_volatility(answer))
