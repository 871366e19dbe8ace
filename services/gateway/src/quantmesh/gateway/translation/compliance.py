"""KYC: messages to JSON."""

from typing import Any

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.gateway.translation.common import instant, inverse, next_cursor

STATUSES = {
    "unverified": pb.KYC_STATUS_UNVERIFIED,
    "pending": pb.KYC_STATUS_PENDING,
    "approved": pb.KYC_STATUS_APPROVED,
    "rejected": pb.KYC_STATUS_REJECTED,
    "suspended": pb.KYC_STATUS_SUSPENDED,
}
_STATUS_NAMES = inverse(STATUSES)


def kyc(message: pb.Kyc) -> dict[str, Any]:
    return {
        "user_id": message.user_id,
        "status": _STATUS_NAMES[message.status],
        "reason": message.reason or None,
        "decided_at": instant(message, "decided_at"),
        "version": message.version,
    }


def history(answer: pb.GetKycOfResponse) -> dict[str, Any]:
    return {
        **kyc(answer.kyc),
        "data": [
            {
                "status": _STATUS_NAMES[decision.status],
                "reason": decision.reason,
                "decided_by": decision.decided_by,
                "decided_at": instant(decision, "decided_at"),
                "version": decision.version,
            }
            for decision in answer.history
        ],
        "next_cursor": next_cursor(answer.page),
    }
