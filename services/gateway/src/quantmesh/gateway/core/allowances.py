"""Requests that the shared buckets were charged with in advance, so that most are admitted without a round trip.

An allowance is part of the quota and never adds to it. What is not used in time lapses, as if it had been used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quantmesh.gateway.core.rates import Charge, Standing, Verdict


@dataclass(slots=True)
class _Allowance:
    """`ahead_seconds` is the bucket's when `granted_at`, without the `left` requests that are not used yet."""

    left: int
    ahead_seconds: float
    granted_at: float


class Allowances:
    def __init__(self, lasting_seconds: float) -> None:
        self._lasting_seconds = lasting_seconds
        # Oldest first.
        self._held: dict[str, _Allowance] = {}

    def take(self, charges: Sequence[Charge], now: float) -> Verdict | None:
        """One request of each bucket; None, and nothing is taken, where one of them has none left."""
        held = [allowance for charge in charges if (allowance := self._of(charge.bucket, now)) is not None]
        if len(held) < len(charges):
            return None
        standings = []
        for charge, allowance in zip(charges, held, strict=True):
            allowance.left -= 1
            allowance.ahead_seconds += charge.policy.interval_seconds
            ahead_seconds = allowance.ahead_seconds - (now - allowance.granted_at)
            standings.append(Standing(charge.policy, max(ahead_seconds, 0.0)))
        return Verdict(True, tuple(standings))

    def unused(self, bucket: str, now: float) -> int:
        allowance = self._of(bucket, now)
        return 0 if allowance is None else allowance.left

    def grant(self, bucket: str, requests: int, standing: Standing, now: float) -> None:
        """In place of what is left of an earlier one."""
        self._held.pop(bucket, None)
        self._held[bucket] = _Allowance(requests, standing.ahead_seconds, now)
        # The new one, which comes last, has not.
        while self._has_lapsed(self._held[oldest := next(iter(self._held))], now):
            del self._held[oldest]

    def _of(self, bucket: str, now: float) -> _Allowance | None:
        allowance = self._held.get(bucket)
        return None if allowance is None or not allowance.left or self._has_lapsed(allowance, now) else allowance

    def _has_lapsed(self, allowance: _Allowance, now: float) -> bool:
        return allowance.granted_at + self._lasting_seconds <= now
