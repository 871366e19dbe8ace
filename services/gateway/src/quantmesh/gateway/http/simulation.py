"""/options/monte-carlo: prices by simulation, long ones as jobs."""

from dataclasses import replace

from quantmesh.api.pricing.v1.simulation_pb2_grpc import SimulationServiceStub
from quantmesh.chassis.errors import InvalidInput
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, ok, replayed
from quantmesh.gateway.http.jobs import accepted_job
from quantmesh.gateway.http.models import simulation as models
from quantmesh.gateway.http.models.jobs import JobShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import simulation as translation
from quantmesh.gateway.translation.common import struct
from quantmesh.gateway.translation.jobs import whole

_SECONDS = 15.0


class Simulation:
    def __init__(self, pricing: Peer) -> None:
        self._pricing = pricing
        self._stub = SimulationServiceStub(pricing.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/options", "options")
        operations.add(
            "POST",
            "/monte-carlo",
            self.simulate,
            summary="Price a payoff by simulation, with its standard error; long work is a job",
            scope="pricing:use",
            answer=models.SimulationShown,
            job=JobShown,
            idempotency="optional",
            takes_body=True,
            deadline_seconds=_SECONDS,
        )
        return operations

    async def simulate(self, body: models.MonteCarloBody) -> Answer:
        request = translation.simulate_request(body)
        try:
            answer, again = await self._pricing.call_replayable(self._stub.Simulate, request, timeout_seconds=_SECONDS)
        except InvalidInput as error:
            error.violations = tuple(
                replace(each, field=translation.place(each.field, body)) for each in error.violations
            )
            raise
        if answer.HasField("job"):
            return accepted_job(answer.job, replayed(again))
        return ok(whole(struct(answer.simulation)))
