"""Who a service calls: each peer opened once, with the token that the service acts with."""

import asyncio
from collections.abc import Mapping

from google.protobuf.descriptor import ServiceDescriptor

from quantmesh.chassis.rpc.channel import open_channel
from quantmesh.chassis.rpc.keys import ServiceTokens
from quantmesh.chassis.rpc.peer import Peer
from quantmesh.chassis.rpc.tls import TlsFolder
from quantmesh.chassis.settings import MissingSettingError

_LOOK_SECONDS = 0.1


class Peers:
    """The peers of the service `name` at `targets`, by the peer's name."""

    def __init__(self, name: str, secret: str, targets: Mapping[str, str], tls: TlsFolder | None) -> None:
        self._name = name
        self._secret = secret
        self._targets = targets
        self._tls = tls
        self._opened: dict[str, Peer] = {}
        self._auth: Peer | None = None
        self._tokens: ServiceTokens | None = None
        self._unreached: list[Peer] = []

    def open(self, name: str, services: list[ServiceDescriptor], timeout_seconds: float, max_in_flight: int) -> Peer:
        """Opened once, by whoever asks first."""
        if name not in self._opened:
            if self._tokens is None:
                self._tokens = ServiceTokens(self.auth(), self._name, self._secret)
            self._opened[name] = Peer(
                name,
                open_channel(self._target(name), services, self._tls),
                tokens=self._tokens,
                timeout_seconds=timeout_seconds,
                max_in_flight=max_in_flight,
            )
            self._unreached.append(self._opened[name])
        return self._opened[name]

    def auth(self) -> Peer:
        """Auth without a service token: the way to the keys and to the token itself."""
        if self._auth is None:
            self._auth = Peer("auth", open_channel(self._target("auth"), [], self._tls))
            self._unreached.append(self._auth)
        return self._auth

    @property
    def unreached(self) -> list[str]:
        """Those that have never been there since the start, as far as `reach` has looked."""
        return sorted({peer.name for peer in self._unreached})

    async def reach(self) -> None:
        """Connect to each; over once all have been there."""
        while self._unreached:
            self._unreached = [peer for peer in self._unreached if not peer.is_connected()]
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        peers = [*self._opened.values(), *([self._auth] if self._auth else [])]
        await asyncio.gather(*(peer.close() for peer in peers))

    def _target(self, peer: str) -> str:
        target = self._targets.get(peer)
        if target is None:
            raise MissingSettingError(self._name, f"QUANTMESH_{peer.upper()}_TARGET")
        return target
