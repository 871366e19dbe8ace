"""Mutual TLS between services: who is let in, and certificates that are replaced under running calls."""

import asyncio
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from quantmesh.api.common.v1 import job_pb2, job_pb2_grpc
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc.tls import TlsFolder, UnusableCertificate

from .certificates import Authority, swap
from .replicas import Caller, serving

MESH = Authority()


def certified(folder: Path, *hosts: str, authority: Authority = MESH, expired: bool = False) -> TlsFolder:
    authority.mount(folder, *hosts, expired=expired)
    return TlsFolder(folder, check_seconds=0.0)


def target(port: int) -> str:
    return f"dns:///localhost:{port}"


async def test_a_client_and_a_server_of_one_authority_talk_and_know_each_other(tmp_path: Path) -> None:
    client = certified(tmp_path / "client", "portfolio")
    async with (
        serving("a", tls=certified(tmp_path / "server", "localhost")) as server,
        Caller(target(server.port), client) as caller,
    ):
        seen = (await caller.ask()).message
    assert seen.encode() == client.newest().certificate_chain


def credentials(authority: Authority) -> grpc.ChannelCredentials:
    """Of a client that trusts the mesh's authority, and has its own certificate from `authority`."""
    files, _ = authority.issue("portfolio")
    return grpc.ssl_channel_credentials(MESH.pem, files["tls.key"], files["tls.crt"])


@pytest.mark.parametrize(
    ("client", "answer"),
    [
        (None, grpc.StatusCode.UNAVAILABLE),
        (grpc.ssl_channel_credentials(MESH.pem), grpc.StatusCode.UNAVAILABLE),
        (credentials(Authority("elsewhere")), grpc.StatusCode.UNAVAILABLE),
        (credentials(MESH), grpc.StatusCode.OK),
    ],
    ids=["in plain text", "without a certificate", "of another authority", "of the mesh"],
)
async def test_only_a_client_with_a_certificate_of_the_authority_is_let_in(
    tmp_path: Path, client: grpc.ChannelCredentials | None, answer: grpc.StatusCode
) -> None:
    async with serving("a", tls=certified(tmp_path, "localhost")) as server:
        address = target(server.port)
        channel = grpc.aio.secure_channel(address, client) if client else grpc.aio.insecure_channel(address)
        async with channel:
            call = job_pb2_grpc.JobServiceStub(channel).CancelJob(job_pb2.CancelJobRequest(), timeout=30)
            assert await call.code() is answer


@pytest.mark.parametrize(
    ("host", "authority", "expired"),
    [("elsewhere", MESH, False), ("localhost", Authority("elsewhere"), False), ("localhost", MESH, True)],
    ids=["of another name", "of another authority", "that has expired"],
)
async def test_a_server_with_a_certificate_that_does_not_hold_is_not_asked(
    tmp_path: Path, host: str, authority: Authority, expired: bool
) -> None:
    server_files = certified(tmp_path / "server", host, authority=authority, expired=expired)
    async with (
        serving("a", tls=server_files) as server,
        Caller(target(server.port), certified(tmp_path / "client", "portfolio")) as caller,
    ):
        with pytest.raises(Unavailable):
            await caller.ask()
    assert caller.answers == {}


async def test_certificates_are_replaced_again_and_again_and_no_call_is_lost(tmp_path: Path) -> None:
    server_files, client_files = tmp_path / "server", tmp_path / "client"
    client = certified(client_files, "portfolio")
    first = client.newest().certificate_chain.decode()
    async with (
        serving("a", tls=certified(server_files, "localhost"), connection_age_seconds=0.2) as server,
        Caller(target(server.port), client) as caller,
    ):
        long = asyncio.create_task(caller.ask(1.0))
        async with caller.asking(100):
            await caller.answered("a")
            # More than once while one long call lasts, or once where that has ended by now.
            while True:
                MESH.mount(server_files, "localhost")
                await caller.answered("a", 10)
                latest = MESH.mount(client_files, "portfolio")
                await caller.answered("a", 10)
                if long.done():
                    break
        long_seen = (await long).message
        last_seen = (await caller.ask()).message
    assert caller.failures == []
    assert x509.load_pem_x509_certificate(last_seen.encode()).serial_number == latest
    assert long_seen == first


@pytest.mark.parametrize("side", ["server", "client"])
async def test_an_expired_certificate_is_refused_until_its_file_is_replaced(tmp_path: Path, side: str) -> None:
    hosts = {"server": "localhost", "client": "portfolio"}
    files = {name: certified(tmp_path / name, host, expired=name == side) for name, host in hosts.items()}
    async with serving("a", tls=files["server"]) as server, Caller(target(server.port), files["client"]) as caller:
        with pytest.raises(Unavailable):
            await caller.ask()
        MESH.mount(tmp_path / side, hosts[side])
        async with caller.asking(20):
            await caller.answered("a", 5)


def test_files_that_are_half_replaced_are_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    old, _ = MESH.issue("portfolio")
    new, _ = MESH.issue("portfolio")
    for name, content in old.items():
        (folder / name).write_bytes(content)
    tls = TlsFolder(folder, check_seconds=0.0)
    (folder / "tls.crt").write_bytes(new["tls.crt"])
    assert tls.newest().certificate_chain == old["tls.crt"]
    (folder / "tls.key").write_bytes(new["tls.key"])
    assert tls.newest().certificate_chain == new["tls.crt"]
    assert tls.newest() is tls.newest()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("tls.crt", None, r"tls\.crt cannot be read: No such file"),
        ("tls.crt", b"nonsense", r"tls\.crt holds no certificate"),
        ("ca.crt", b"", r"ca\.crt holds no certificate"),
        ("tls.key", b"nonsense", r"tls\.key holds no private key"),
        ("tls.key", MESH.issue("portfolio")[0]["tls.key"], r"tls\.key is not that of the first certificate"),
    ],
)
def test_what_cannot_be_used_is_named_at_the_start(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    files, _ = MESH.issue("portfolio")
    files[name] = b""
    swap(tmp_path, files)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableCertificate, match=complaint):
        TlsFolder(tmp_path)


async def test_a_channel_that_is_closed_waits_for_no_call_on_its_outdated_connections(tmp_path: Path) -> None:
    client = certified(tmp_path / "client", "portfolio")
    async with serving("a", tls=certified(tmp_path / "server", "localhost")) as server:
        async with Caller(target(server.port), client) as caller:
            held = asyncio.create_task(caller.ask(600))
            await caller.ask()
            MESH.mount(tmp_path / "client", "portfolio")
            await caller.ask()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await held
