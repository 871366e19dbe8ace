"""Ports of this machine."""

import fcntl
import os
import secrets
import socket
import tempfile
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
_FREE_RANGE = range(20_000, 32_000)
# The port that was given last; a file for each user, as nobody may write to another's.
_LAST_GIVEN = Path(tempfile.gettempdir()) / f"quantmesh-last-port-{os.getuid()}"


def free_port() -> int:
    """A port where nobody listens, from a range that the kernel takes none for outgoing connections from and that holds
    no default of ours.

    All processes of this user take theirs in turn, so that none is given twice until all others were: a server may take
    its time before it listens. Drawn at random, one would now and then be somebody else's by then.
    """
    with _LAST_GIVEN.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        given = file.read()
        port = int(given) if given else secrets.choice(_FREE_RANGE)
        while True:
            port = port + 1 if port + 1 in _FREE_RANGE else _FREE_RANGE.start
            if is_free(port):
                break
        file.truncate(0)
        file.write(str(port))
        return port


def accepts_connections(port: int, host: str = LOOPBACK) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def http_status(port: int, path: str, *, method: str = "GET", body: str | None = None) -> int | None:
    """Of one request to this machine; None where nobody answers. A full HTTP client would cost more than the answer."""
    connection = HTTPConnection(LOOPBACK, port, timeout=0.5)
    headers = {"Content-Type": "application/json"} if body else {}
    with closing(connection):
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now; connections that still linger from an earlier one do not count."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def holder_of(port: int) -> str | None:
    """`name (pid 123)` of the program that listens on a port, where this user may see it."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        listening = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listening and connection.pid is not None:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return None
    return None
