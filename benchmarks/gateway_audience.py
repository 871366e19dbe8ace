"""A thousand WebSocket clients as light as they can be, so that what is measured is the server.

One thread reads for all of them, on a core of its own, without Python: per message one `recv` and a look at the clock.
A latency is the time from just before the message is published to the moment at which its last byte has been read from
that client's socket.

The thread never waits for a socket; between looks that find nothing it naps. A wake-up per message is the sender's work
on loopback, a third of its time here, which no client elsewhere would cost it.
"""

import base64
import ctypes
import os
import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numba
import numpy as np
import numpy.typing as npt
import psutil

_PATIENCE_SECONDS = 10
_NAP_MICROSECONDS = 50
_EVENTS_AT_ONCE = 256
_BUFFER_BYTES = 65_536
_CLOCK_MONOTONIC = 1
_TEXT, _PING = 0x81, 0x89

_LIBC = ctypes.CDLL(None)
_epoll_wait, _recv, _clock_gettime, _usleep = _LIBC.epoll_wait, _LIBC.recv, _LIBC.clock_gettime, _LIBC.usleep
_epoll_wait.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
_recv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_recv.restype = ctypes.c_ssize_t
_clock_gettime.argtypes = [ctypes.c_int, ctypes.c_void_p]
_usleep.argtypes = [ctypes.c_uint32]


@numba.njit(nogil=True)
def _receive(
    epoll: int,
    arrivals: npt.NDArray[np.int64],
    events: npt.NDArray[np.int32],
    buffer: npt.NDArray[np.uint8],
    now: npt.NDArray[np.int64],
    deadline: int,
) -> int:
    """Fill `arrivals` with the nanoseconds at which one text frame after the other came; answers how many did in time.

    Negative where something else came than whole frames of text, or pings between them.
    """
    count = 0
    while count < arrivals.size:
        ready = _epoll_wait(epoll, events.ctypes, _EVENTS_AT_ONCE, 0)
        if ready < 0:
            return count
        if ready == 0:
            _clock_gettime(_CLOCK_MONOTONIC, now.ctypes)
            if 1_000_000_000 * now[0] + now[1] > deadline:
                return count
            _usleep(_NAP_MICROSECONDS)
        for event in range(ready):
            # struct epoll_event is packed: four bytes of flags, then the descriptor in the first half of eight.
            size = _recv(events[3 * event + 1], buffer.ctypes, _BUFFER_BYTES, 0)
            _clock_gettime(_CLOCK_MONOTONIC, now.ctypes)
            start = 0
            while start + 4 <= size:
                length, head = int(buffer[start + 1]), 2
                if length == 126:
                    length, head = 256 * int(buffer[start + 2]) + int(buffer[start + 3]), 4
                if buffer[start] == _TEXT and count < arrivals.size:
                    arrivals[count] = 1_000_000_000 * now[0] + now[1]
                    count += 1
                elif buffer[start] != _PING:
                    return -1
                start += head + length
            if size <= 0 or start != size:
                return -1
    return count


class Audience:
    """Clients of one server that are sent the same."""

    def __init__(self, port: int, path: str, headers: dict[str, str], first: bytes, size: int) -> None:
        """Each shakes hands and says `first`, which is answered by one frame, unless it is empty."""
        _allow_descriptors(2 * size + 256)
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        handshake = "\r\n".join([*lines, "", ""]).encode()
        self._epoll = select.epoll()
        self._clients = [self._client(port, handshake, first) for _ in range(size)]
        self._arrivals = np.zeros(size, np.int64)
        self._events = np.zeros(3 * _EVENTS_AT_ONCE, np.int32)
        self._buffer = np.zeros(_BUFFER_BYTES, np.uint8)
        self._now = np.zeros(2, np.int64)
        self._receive(self._arrivals[:0])

    def hear(self) -> npt.NDArray[np.int64]:
        """Waits until each client has got one message; the times of their arrival, as `time.monotonic_ns` has them."""
        heard = self._receive(self._arrivals)
        if heard != self._arrivals.size:
            msg = f"{heard} of {self._arrivals.size} clients heard something within {_PATIENCE_SECONDS} s"
            raise TimeoutError(msg)
        return self._arrivals.copy()

    def forget(self) -> None:
        """Of what has come until now: a newcomer may be sent the latest message."""
        for client in self._clients:
            with suppress(BlockingIOError):
                client.recv(_BUFFER_BYTES)

    def close(self) -> None:
        self._epoll.close()
        for client in self._clients:
            client.close()

    def _receive(self, arrivals: npt.NDArray[np.int64]) -> int:
        deadline = time.monotonic_ns() + 1_000_000_000 * _PATIENCE_SECONDS
        return int(_receive(self._epoll.fileno(), arrivals, self._events, self._buffer, self._now, deadline))

    def _client(self, port: int, handshake: bytes, first: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
        client.sendall(handshake)
        answer = client.recv(_BUFFER_BYTES)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        assert answer.endswith(b"\r\n\r\n"), answer
        if first:
            # A mask of zeros leaves the payload as it is.
            client.sendall(bytes([_TEXT, 0x80 | len(first)]) + bytes(4) + first)
            assert b'"error"' not in client.recv(_BUFFER_BYTES)
        client.setblocking(False)
        self._epoll.register(client, select.EPOLLIN)
        return client


def use_last_core() -> None:
    """The calling thread leaves the other cores to the server."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@contextmanager
def on_first_core(*ports: int) -> Iterator[None]:
    """The servers that listen there leave the last core to their clients for a while: both are placed the same way."""
    servers = [
        psutil.Process(connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in ports
    ]
    before = [server.cpu_affinity() for server in servers]
    for server in servers:
        server.cpu_affinity([min(os.sched_getaffinity(0))])
    try:
        yield
    finally:
        for server, cores in zip(servers, before, strict=True):
            server.cpu_affinity(cores)


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
