"""Published forecasts from JetStream, fanned out to the stream."""

import orjson
from google.protobuf.message import DecodeError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.prediction.v1.events_pb2 import ForecastPublished
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.stream.topic import Topic
from quantmesh.gateway.translation.predictions import forecast

log = get_logger(__name__)

SUBJECT = "qm.prediction.forecast.published"


class ForecastFeed:
    def __init__(self, numbered_from: int = 0) -> None:
        self._numbered_from = numbered_from
        self._topics: dict[str, Topic] = {}

    def topic(self, symbol: str) -> Topic:
        topic = self._topics.get(symbol)
        if topic is None:
            topic = self._topics[symbol] = Topic(f"predictions.{symbol}", self._numbered_from)
        return topic

    async def handle(self, envelope: EventEnvelope) -> None:
        try:
            message = ForecastPublished.FromString(envelope.payload).forecast
        except DecodeError:
            log.error("an event is no forecast", event_id=envelope.event_id)
            return
        shown = forecast(message)
        self.topic(message.symbol).publish(
            shown["published_at"] or "", "forecast.published", orjson.dumps(shown).decode()
        )
