"""What the gateway's benchmarks share: the mesh under test, a token for it, and the bare peers as child processes."""

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from quantmesh.local.network import free_port

ROOT = Path(__file__).resolve().parent.parent
_BARE = Path(__file__).with_name("gateway_bare.py")


@dataclass(frozen=True, slots=True)
class Target:
    """A running mesh, by default the one of `make up`; `seconds` is how long one round lasts."""

    url: str
    token: str
    seconds: float

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def target(description: str) -> Target:
    """From the command line: `--url`, `--operator FILE`, `--seconds`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--operator", type=Path, default=ROOT / ".quantmesh" / "operator.json")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    return Target(given.url, login(given.url, given.operator), given.seconds)


def login(url: str, operator_file: Path) -> str:
    """An access token of the mesh's operator."""
    operator = json.loads(operator_file.read_text())
    credentials = {name: operator[name] for name in ("email", "password")}
    answer = httpx.post(f"{url}/api/v2/auth/login", json=credentials, timeout=30.0)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


@contextmanager
def bare(kind: str, *ports: int) -> Iterator[int]:
    """A peer of `gateway_bare.py` on a free port, which it gives; the other ports are its own peers'."""
    port = free_port()
    command = [sys.executable, str(_BARE), kind, str(port), *map(str, ports)]
    child = subprocess.Popen(command)
    try:
        _wait_for(port)
        yield port
    finally:
        child.terminate()
        child.wait(timeout=10)


@contextmanager
def bare_http() -> Iterator[int]:
    """The bare HTTP peer with its echo behind it."""
    with ExitStack() as stack:
        echo = stack.enter_context(bare("echo"))
        yield stack.enter_context(bare("http", echo))


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30.0
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
