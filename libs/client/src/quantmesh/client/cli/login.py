"""The login that commands share, in one file that only its owner reads."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from quantmesh.client.client import DEFAULT_ADDRESS, Client
from quantmesh.client.errors import ClientError
from quantmesh.client.models.accounts import Tokens

_FILE = Path(typer.get_app_dir("quantmesh")) / "login.json"


def address() -> str:
    return os.environ.get("QUANTMESH_ADDRESS", DEFAULT_ADDRESS)


@contextmanager
def signed_in() -> Iterator[Client]:
    """A client as QUANTMESH_API_KEY, or as the last `quantmesh login`, whose renewed tokens are kept."""
    key = os.environ.get("QUANTMESH_API_KEY")
    with Client(address(), api_key=key) as client:
        if key is None:
            client.transport.sign_in(_read())
        yield client
        session = client.transport.session
        if session is not None:
            keep(session.tokens)


def keep(tokens: Tokens) -> None:
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    _FILE.touch(mode=0o600)
    until = datetime.now(UTC) + timedelta(seconds=tokens.expires_in)
    _FILE.write_text(json.dumps({"tokens": tokens.model_dump(), "address": address(), "until": until.isoformat()}))


def forget() -> None:
    _FILE.unlink(missing_ok=True)


def _read() -> Tokens:
    if not _FILE.exists():
        raise ClientError("You are not logged in: run `quantmesh login`, or set QUANTMESH_API_KEY.")
    kept = json.loads(_FILE.read_text())
    if kept["address"] != address():
        raise ClientError(f"You are logged in at {kept['address']}, not at {address()}: run `quantmesh login`.")
    left = (datetime.fromisoformat(kept["until"]) - datetime.now(UTC)).total_seconds()
    return Tokens.model_validate(kept["tokens"] | {"expires_in": int(left)})
