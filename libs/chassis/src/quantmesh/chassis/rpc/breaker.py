"""A circuit breaker per peer: after failures in a row calls fail at once, and single probes test the way back."""

import time
from collections.abc import Callable

from prometheus_client import Gauge

from quantmesh.chassis.errors import Unavailable

_OPEN = Gauge("quantmesh_peer_breaker_open", "1 while calls to the peer fail at once", ["peer"])


class Breaker:
    """Opens after `threshold` failures in a row, lets a probe through every `probe_seconds`, closes on a success."""

    def __init__(
        self,
        peer: str,
        *,
        threshold: int = 5,
        probe_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peer = peer
        self._threshold = threshold
        self._probe_seconds = probe_seconds
        self._monotonic = monotonic
        self._failures = 0
        self._next_probe = 0.0
        self._gauge = _OPEN.labels(peer)
        self._gauge.set(0)

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    def admit(self) -> None:
        """Let a call through, or raise Unavailable at once."""
        if not self.is_open:
            return
        now = self._monotonic()
        if now < self._next_probe:
            msg = f"{self._peer} has failed {self._failures} times in a row; it is asked again shortly."
            raise Unavailable(msg, retry_after_seconds=self._probe_seconds, metadata={"peer": self._peer})
        self._next_probe = now + self._probe_seconds

    def succeeded(self) -> None:
        if self._failures:
            self._failures = 0
            self._gauge.set(0)

    def failed(self) -> None:
        self._failures += 1
        if self._failures == self._threshold:
            self._next_probe = self._monotonic() + self._probe_seconds
            self._gauge.set(1)
