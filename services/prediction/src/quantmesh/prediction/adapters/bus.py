"""JetStream in: bars that become known after their day void what was cached for their symbol."""

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis.events import Consumer
from quantmesh.chassis.sql import Session
from quantmesh.prediction.adapters.forecast_cache import ForecastCache


def bars_consumer(cache: ForecastCache) -> Consumer[BarsIngested]:
    async def handle(_session: Session, _envelope: EventEnvelope, message: BarsIngested) -> None:
        await cache.drop(message.symbol)

    return Consumer("drop-forecasts", subject="qm.market.bars.ingested", message=BarsIngested, handle=handle)
