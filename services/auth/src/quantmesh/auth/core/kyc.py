"""Whether it is known who a user is: a status with its history (AUTH-8)."""

from datetime import datetime
from uuid import UUID

from quantmesh.auth.core.errors import InvalidReason, KycVersionMismatch, NotSubmittable, OwnKyc
from quantmesh.auth.core.model import KycDecision, KycStatus
from quantmesh.auth.core.ports import KycDecisions

REASON_LIMIT = 500


async def submit(decisions: KycDecisions, user_id: UUID, now: datetime) -> KycDecision:
    """The user asks to be looked at; once asked, asking again changes nothing. Raises NotSubmittable."""
    latest = await decisions.latest_kyc(user_id)
    if latest is not None and latest.status is KycStatus.PENDING:
        return latest
    if latest is not None and latest.status is not KycStatus.UNVERIFIED:
        raise NotSubmittable(latest.status)
    asked = KycDecision(user_id, _next(latest), KycStatus.PENDING, "submitted by the user", user_id, now)
    await decisions.add_kyc(asked)
    return asked


async def decide(
    decisions: KycDecisions,
    user_id: UUID,
    status: KycStatus,
    reason: str,
    *,
    expected_version: int | None,
    decided_by: UUID,
    now: datetime,
) -> KycDecision:
    """From any status to any other: an office may correct itself, and every step stays in the history.

    Raises OwnKyc, InvalidReason or KycVersionMismatch.
    """
    if user_id == decided_by:
        raise OwnKyc
    trimmed = reason.strip()
    if not 1 <= len(trimmed) <= REASON_LIMIT or not trimmed.isprintable():
        raise InvalidReason(len(trimmed), REASON_LIMIT)
    latest = await decisions.latest_kyc(user_id)
    version = 0 if latest is None else latest.version
    if expected_version is not None and expected_version != version:
        raise KycVersionMismatch(expected_version, version)
    decision = KycDecision(user_id, version + 1, status, trimmed, decided_by, now)
    await decisions.add_kyc(decision)
    return decision


def _next(latest: KycDecision | None) -> int:
    return 1 if latest is None else latest.version + 1
