"""docs/adding-a-service.md is true: the service it shows is built from it, migrated, started and asked."""

import asyncio
import importlib
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_tools import protoc
from jwt.algorithms import OKPAlgorithm

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE
from quantmesh.local.network import free_port
from quantmesh.local.testing import ServiceDatabase
from quantmesh.local.workspace import Workspace

_BLOCK = re.compile(r"```\w+\n(?://|#) file: (\S+)\n(.*?)```", re.DOTALL)
KEY = Ed25519PrivateKey.generate()


async def serve_keys() -> tuple[grpc.aio.Server, int]:
    """The only method of auth that a service without peers needs; gives the server and its port."""

    async def get_jwks(request: auth_pb2.GetJwksRequest, context: object) -> auth_pb2.GetJwksResponse:
        entry = json.loads(OKPAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k"}
        return auth_pb2.GetJwksResponse(jwks=json.dumps({"keys": [entry]}))

    handler = grpc.unary_unary_rpc_method_handler(
        get_jwks, auth_pb2.GetJwksRequest.FromString, auth_pb2.GetJwksResponse.SerializeToString
    )
    server = grpc.aio.server()
    service = auth_pb2.DESCRIPTOR.services_by_name["AuthService"].full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"GetJwks": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def token(user: uuid.UUID) -> str:
    now = int(time.time())
    claims = {"sub": str(user), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": "account:manage"}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k", "typ": TOKEN_TYPE})


@pytest.fixture
def built(tmp_path: Path, workspace: Path) -> Iterator[Path]:
    """The page's files in a checkout of their own, importable; gives its root."""
    page = (workspace / "docs" / "adding-a-service.md").read_text()
    files = dict(_BLOCK.findall(page))
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    arguments = [f"--proto_path={tmp_path / 'protos'}", f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
    assert protoc.main(["protoc", *arguments, "quantmesh/api/notes/v1/notes.proto"]) == 0
    added = [str(stubs), str(tmp_path / "services/notes/src")]
    sys.path[:0] = added
    importlib.invalidate_caches()
    yield tmp_path
    for entry in added:
        sys.path.remove(entry)
    for module in [name for name in sys.modules if name.startswith(("quantmesh.notes", "quantmesh.api.notes"))]:
        del sys.modules[module]


async def test_the_service_on_the_page_runs_and_keeps_its_tenants_apart(
    built: Path, service_database: Callable[..., ServiceDatabase]
) -> None:
    assert [service.name for service in Workspace.read(built).services] == ["notes"]
    database = service_database("notes", built / "services/notes/src/quantmesh/notes/migrations")
    auth, auth_port = await serve_keys()
    port, ops_port = free_port(), free_port()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(built / "stubs"), str(built / "services/notes/src")]),
        "QUANTMESH_DATABASE_URL": database.url,
        "QUANTMESH_MIGRATION_URL": database.migration_url,
        "QUANTMESH_GRPC_BIND": f"127.0.0.1:{port}",
        "QUANTMESH_OPS_BIND": f"127.0.0.1:{ops_port}",
        "QUANTMESH_AUTH_TARGET": f"127.0.0.1:{auth_port}",
    }
    command = [sys.executable, "-m", "quantmesh.notes"]
    migration = await asyncio.create_subprocess_exec(*command, "migrate", env=environment)
    assert await migration.wait() == 0
    service = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 60)
            await _ask(channel)
    finally:
        service.terminate()
        assert await asyncio.wait_for(service.wait(), 60) == 0
        await auth.stop(0)
    with psycopg.connect(database.admin_url) as admin:
        assert admin.execute("SELECT count(*) FROM notes.note").fetchone() == (1,)


async def _ask(channel: grpc.aio.Channel) -> None:
    pb = importlib.import_module("quantmesh.api.notes.v1.notes_pb2")
    stub = importlib.import_module("quantmesh.api.notes.v1.notes_pb2_grpc").NotesServiceStub(channel)
    ada, bob = ([("authorization", f"Bearer {token(uuid.uuid4())}")] for _ in range(2))
    once = [*ada, ("idempotency-key", "first-note")]
    first = await stub.AddNote(pb.AddNoteRequest(text="buy low"), metadata=once)
    again = await stub.AddNote(pb.AddNoteRequest(text="buy low"), metadata=once)
    assert first.id == again.id
    assert list((await stub.ListNotes(pb.ListNotesRequest(), metadata=ada)).texts) == ["buy low"]
    assert list((await stub.ListNotes(pb.ListNotesRequest(), metadata=bob)).texts) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AddNote(pb.AddNoteRequest(text=""), metadata=ada)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListNotes(pb.ListNotesRequest())
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
