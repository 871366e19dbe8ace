"""Each embedded server starts, serves, and keeps what it acknowledged across a kill."""

import socket
import time

import httpx
import psutil
import psycopg
import pytest

from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer


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
    with socket.create_connection(("127.0.0.1", nats_server.port), timeout=2) as connection:
        greeting = connection.recv(4096).decode()
    assert greeting.startswith("INFO ")
    assert '"jetstream":true' in greeting


def test_redis_keeps_a_value_across_a_kill(redis_server: RunningServer) -> None:
    assert _redis(redis_server, b"SET kept 42\r\n") == b"+OK\r\n"
    time.sleep(1.2)  # the append-only file is flushed once a second
    redis_server.kill()
    redis_server.start_again()
    assert _redis(redis_server, b"GET kept\r\n") == b"$2\r\n42\r\n"


def test_evm_node_makes_blocks_and_keeps_them_across_a_kill(evm_node: RunningServer) -> None:
    _wait_for_block(evm_node, 2)
    time.sleep(1.2)  # the state is written once a second
    evm_node.kill()
    evm_node.start_again()
    assert _block_number(evm_node) >= 2


def _redis(server: RunningServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.sendall(command)
        return connection.recv(4096)


def _block_number(node: RunningServer) -> int:
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    return int(httpx.post(node.url, json=request).json()["result"], 16)


def _wait_for_block(node: RunningServer, number: int) -> None:
    deadline = time.monotonic() + 10
    while _block_number(node) < number:
        assert time.monotonic() < deadline, "no new block within 10 s"
        time.sleep(0.1)
