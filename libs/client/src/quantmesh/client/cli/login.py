"""The login that commands share, in one file that only its owner reads."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from quantmesh.client.client import DEFAULT_ADDRESS, Client
from quantmesh.client.errors import ClientError
from quantmesh.client.models.accounts import Tokens
from quantmesh.client.transport import Session

_FILE = Path(typer.get_app_dir("quantmesh")) / "login.json"


@dataclass(frozen=True)
class _Login:
    """`name` tells it from every other; `session` is what it has come to."""

    name: str
    address: str
    session: Session


class LoginFile:
    """Who logs in anew, as another or elsewhere, takes nothing from commands that run: they go on with their own."""

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._address = address
        self._name: str | None = None

    def required(self) -> Session:
        found = self._found()
        if found is None:
            raise ClientError("You are not logged in: run `quantmesh login`, or set QUANTMESH_API_KEY.")
        if found.address != self._address:
            raise ClientError(f"You are logged in at {found.address}, not at {self._address}: run `quantmesh login`.")
        self._name = found.name
        return found.session

    def read(self) -> Session | None:
        """None where it is another login by now, or none."""
        found = self._found()
        return found.session if found is not None and found.name == self._name else None

    def _found(self) -> _Login | None:
        if not self._path.exists():
            return None
        try:
            kept = json.loads(self._path.read_text())
            tokens = Tokens.model_validate(kept["tokens"])
            left = datetime.fromisoformat(kept["until"]) - datetime.now(UTC)
            session = Session(tokens, time.monotonic() + left.total_seconds())
            return _Login(kept.get("name", ""), kept["address"], session)
        except (ValueError, KeyError, TypeError) as error:
            raise ClientError(f"{self._path} holds no login: run `quantmesh login`.") from error

    def write(self, session: Session) -> None:
        """Whole or not at all: another command may read it just now."""
        if self._name is None:
            self._name = uuid.uuid4().hex
        elif self.read() is None:
            return
        until = datetime.now(UTC) + timedelta(seconds=session.expires_at - time.monotonic())
        kept = {
            "name": self._name,
            "address": self._address,
            "tokens": session.tokens.model_dump(),
            "until": until.isoformat(),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(kept))
        unfinished.replace(self._path)


def address() -> str:
    return os.environ.get("QUANTMESH_ADDRESS", DEFAULT_ADDRESS)


@contextmanager
def signing_in() -> Iterator[Client]:
    """A client whose login is kept for the commands that follow."""
    with Client(address()) as client:
        client.transport.kept = LoginFile(_FILE, address())
        yield client


@contextmanager
def signed_in() -> Iterator[Client]:
    """A client as QUANTMESH_API_KEY, or as the last `quantmesh login`, whose renewed tokens are kept."""
    key = os.environ.get("QUANTMESH_API_KEY")
    with Client(address(), api_key=key) as client:
        if key is None:
            file = LoginFile(_FILE, address())
            client.transport.session, client.transport.kept = file.required(), file
        yield client


def forget() -> None:
    _FILE.unlink(missing_ok=True)
