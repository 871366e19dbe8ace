"""Anchoring as a task of the service: one turn after the other, whatever is down."""

import asyncio
import time

from prometheus_client import Counter, Gauge

from quantmesh.blockchain.adapters.store import Store
from quantmesh.blockchain.core.advance_anchoring import Anchoring, advance_anchoring
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# Well under the 5 s in which everything has to be well after a part's return.
_LONGEST_PAUSE_SECONDS = 2.0
_MEASURE_SECONDS = 10.0
_ANCHORS = Counter("quantmesh_blockchain_anchors_total", "Anchors by what became of them", ["outcome"])

_FAILURES = Counter("quantmesh_blockchain_anchoring_failures_total", "Turns of anchoring that a fault ended")
_UNANCHORED = Gauge("quantmesh_blockchain_unanchored_seconds", "Age of the oldest leaf or root that is in no block")


class AnchoringLoop:
    def __init__(self, anchoring: Anchoring, store: Store, clock: Clock, poll_seconds: float) -> None:
        self._anchoring = anchoring
        self._store = store
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._measured_at = float("-inf")
        for outcome in ("withdrawn", "confirmed"):
            # There from the start: what appears with a first one shows no increase.
            _ANCHORS.labels(outcome)

    async def run(self) -> None:
        """Until cancelled. A part that is away is waited for; all else is a bug and ends the process."""
        pause, complaint = self._poll_seconds, ""
        while True:
            try:
                await self._measure()
                await self.turn()
            except QuantmeshError as error:
                _FAILURES.inc()
                if error.detail != complaint:
                    log.warning("anchoring waits", error=error.detail)
                pause, complaint = min(2 * pause, _LONGEST_PAUSE_SECONDS), error.detail
            else:
                if complaint:
                    log.info("anchoring goes on")
                pause, complaint = self._poll_seconds, ""
            await asyncio.sleep(pause)

    async def _measure(self) -> None:
        if time.monotonic() - self._measured_at >= _MEASURE_SECONDS:
            _UNANCHORED.set(await self._store.unanchored_seconds())
            self._measured_at = time.monotonic()

    async def turn(self) -> None:
        """One turn, unless another process has it; what it decided is sent after its commit."""
        async with self._store.turn() as turn:
            if turn is None:
                return
            advance = await advance_anchoring(self._anchoring, turn, uuid7(), self._clock.now())
        if advance.withdrawn:
            log.warning("anchors fell off the chain and are sent again", anchors=advance.withdrawn)
            _ANCHORS.labels("withdrawn").inc(advance.withdrawn)
        if advance.confirmed:
            log.info("anchors confirmed", anchors=advance.confirmed)
            _ANCHORS.labels("confirmed").inc(advance.confirmed)
        if advance.refused is not None:
            raise advance.refused
        for raw in advance.broadcast:
            await self._anchoring.chain.broadcast(raw)
