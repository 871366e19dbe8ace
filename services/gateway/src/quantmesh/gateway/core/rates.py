"""Rate limits by the generic cell rate algorithm, and how the RateLimit headers word them (GW-3).

A bucket holds one number, the theoretical arrival time: the instant at which it would be empty again. A request
moves it on by `window / quota`; it may stand at most one window ahead of now, so the burst is the quota.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests in `window_seconds`, under a name that clients see."""

    name: str
    quota: int
    window_seconds: int

    @property
    def interval_seconds(self) -> float:
        return self.window_seconds / self.quota


@dataclass(frozen=True, slots=True)
class Charge:
    """One bucket that a request draws on; `key` tells addresses and users apart within the policy."""

    policy: Policy
    key: str

    @property
    def bucket(self) -> str:
        return f"{self.policy.name}:{self.key}"


@dataclass(frozen=True, slots=True)
class Standing:
    """A bucket after (or, where refused, before) the request: `ahead_seconds` until it is empty again."""

    policy: Policy
    ahead_seconds: float

    @property
    def remaining(self) -> int:
        return max(
            0, math.floor((self.policy.window_seconds - self.ahead_seconds) / self.policy.interval_seconds + 1e-9)
        )

    @property
    def retry_after_seconds(self) -> float:
        """Until one more request fits."""
        return max(0.0, self.ahead_seconds + self.policy.interval_seconds - self.policy.window_seconds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is admitted; a refused one has drawn on no bucket."""

    admitted: bool
    standings: tuple[Standing, ...]

    @property
    def binding(self) -> Standing:
        """The bucket that refused, or the one that would refuse first."""
        return max(self.standings, key=lambda standing: (standing.retry_after_seconds, -standing.remaining))


class LocalBuckets:
    """The same limits in this process alone, for when the shared store cannot answer."""

    def __init__(self, maximum_buckets: int = 100_000) -> None:
        self._arrival: OrderedDict[str, float] = OrderedDict()
        self._maximum_buckets = maximum_buckets

    def decide(self, charges: Sequence[Charge], now: float) -> Verdict:
        ahead = [max(self._arrival.get(charge.bucket, now) - now, 0.0) for charge in charges]
        admitted = all(
            seconds + charge.policy.interval_seconds <= charge.policy.window_seconds + 1e-9
            for seconds, charge in zip(ahead, charges, strict=True)
        )
        if admitted:
            ahead = [seconds + charge.policy.interval_seconds for seconds, charge in zip(ahead, charges, strict=True)]
            for seconds, charge in zip(ahead, charges, strict=True):
                self._arrival[charge.bucket] = now + seconds
                self._arrival.move_to_end(charge.bucket)
            while len(self._arrival) > self._maximum_buckets:
                self._arrival.popitem(last=False)
        return Verdict(
            admitted,
            tuple(Standing(charge.policy, seconds) for charge, seconds in zip(charges, ahead, strict=True)),
        )


def policy_header(policies: Sequence[Policy]) -> str:
    """RateLimit-Policy, as draft-ietf-httpapi-ratelimit-headers has it."""
    return ", ".join(f'"{policy.name}";q={policy.quota};w={policy.window_seconds}' for policy in policies)


def limit_header(standings: Sequence[Standing]) -> str:
    """RateLimit: what is left, and the seconds until it is all back."""
    return ", ".join(
        f'"{standing.policy.name}";r={standing.remaining};t={math.ceil(standing.ahead_seconds)}'
        for standing in standings
    )
