"""What risk noticed of an account becomes an event of the account's own log (NEW-7)."""

import json
from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import AlertRaised
from quantmesh.api.risk.v1.events_pb2 import LimitBreached, LimitCleared
from quantmesh.api.risk.v1.limits_pb2 import LimitRule, LimitState
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.events import Consumer
from quantmesh.chassis.sql import Session
from quantmesh.chassis.times import from_timestamp
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.errors import PortfolioNotFound

_SUBJECT = "portfolio.alert.raised"
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RiskAlerts:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def consumers(self) -> list[Consumer[LimitBreached] | Consumer[LimitCleared]]:
        return [
            Consumer(
                "risk-breaches",
                subject="qm.risk.limit.breached",
                message=LimitBreached,
                handle=self._breached,
                as_owner=True,
            ),
            Consumer(
                "risk-clearances",
                subject="qm.risk.limit.cleared",
                message=LimitCleared,
                handle=self._cleared,
                as_owner=True,
            ),
        ]

    async def _breached(self, session: Session, envelope: EventEnvelope, message: LimitBreached) -> None:
        await self._log(session, envelope, "risk.limit_breached", message)

    async def _cleared(self, session: Session, envelope: EventEnvelope, message: LimitCleared) -> None:
        await self._log(session, envelope, "risk.limit_cleared", message)

    async def _log(
        self, session: Session, envelope: EventEnvelope, kind: str, message: LimitBreached | LimitCleared
    ) -> None:
        store = Store(session, UUID(envelope.owner_id))
        try:
            portfolio, recorded_at = await store.advance(UUID(message.portfolio_id), 1, self._clock.now())
        except PortfolioNotFound:
            # Closed meanwhile: nobody reads its log any more.
            return
        event = AccountEvent(
            portfolio_id=portfolio.id,
            seq=portfolio.seq,
            type=kind,
            time=from_timestamp(message.as_of if message.HasField("as_of") else envelope.occurred_at),
            recorded_at=recorded_at,
            data=_dump(_told(message)),
        )
        await store.tell(event, _SUBJECT, AlertRaised(event=translate.account_event(event)))


def _told(message: LimitBreached | LimitCleared) -> dict[str, object]:
    """The limit and what was measured, under the names that the limits themselves are shown with."""
    measured = message.utilisation
    limit = measured.limit
    return {
        "portfolio_id": message.portfolio_id,
        "rule": LimitRule.Name(limit.rule).removeprefix("LIMIT_RULE_").lower(),
        "limit": limit.limit.value or None,
        "warning": limit.warning.value or None,
        "symbol": limit.symbol or None,
        "value": measured.value.value or None,
        "utilisation": measured.utilisation if measured.HasField("utilisation") else None,
        "state": LimitState.Name(measured.state).removeprefix("LIMIT_STATE_").lower(),
        "largest": measured.symbol or None,
        "reason": measured.reason or None,
        "definition_version": message.definition_version,
    }
