"""Events out: limits that were breached, and those that were cleared."""

from datetime import datetime
from uuid import UUID

from quantmesh.api.risk.v1.events_pb2 import LimitBreached, LimitCleared
from quantmesh.chassis import outbox
from quantmesh.chassis.sql import Session
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.limits.translate import utilisation_to
from quantmesh.risk.core.limits.utilisation import Crossings, Utilisation
from quantmesh.risk.core.limits.watch import Definition

LIMIT_BREACHED = "risk.limit.breached"
LIMIT_CLEARED = "risk.limit.cleared"


async def tell(session: Session, definition: Definition, found: Crossings, owner_id: UUID, as_of: datetime) -> None:
    """With the states that they end in; `as_of` is market time."""

    async def append(subject: str, message: type[LimitBreached | LimitCleared], each: Utilisation) -> None:
        await outbox.append(
            session,
            subject,
            message(
                portfolio_id=str(definition.portfolio_id),
                utilisation=utilisation_to(each),
                definition_version=definition.version,
                as_of=to_timestamp(as_of),
            ),
            aggregate_id=definition.portfolio_id,
            owner_id=owner_id,
            occurred_at=as_of,
        )

    for each in found.breached:
        await append(LIMIT_BREACHED, LimitBreached, each)
    for each in found.cleared:
        await append(LIMIT_CLEARED, LimitCleared, each)
