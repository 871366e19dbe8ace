"""/halts: what may not trade just now; operators impose and lift."""

from collections.abc import Iterator

from quantmesh.client.models.base import Page
from quantmesh.client.models.halts import Halt
from quantmesh.client.transport import Transport


class Halts:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def in_force(self) -> tuple[Halt, ...]:
        """The newest first."""
        return tuple(self._list(None, in_force=True))

    def all(self, symbol: str | None = None) -> Iterator[Halt]:
        """Those that were lifted too, of one instrument or of all and the whole market, the newest first."""
        return self._list(symbol, in_force=False)

    def _list(self, symbol: str | None, *, in_force: bool) -> Iterator[Halt]:
        return self._transport.pages("/halts", Page[Halt], {"symbol": symbol, "in_force": in_force})

    def impose(self, cause: str, *, symbol: str | None = None, kill_switch: bool = False) -> Halt:
        """Of the whole market without a `symbol`; a kill switch also refuses new orders and cancels open ones."""
        body = {"kind": "kill_switch" if kill_switch else "operator", "symbol": symbol, "cause": cause}
        return self._transport.call("POST", "/halts", Halt, json=body, idempotent=True)

    def lift(self, halt_id: str) -> Halt:
        return self._transport.call("DELETE", f"/halts/{halt_id}", Halt)
