"""SQL of KYC decisions, on one open transaction."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from psycopg import IntegrityError

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.api.auth.v1.events_pb2 import KycDecided
from quantmesh.auth.core.errors import KycDecidedMeanwhile
from quantmesh.auth.core.model import KycDecision, KycStatus
from quantmesh.chassis import outbox
from quantmesh.chassis.sql import Row, Session, text

KYC_STATUSES = {
    pb.KYC_STATUS_UNVERIFIED: KycStatus.UNVERIFIED,
    pb.KYC_STATUS_PENDING: KycStatus.PENDING,
    pb.KYC_STATUS_APPROVED: KycStatus.APPROVED,
    pb.KYC_STATUS_REJECTED: KycStatus.REJECTED,
    pb.KYC_STATUS_SUSPENDED: KycStatus.SUSPENDED,
}
KYC_NUMBERS = {status: number for number, status in KYC_STATUSES.items()}
_SUBJECT = "auth.kyc.decided"
_UNTOLD = text(
    f"""
    SELECT DISTINCT ON (d.owner_id) d.* FROM kyc_decision AS d
    LEFT JOIN outbox_version AS told ON told.subject = '{_SUBJECT}' AND told.aggregate_id = d.owner_id::text
    WHERE d.decided_at >= :since AND d.version > coalesce(told.version, 0)
    ORDER BY d.owner_id, d.version DESC
    """  # noqa: S608  our own subject
)
_HISTORY = text(
    "SELECT * FROM kyc_decision WHERE owner_id = :user_id"
    " AND (CAST(:before AS bigint) IS NULL OR version < CAST(:before AS bigint)) ORDER BY version DESC LIMIT :limit"
)
_ADD = text(
    "INSERT INTO kyc_decision (owner_id, version, status, reason, decided_by, decided_at)"
    " VALUES (:user_id, :version, :status, :reason, :decided_by, :decided_at)"
)


class KycStore:
    """KycDecisions of the core's ports."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def latest_kyc(self, user_id: UUID) -> KycDecision | None:
        return next(iter(await self.kyc_history(user_id, None, 1)), None)

    async def kyc_history(self, user_id: UUID, before: int | None, limit: int) -> list[KycDecision]:
        """The latest first."""
        found = await self._session.execute(_HISTORY, {"user_id": user_id, "before": before, "limit": limit})
        return [_decision(row) for row in found]

    async def add_kyc(self, decision: KycDecision) -> None:
        """And tell of it."""
        try:
            await self._session.execute(
                _ADD,
                {
                    "user_id": decision.user_id,
                    "version": decision.version,
                    "status": decision.status.value,
                    "reason": decision.reason,
                    "decided_by": decision.decided_by,
                    "decided_at": decision.decided_at,
                },
            )
        except IntegrityError as error:
            # The user is there: it was looked up in this transaction, and accounts are not removed.
            raise KycDecidedMeanwhile from error
        await self._tell(decision)

    async def tell_untold(self, since: datetime) -> None:
        """Of each user whom the last decision since then was not told of: a release before told of none."""
        for row in await self._session.execute(_UNTOLD, {"since": since}):
            decision = _decision(row)
            # Another replica was first.
            with suppress(ValueError):
                await self._tell(decision)

    async def _tell(self, decision: KycDecision) -> None:
        await outbox.append(
            self._session,
            _SUBJECT,
            KycDecided(user_id=str(decision.user_id), status=KYC_NUMBERS[decision.status]),
            aggregate_id=decision.user_id,
            aggregate_version=decision.version,
            owner_id=decision.user_id,
            occurred_at=decision.decided_at,
        )


def _decision(row: Row) -> KycDecision:
    return KycDecision(row.owner_id, row.version, KycStatus(row.status), row.reason, row.decided_by, row.decided_at)
