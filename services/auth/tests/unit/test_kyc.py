"""The rules of KYC decisions, over a list."""

import uuid
from datetime import UTC, datetime
from uuid import UUID

import pytest

from quantmesh.auth.core import kyc
from quantmesh.auth.core.errors import InvalidReason, KycVersionMismatch, NotSubmittable, OwnKyc
from quantmesh.auth.core.model import SCOPES_BY_ROLE, KycDecision, KycStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADA, OFFICER = uuid.uuid4(), uuid.uuid4()


class KeptDecisions:
    def __init__(self) -> None:
        self.kept: list[KycDecision] = []

    async def latest_kyc(self, user_id: UUID) -> KycDecision | None:
        return next((each for each in reversed(self.kept) if each.user_id == user_id), None)

    async def add_kyc(self, decision: KycDecision) -> None:
        self.kept.append(decision)


async def decided(
    kept: KeptDecisions, status: KycStatus, reason: str = "papers seen", *, expected: int | None = None
) -> KycDecision:
    return await kyc.decide(kept, ADA, status, reason, expected_version=expected, decided_by=OFFICER, now=NOW)


async def test_a_user_asks_once_and_asking_again_adds_nothing() -> None:
    kept = KeptDecisions()
    asked = await kyc.submit(kept, ADA, NOW)
    assert (asked.status, asked.version, asked.decided_by) == (KycStatus.PENDING, 1, ADA)
    assert await kyc.submit(kept, ADA, NOW) == asked
    assert len(kept.kept) == 1


@pytest.mark.parametrize("status", [KycStatus.APPROVED, KycStatus.REJECTED, KycStatus.SUSPENDED])
async def test_what_an_officer_decided_is_not_the_users_to_reopen(status: KycStatus) -> None:
    kept = KeptDecisions()
    await decided(kept, status)
    with pytest.raises(NotSubmittable):
        await kyc.submit(kept, ADA, NOW)
    await decided(kept, KycStatus.UNVERIFIED, "asked to start anew")
    assert (await kyc.submit(kept, ADA, NOW)).version == 3


async def test_nobody_decides_on_themself_and_no_decision_lacks_its_reason() -> None:
    kept = KeptDecisions()
    with pytest.raises(OwnKyc):
        await kyc.decide(kept, ADA, KycStatus.APPROVED, "it is me", expected_version=None, decided_by=ADA, now=NOW)
    for reason in ("", "   ", "x" * 501, "bell\x07"):
        with pytest.raises(InvalidReason):
            await decided(kept, KycStatus.APPROVED, reason)
    assert not kept.kept


async def test_a_decision_on_an_older_version_is_refused() -> None:
    kept = KeptDecisions()
    await decided(kept, KycStatus.PENDING, expected=0)
    with pytest.raises(KycVersionMismatch, match="version 1, not 0"):
        await decided(kept, KycStatus.APPROVED, expected=0)
    assert (await decided(kept, KycStatus.APPROVED, expected=1)).version == 2


def test_only_operators_and_compliance_may_decide() -> None:
    assert {role for role, scopes in SCOPES_BY_ROLE.items() if "compliance:manage" in scopes} == {
        "compliance",
        "operator",
    }
