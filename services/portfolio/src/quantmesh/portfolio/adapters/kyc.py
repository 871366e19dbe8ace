"""What auth says of who an owner is (KYC), and which of that lets nobody trade."""

from collections.abc import Collection
from uuid import UUID

from quantmesh.api.auth.v1.compliance_pb2 import Kyc, KycStatus
from quantmesh.api.auth.v1.events_pb2 import KycDecided
from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer
from quantmesh.chassis.sql import Asked, Session, text

# The latest decision counts, in whatever order they are heard of.
_REMEMBER = text(
    """
    INSERT INTO owner_kyc AS v (owner_id, version, status) VALUES (:owner_id, :version, :status)
    ON CONFLICT (owner_id) DO UPDATE SET version = excluded.version, status = excluded.status, heard_at = now()
    WHERE excluded.version > v.version
    """
)
_UNDECIDED = frozenset({KycStatus.KYC_STATUS_UNVERIFIED, KycStatus.KYC_STATUS_PENDING})


def may_trade(status: "KycStatus.ValueType", *, approval_is_required: bool) -> bool:
    return status == KycStatus.KYC_STATUS_APPROVED or (not approval_is_required and status in _UNDECIDED)


def status_name(status: "KycStatus.ValueType") -> str:
    return KycStatus.Name(status).removeprefix("KYC_STATUS_").lower()


def barring(*, approval_is_required: bool) -> Collection[str]:
    """The names of statuses that let nobody trade."""
    return [
        status_name(status)
        for status in KycStatus.values()
        if status and not may_trade(status, approval_is_required=approval_is_required)
    ]


def kyc_decisions() -> Consumer[KycDecided]:
    return Consumer("kyc-decisions", subject="qm.auth.kyc.decided", message=KycDecided, handle=_remember, as_owner=True)


async def _remember(session: Session, envelope: EventEnvelope, message: KycDecided) -> None:
    await session.execute(*_remembered(UUID(message.user_id), envelope.aggregate_version, message.status))


async def remember_told(database: Database, owner_id: UUID, kyc: Kyc) -> None:
    """As auth answers it, which its event may be behind: what rests by that is not cancelled for what was before."""
    await database.at_once(owner_id, *_remembered(owner_id, kyc.version, kyc.status))


def _remembered(owner_id: UUID, version: int, status: "KycStatus.ValueType") -> Asked:
    return _REMEMBER, {"owner_id": owner_id, "version": version, "status": status_name(status)}
