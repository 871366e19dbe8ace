"""The venue's life: one replica leads, with a book that it loads from the database and keeps level with it."""

import asyncio

import psycopg

from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.errors import Conflict, QuantmeshError, Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.bus import BROKER_FAULTS
from quantmesh.chassis.leadership import while_leading
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.venue.breakers import Breakers
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.adapters.venue.term import Term

log = get_logger(__name__)

_RETRY_SECONDS = 0.5
_FAULTS = (psycopg.Error, TimeoutError, Unavailable, Conflict, *BROKER_FAULTS)


class VenueRunner:
    """Runs in every replica. Each fault ends the term: the book is dropped, and loaded again by whoever leads next."""

    def __init__(self, bus: EventBus, desk: OrderDesk, breakers: Breakers) -> None:
        self._bus = bus
        self._desk = desk
        self._breakers = breakers

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            raise_if_cancelled()
            try:
                await while_leading(self._desk.database, "venue", self._lead)
            except* _FAULTS as faults:
                log.warning("the venue waits", error=_worded(faults))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _lead(self) -> None:
        await Term(self._bus, self._desk, self._breakers).run()


def _worded(faults: BaseExceptionGroup[BaseException]) -> str:
    fault: BaseException = faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault.detail if isinstance(fault, QuantmeshError) else repr(fault)
