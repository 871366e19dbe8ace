"""/compliance: whether it is known who a user is; compliance and operators decide."""

from collections.abc import Iterator

from quantmesh.client.models.compliance import Kyc, KycDecision, KycHistory
from quantmesh.client.transport import Transport


class Compliance:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def kyc(self, user_id: str | None = None) -> Kyc:
        """One's own status, or a user's, which is a KycHistory: with the latest decisions."""
        return self._transport.call("GET", _path(user_id), Kyc if user_id is None else KycHistory)

    def submit(self) -> Kyc:
        """Ask to be looked at."""
        return self._transport.call("POST", _path(None), Kyc, idempotent=True)

    def history(self, user_id: str) -> Iterator[KycDecision]:
        """The latest decision first."""
        return self._transport.pages(_path(user_id), KycHistory)

    def decide(self, user_id: str, status: str, reason: str, *, if_version: int | None = None) -> Kyc:
        body = {"status": status, "reason": reason}
        return self._transport.call("PUT", _path(user_id), Kyc, json=body, if_match=if_version)


def _path(user_id: str | None) -> str:
    return "/compliance/kyc" if user_id is None else f"/compliance/kyc/{user_id}"
