"""The login that commands share, in one file that only its owner reads."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from pydantic import AwareDatetime, BaseModel, ValidationError

from quantmesh.client.client import DEFAULT_ADDRESS, Client
from quantmesh.client.errors import ClientError
from quantmesh.client.models.accounts import Tokens
from quantmesh.client.transport import Session

_FILE = Path(typer.get_app_dir("quantmesh")) / "login.json"


class _Login(BaseModel):
    """What the file holds; `name` tells a login from every other, whatever it is renewed to."""

    name: str = ""
    address: str
    tokens: Tokens
    until: AwareDatetime

    @property
    def session(self) -> Session:
        left = self.until - datetime.now(UTC)
        return Session(self.tokens, time.monotonic() + left.total_seconds())


class _Kept:
    """A login that commands go on with, each renewal for all of them. Who logs in anew, as another or elsewhere, takes
    nothing from commands that run: they go on with their own."""

    def __init__(self, login: _Login) -> None:
        self._login = login

    def read(self) -> Session | None:
        """None where it is another login by now, or none."""
        found = _read()
        return found.session if found is not None and found.name == self._login.name else None

    def write(self, session: Session) -> None:
        if self.read() is not None:
            _write(self._login.name, self._login.address, session)


def address() -> str:
    return os.environ.get("QUANTMESH_ADDRESS", DEFAULT_ADDRESS)


@contextmanager
def signing_in() -> Iterator[Client]:
    """A client whose login is kept for the commands that follow."""
    with Client(address()) as client:
        yield client
        if client.transport.session is not None:
            _write(uuid.uuid4().hex, address(), client.transport.session)


@contextmanager
def signed_in() -> Iterator[Client]:
    """A client as QUANTMESH_API_KEY, or as the last `quantmesh login`, whose renewed tokens are kept."""
    key = os.environ.get("QUANTMESH_API_KEY")
    with Client(address(), api_key=key) as client:
        if key is None:
            login = _required()
            client.transport.session, client.transport.kept = login.session, _Kept(login)
        yield client


def forget() -> None:
    _FILE.unlink(missing_ok=True)


def _required() -> _Login:
    login = _read()
    if login is None:
        raise ClientError("You are not logged in: run `quantmesh login`, or set QUANTMESH_API_KEY.")
    if login.address != address():
        raise ClientError(f"You are logged in at {login.address}, not at {address()}: run `quantmesh login`.")
    return login


def _read() -> _Login | None:
    try:
        return _Login.model_validate_json(_FILE.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ClientError(f"{_FILE} holds no login: run `quantmesh login`.") from error


def _write(name: str, address: str, session: Session) -> None:
    """Whole or not at all: another command may read it just now."""
    until = datetime.now(UTC) + timedelta(seconds=session.expires_at - time.monotonic())
    login = _Login(name=name, address=address, tokens=session.tokens, until=until)
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _FILE.with_suffix(f".{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(login.model_dump_json())
    unfinished.replace(_FILE)
