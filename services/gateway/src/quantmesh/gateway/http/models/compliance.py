"""KYC: bodies and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, StringConstraints

from quantmesh.gateway.http.models.base import PRINTABLE, Body, Shown, ShownInstant

KycStatus = Literal["unverified", "pending", "approved", "rejected", "suspended"]


class KycDecisionBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "approved", "reason": "Passport and address seen."}]}
    )

    status: KycStatus
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=PRINTABLE)]


class KycShown(Shown):
    """Without any decision a user is unverified, at version 0."""

    user_id: str
    status: KycStatus
    reason: str | None
    decided_at: ShownInstant | None
    version: int


class KycDecisionShown(Shown):
    """`decided_by` is the user where it asked to be looked at."""

    status: KycStatus
    reason: str
    decided_by: str
    decided_at: ShownInstant | None
    version: int


class KycHistoryShown(KycShown):
    """The latest decision first."""

    data: list[KycDecisionShown]
    next_cursor: str | None
