"""What the migrations' Job runs first, on a server that may not answer yet."""

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest

from quantmesh.chassis.provision import wait_for_postgres
from quantmesh.local.network import LOOPBACK, free_port
from quantmesh.local.testing import ServiceDatabase


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


async def test_a_server_that_comes_up_later_is_waited_for(ledger: ServiceDatabase) -> None:
    port = free_port()
    ended = asyncio.Event()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(LOOPBACK, ledger.server.port)
        await asyncio.gather(forward(reader, upstream_writer), forward(upstream_reader, writer))
        ended.set()

    address = ledger.admin_url.replace(f":{ledger.server.port}/", f":{port}/")
    waiting = asyncio.create_task(wait_for_postgres(address, 30.0))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    async with await asyncio.start_server(connect, LOOPBACK, port):
        await waiting
        await ended.wait()


async def test_a_server_that_does_not_come_up_is_given_up() -> None:
    with pytest.raises(psycopg.OperationalError):
        await wait_for_postgres(f"postgresql://postgres@{LOOPBACK}:{free_port()}/postgres", 0.1)


def test_the_command_says_that_there_is_no_server() -> None:
    address = f"postgresql://postgres@{LOOPBACK}:{free_port()}/postgres"
    done = subprocess.run(
        [sys.executable, "-m", "quantmesh.chassis.provision"],
        env=os.environ | {"QUANTMESH_ADMIN_URL": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Postgres did not answer within 0 s: ")
