"""Rate limits of every request: by address, by user and tier, and tighter ones for guessing passwords (GW-3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from quantmesh.gateway.adapters.limiter import RateLimiter
from quantmesh.gateway.core.addresses import counted_as
from quantmesh.gateway.core.errors import RateLimited
from quantmesh.gateway.core.rates import Charge, Policy, Verdict, limit_header, policy_header
from quantmesh.gateway.http.edge import Edge, Header, edge_of

# Probes come every second, from everywhere, and cost nothing.
_FREE = frozenset({"/healthz", "/readyz", "/metrics"})
_SIGN_IN = frozenset({"/api/v2/auth/login", "/api/v2/auth/register"})


@dataclass(frozen=True, slots=True)
class LimitPolicies:
    """`stranger`: an address without a valid credential; `tiers`: per user, by subscription."""

    address: Policy
    stranger: Policy
    sign_in: Policy
    tiers: Mapping[str, Policy]
    default_tier: Policy


class Limits:
    """What a request is charged, and the headers that tell it."""

    def __init__(self, limiter: RateLimiter, policies: LimitPolicies) -> None:
        self._limiter = limiter
        self._policies = policies

    async def charge(self, edge: Edge, path: str) -> None:
        """Raises RateLimited."""
        policies = self._policies
        address = counted_as(edge.address)
        charges = [Charge(policies.address, address)]
        caller = edge.caller
        if caller is not None:
            charges.append(Charge(policies.tiers.get(caller.tier, policies.default_tier), caller.subject))
        else:
            charges.append(Charge(policies.stranger, address))
        if path in _SIGN_IN:
            charges.append(Charge(policies.sign_in, address))
        self._apply(edge, await self._limiter.decide(charges))

    async def charge_stranger(self, edge: Edge) -> None:
        """Before somebody else is asked whether a credential is any good."""
        charge = Charge(self._policies.stranger, counted_as(edge.address))
        self._apply(edge, await self._limiter.decide([charge]))

    def _apply(self, edge: Edge, verdict: Verdict) -> None:
        edge.answer_headers = [
            _policy_header(tuple(standing.policy for standing in verdict.standings)),
            (b"ratelimit", limit_header(verdict.standings).encode("ascii")),
        ]
        if not verdict.admitted:
            binding = verdict.binding
            raise RateLimited(
                binding.policy.name, binding.policy.quota, binding.policy.window_seconds, binding.retry_after_seconds
            )


@lru_cache(maxsize=64)
def _policy_header(policies: tuple[Policy, ...]) -> Header:
    return b"ratelimit-policy", policy_header(policies).encode("ascii")


class RateLimiting:
    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"] not in _FREE:
            await self._limits.charge(edge_of(scope), scope["path"])
        await self._app(scope, receive, send)
