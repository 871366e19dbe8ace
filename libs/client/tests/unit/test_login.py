"""The login that commands share: whoever renews it, all of them go on with it."""

import json
from pathlib import Path

import httpx
import pytest

from quantmesh.client import Client, ClientError, Problem
from quantmesh.client.cli import login

from .test_transport import ME, Server, tokens

ADDRESS = "http://mesh.test"
UNKNOWN = httpx.Response(404, json={"type": "/problems/not-found", "detail": "There is no portfolio."})


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("QUANTMESH_ADDRESS", ADDRESS)
    monkeypatch.delenv("QUANTMESH_API_KEY", raising=False)
    monkeypatch.setattr(login, "_FILE", tmp_path / "quantmesh" / "login.json")
    return tmp_path / "quantmesh" / "login.json"


def answering(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """Let commands speak to it."""

    def client(address: str, api_key: str | None = None) -> Client:
        return Client(address, api_key=api_key, http=httpx.Client(transport=httpx.MockTransport(server)))

    monkeypatch.setattr(login, "Client", client)


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """With a token that is about to expire."""
    answering(monkeypatch, Server(tokens("first", expires_in=1)))
    with login.signing_in() as client:
        client.auth.login("ada@example.org", "secret")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("logged_in")
def test_a_token_that_a_failed_command_renewed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Server(tokens("second"), UNKNOWN))
    with pytest.raises(Problem), login.signed_in() as client:
        client.portfolios.get("p1")
    later = Server(httpx.Response(200, json=ME))
    answering(monkeypatch, later)
    with login.signed_in() as client:
        client.auth.me()
    assert later.asked[0].headers["Authorization"] == "Bearer second"


@pytest.mark.usefixtures("logged_in")
def test_a_token_that_another_command_renewed_meanwhile_is_not_renewed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = Server(httpx.Response(200, json=ME)), Server(tokens("second"), httpx.Response(200, json=ME))
    answering(monkeypatch, long)
    with login.signed_in() as following:
        answering(monkeypatch, short)
        with login.signed_in() as client:
            client.auth.me()
        following.auth.me()
    assert long.asked[0].headers["Authorization"] == "Bearer second"


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("address", [ADDRESS, "http://elsewhere.test"])
def test_another_login_meanwhile_is_neither_taken_nor_overwritten(
    monkeypatch: pytest.MonkeyPatch, file: Path, address: str
) -> None:
    own = Server(tokens("second"), httpx.Response(200, json=ME))
    answering(monkeypatch, own)
    with login.signed_in() as following:
        monkeypatch.setenv("QUANTMESH_ADDRESS", address)
        answering(monkeypatch, Server(tokens("other")))
        with login.signing_in() as client:
            client.auth.login("operator@example.org", "secret")
        following.auth.me()
    assert own.asked[1].headers["Authorization"] == "Bearer second"
    assert json.loads(file.read_text())["tokens"]["access_token"] == "other"


@pytest.mark.usefixtures("logged_in")
def test_a_file_that_holds_no_login_is_named(file: Path) -> None:
    file.write_text('{"tokens"')
    with pytest.raises(ClientError, match=r"login.json holds no login: run `quantmesh login`"), login.signed_in():
        pass
