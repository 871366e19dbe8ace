"""Each embedded server starts, serves, and keeps what it acknowledged across a kill."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer

PATIENCE_SECONDS = 30.0


def test_postgres_is_version_18(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.info.server_version // 10_000 == 18


def test_postgres_asks_for_the_password(postgres_server: PostgresServer) -> None:
    wrong = postgres_server.url.replace(postgres_server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_postgres_keeps_a_committed_row_when_killed(own_postgres: RunningServer) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("create table kept (value integer)")
        connection.execute("insert into kept values (42)")
    own_postgres.kill()
    own_postgres.start_again()
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("select value from kept").fetchall() == [(42,)]


def test_a_killed_postgres_leaves_no_backend_that_could_commit(own_postgres: RunningServer) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        backend.suspend()  # so that it does not notice by itself
        own_postgres.kill()
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE


def test_nats_offers_jetstream(nats_server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", nats_server.port), timeout=PATIENCE_SECONDS) as connection:
        greeting = connection.recv(4096).decode()
    assert greeting.startswith("INFO ")
    assert '"jetstream":true' in greeting


def test_redis_keeps_a_value_across_a_kill(redis_server: RunningServer, tmp_path: Path) -> None:
    assert _redis(redis_server, b"SET kept 42\r\n") == b"+OK\r\n"
    file = tmp_path / "redis" / "appendonly.aof"
    _wait_until(lambda: b"kept" in file.read_bytes(), "the value is in no file")
    redis_server.kill()
    redis_server.start_again()
    assert _redis(redis_server, b"GET kept\r\n") == b"$2\r\n42\r\n"


def test_evm_node_makes_blocks_and_keeps_them_across_a_kill(evm_node: RunningServer, tmp_path: Path) -> None:
    state = tmp_path / "evm" / "state.json"
    anvil = next(each for each in psutil.Process().children() if str(evm_node.port) in each.cmdline())

    def is_written() -> bool:
        # It may be at it: what is looked at must be what the kill leaves.
        anvil.suspend()
        _wait_until(lambda: anvil.status() == psutil.STATUS_STOPPED, "it goes on")
        if _block_kept(state) >= 2:
            return True
        anvil.resume()
        return False

    _wait_until(is_written, "no second block is in its file")
    evm_node.kill()
    evm_node.start_again()
    assert _block_number(evm_node) >= 2


def _redis(server: RunningServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(command)
        return connection.recv(4096)


def _block_number(node: RunningServer) -> int:
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    return int(httpx.post(node.url, json=request, timeout=PATIENCE_SECONDS).json()["result"], 16)


def _block_kept(state: Path) -> int:
    """Zero where no state is there, or half of one."""
    try:
        return int(json.loads(state.read_bytes())["best_block_number"])
    except (FileNotFoundError, ValueError):
        return 0


def _wait_until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.02)
