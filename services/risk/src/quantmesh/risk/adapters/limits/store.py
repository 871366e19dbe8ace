"""SQL of limits, on one open transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import IntegrityError

from quantmesh.chassis.sql import Asked, Result, Row, Session, text
from quantmesh.risk.core.errors import SetMeanwhile
from quantmesh.risk.core.limits.definition import Limit, Rule
from quantmesh.risk.core.limits.utilisation import State
from quantmesh.risk.core.limits.watch import Definition

_DEFINITION = text(
    "SELECT * FROM limit_definition WHERE portfolio_id = :portfolio_id"
    " AND (CAST(:known_at AS timestamptz) IS NULL OR recorded_at <= CAST(:known_at AS timestamptz))"
    " ORDER BY version DESC LIMIT 1"
)
_ADD = text(
    "INSERT INTO limit_definition (portfolio_id, version, owner_id, recorded_at, limits)"
    " VALUES (:portfolio_id, :version, :owner_id, :recorded_at, CAST(:limits AS jsonb))"
)
_WATCH = text(
    "INSERT INTO limit_watch (portfolio_id, owner_id, due_at) VALUES (:portfolio_id, :owner_id, :now)"
    " ON CONFLICT (portfolio_id) DO UPDATE SET due_at = excluded.due_at"
)
_FORGET = text("DELETE FROM limit_watch WHERE portfolio_id = :portfolio_id")
# Also where it is due already: whoever measures it now may have read the account before.
_HASTEN = text("UPDATE limit_watch SET due_at = now() WHERE portfolio_id = ANY(CAST(:portfolio_ids AS uuid[]))")
_DUE = text("SELECT portfolio_id, owner_id, due_at FROM limit_watch WHERE due_at <= now() ORDER BY due_at LIMIT :limit")
_LOCK = text("SELECT portfolio_id FROM limit_watch WHERE portfolio_id = :portfolio_id FOR UPDATE")
# What became due again meanwhile stays due.
_PUT_OFF = text(
    "UPDATE limit_watch SET due_at = now() + :delay WHERE portfolio_id = :portfolio_id AND due_at = :due_at"
)
_STATES = text("SELECT key, state FROM limit_state WHERE portfolio_id = :portfolio_id")
_KEEP_STATES = text(
    """
    WITH kept AS (
        INSERT INTO limit_state AS s (portfolio_id, key, owner_id, state, changed_at)
        SELECT :portfolio_id, key, :owner_id, value, :now FROM jsonb_each_text(CAST(:states AS jsonb))
        ON CONFLICT (portfolio_id, key) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
        WHERE s.state <> excluded.state
    )
    DELETE FROM limit_state WHERE portfolio_id = :portfolio_id AND NOT CAST(:states AS jsonb) ? key
    """
)


@dataclass(frozen=True, slots=True)
class Due:
    """A portfolio whose limits have to be measured, and since when."""

    portfolio_id: UUID
    owner_id: UUID
    due_at: datetime


def definition_question(portfolio_id: UUID, known_at: datetime | None = None) -> Asked:
    return _DEFINITION, {"portfolio_id": portfolio_id, "known_at": known_at}


def definition_of(portfolio_id: UUID, found: Result) -> Definition:
    row = found.one_or_none()
    return Definition(portfolio_id) if row is None else _definition(row)


class LimitStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def definition(self, portfolio_id: UUID, known_at: datetime | None = None) -> Definition:
        """The last that was recorded up to `known_at`."""
        return definition_of(portfolio_id, await self._session.execute(*definition_question(portfolio_id, known_at)))

    async def add_definition(self, definition: Definition, owner_id: UUID) -> None:
        """Raises SetMeanwhile where there is one of this version."""
        values = {
            "portfolio_id": definition.portfolio_id,
            "version": definition.version,
            "owner_id": owner_id,
            "recorded_at": definition.recorded_at,
            "limits": json.dumps([asdict(limit) for limit in definition.limits], default=str),
        }
        try:
            await self._session.execute(_ADD, values)
        except IntegrityError as error:
            raise SetMeanwhile from error

    async def watch(self, portfolio_id: UUID, owner_id: UUID, now: datetime) -> None:
        """From now on, and at once."""
        await self._session.execute(_WATCH, {"portfolio_id": portfolio_id, "owner_id": owner_id, "now": now})

    async def forget(self, portfolio_id: UUID) -> None:
        """Nothing is watched any more, and no state is known."""
        await self._session.execute(_FORGET, {"portfolio_id": portfolio_id})

    async def hasten(self, portfolio_ids: Collection[UUID]) -> None:
        await self._session.execute(_HASTEN, {"portfolio_ids": list(portfolio_ids)})

    async def due(self, limit: int) -> list[Due]:
        """Of all owners, the longest waiting first."""
        found = await self._session.execute(_DUE, {"limit": limit})
        return [Due(row.portfolio_id, row.owner_id, row.due_at) for row in found]

    async def put_off(self, due: Due, delay: timedelta) -> None:
        await self._session.execute(_PUT_OFF, {"portfolio_id": due.portfolio_id, "due_at": due.due_at, "delay": delay})

    async def lock_states(self, portfolio_id: UUID) -> Mapping[str, State] | None:
        """By the limits' keys, locked until commit; None where nobody watches any more."""
        if await self._session.scalar(_LOCK, {"portfolio_id": portfolio_id}) is None:
            return None
        found = await self._session.execute(_STATES, {"portfolio_id": portfolio_id})
        return {row.key: State(row.state) for row in found}

    async def keep_states(self, portfolio_id: UUID, owner_id: UUID, states: Mapping[str, State], now: datetime) -> None:
        """These and no others."""
        values = {
            "portfolio_id": portfolio_id,
            "owner_id": owner_id,
            "states": json.dumps(states),
            "now": now,
        }
        await self._session.execute(_KEEP_STATES, values)


def _definition(row: Row) -> Definition:
    return Definition(row.portfolio_id, row.version, row.recorded_at, _limits(row.limits))


def _limits(kept: Sequence[Mapping[str, Any]]) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            **{
                **each,
                "rule": Rule(each["rule"]),
                "limit": Decimal(each["limit"]),
                "warning": None if each["warning"] is None else Decimal(each["warning"]),
            }
        )
        for each in kept
    )
