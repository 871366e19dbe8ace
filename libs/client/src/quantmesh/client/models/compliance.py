"""Whether it is known who a user is."""

from datetime import datetime

from quantmesh.client.models.base import Answer, Page


class Kyc(Answer):
    """`status` is unverified, pending, approved, rejected or suspended; unverified at version 0 without a decision."""

    user_id: str
    status: str
    reason: str | None
    decided_at: datetime | None
    version: int


class KycDecision(Answer):
    status: str
    reason: str
    decided_by: str
    decided_at: datetime | None
    version: int


class KycHistory(Kyc, Page[KycDecision]):
    """The latest decision first."""
