"""Channels to peers: in plain text, or over mutual TLS with a certificate that is renewed while calls run."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from quantmesh.chassis.cancellation import end
from quantmesh.chassis.rpc.options import LONGEST_CALL_SECONDS, channel_options
from quantmesh.chassis.rpc.tls import TlsFolder

_READS = ("Get", "List", "Verify")


def open_channel(target: str, services: list[ServiceDescriptor], tls: TlsFolder | None = None) -> grpc.aio.Channel:
    """A channel to `target`; the reads among the services' methods (Get, List, Verify) are retried.

    With `tls` the peer's certificate must name the host of the target.
    """
    retryable = [
        (service.full_name, method.name)
        for service in services
        for method in service.methods
        if method.name.startswith(_READS) and not method.client_streaming
    ]
    options = channel_options(retryable)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    return _RenewedChannel(tls, lambda credentials: grpc.aio.secure_channel(target, credentials, options=options))


class _RenewedChannel(grpc.aio.Channel):
    """Each call goes out with the newest certificate; calls that began with an older one end in peace.

    gRPC for Python fixes a channel's certificate when it is opened, so a new one takes its place.
    """

    def __init__(self, tls: TlsFolder, open_with: Callable[[grpc.ChannelCredentials], grpc.aio.Channel]) -> None:
        self._tls = tls
        self._open_with = open_with
        self._material = tls.newest()
        self._channel = open_with(self._material.channel_credentials())
        self._retiring: set[asyncio.Task[None]] = set()

    def newest(self) -> grpc.aio.Channel:
        material = self._tls.newest()
        if material is not self._material:
            retiring = asyncio.create_task(_retire(self._channel))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
            self._material = material
            self._channel = self._open_with(material.channel_credentials())
        return self._channel

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return _RenewedMethod(self, method, lambda channel: channel.unary_unary(method, *args, **options))

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return _RenewedMethod(self, method, lambda channel: channel.unary_stream(method, *args, **options))

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return _RenewedMethod(self, method, lambda channel: channel.stream_unary(method, *args, **options))

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return _RenewedMethod(self, method, lambda channel: channel.stream_stream(method, *args, **options))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.newest().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self.newest().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self.newest().channel_ready()

    async def close(self, grace: float | None = None) -> None:
        await asyncio.gather(self._channel.close(grace), end(*self._retiring))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()


async def _retire(channel: grpc.aio.Channel) -> None:
    """Close it when its calls have ended, or at once where this is cancelled."""
    try:
        await asyncio.sleep(LONGEST_CALL_SECONDS)
    finally:
        await channel.close()


class _RenewedMethod:
    """A method of whatever channel is the newest when it is called."""

    def __init__(self, owner: _RenewedChannel, name: str, bind: Callable[[grpc.aio.Channel], Any]) -> None:
        # As gRPC's own methods have it: a peer names its metrics by it.
        self._method = name
        self._owner = owner
        self._bind = bind
        self._channel: grpc.aio.Channel | None = None
        self._bound: Any = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        newest = self._owner.newest()
        if newest is not self._channel:
            self._channel, self._bound = newest, self._bind(newest)
        return self._bound(*args, **options)
