"""Impose and lift halts; each is one row with its whole history, told once when imposed and once when lifted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from quantmesh.portfolio.core.errors import HaltLifted
from quantmesh.portfolio.core.halts.model import RULE, Halt, HaltKind, HaltRequest, Trip
from quantmesh.portfolio.core.record_transactions import NewId


class HaltLog(Protocol):
    """Halts in one open transaction; a change is announced with it."""

    async def in_force(self) -> Sequence[Halt]: ...

    async def add(self, halt: Halt) -> None:
        """Raises HaltInForce where one of the same kind, symbol and level is."""
        ...

    async def find(self, halt_id: UUID) -> Halt:
        """Locked until commit. Raises HaltNotFound."""
        ...

    async def lift(self, halt: Halt) -> None: ...

    async def level_taken(self, moment: datetime) -> int:
        """The highest level that the index fell by on that day of market time until `moment`; 0 where it took none."""
        ...


async def impose_halt(log: HaltLog, request: HaltRequest, by: str, now: datetime, new_id: NewId) -> Halt:
    """In force until somebody lifts it. Raises HaltInForce."""
    halt = Halt(new_id(), request.kind, request.symbol, request.cause.strip(), by, now)
    await log.add(halt)
    return halt


async def trip_breaker(log: HaltLog, trip: Trip, now: datetime, new_id: NewId) -> Halt:
    """In force until its time comes, or somebody lifts it. Raises HaltInForce."""
    halt = Halt(
        new_id(),
        HaltKind.BREAKER,
        trip.symbol,
        trip.cause,
        RULE,
        now,
        market_time=trip.market_time,
        lifts_at=trip.lifts_at,
        level=trip.level,
    )
    await log.add(halt)
    return halt


async def lift_halt(log: HaltLog, halt_id: UUID, by: str, now: datetime) -> Halt:
    """Raises HaltNotFound or HaltLifted."""
    halt = await log.find(halt_id)
    if halt.lifted_at is not None:
        raise HaltLifted(halt.id, halt.lifted_at)
    lifted = replace(halt, lifted_at=now, lifted_by=by, version=halt.version + 1)
    await log.lift(lifted)
    return lifted
