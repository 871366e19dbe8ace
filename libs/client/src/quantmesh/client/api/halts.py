"""/halts: what may not trade just now; operators impose and lift."""

from quantmesh.client.models import halts as models
from quantmesh.client.transport import Transport

_MOST = "500"


class Halts:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def in_force(self) -> tuple[models.Halt, ...]:
        """The newest first."""
        return self._transport.call("GET", "/halts", models.Halts, query={"limit": _MOST}).data

    def impose(self, cause: str, *, symbol: str | None = None, kill_switch: bool = False) -> models.Halt:
        """Of the whole market without a `symbol`; a kill switch also refuses new orders and cancels open ones."""
        body = {"kind": "kill_switch" if kill_switch else "operator", "symbol": symbol, "cause": cause}
        return self._transport.call("POST", "/halts", models.Halt, json=body, idempotent=True)

    def lift(self, halt_id: str) -> models.Halt:
        return self._transport.call("DELETE", f"/halts/{halt_id}", models.Halt)
