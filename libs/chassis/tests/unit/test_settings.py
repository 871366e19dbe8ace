import sys
from typing import Any

import pytest

from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    ledger_encryption_key: str


async def wire(_service: Service[Any]) -> None:
    pytest.fail("a service with wrong settings is wired")


def test_wrong_settings_are_named_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUANTMESH_DATABASE_URL", "postgresql://ledger:secret@db/ledger")
    monkeypatch.setenv("QUANTMESH_DATABASE_POOL_SIZE", "secret")
    monkeypatch.setattr(sys, "argv", ["ledger"])
    with pytest.raises(SystemExit, match="2"):
        serve("ledger", LedgerSettings, wire)
    complaint = capsys.readouterr().err
    assert "ledger: QUANTMESH_DATABASE_POOL_SIZE: Input should be a valid integer" in complaint
    assert "ledger: QUANTMESH_LEDGER_ENCRYPTION_KEY: Field required" in complaint
    assert "secret" not in complaint


def test_a_setting_that_is_not_json_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUANTMESH_TARGETS", "{secret")
    monkeypatch.setattr(sys, "argv", ["ledger"])
    with pytest.raises(SystemExit, match="2"):
        serve("ledger", ServiceSettings, wire)
    assert capsys.readouterr().err == "ledger: QUANTMESH_TARGETS: is not JSON\n"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("QUANTMESH_DATABASE_URL", "postgres//ledger:secret@db/ledger"),
        ("QUANTMESH_MIGRATION_URL", "postgresql://ledger:se cret@db:secret/ledger"),
        ("QUANTMESH_GRPC_BIND", "secret"),
        ("QUANTMESH_OPS_BIND", "127.0.0.1:secret"),
        ("QUANTMESH_LOG_LEVEL", "secret"),
    ],
)
def test_what_no_service_could_begin_with_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "argv", ["ledger"])
    with pytest.raises(SystemExit, match="2"):
        serve("ledger", ServiceSettings, wire)
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"ledger: {variable}: ")
    assert "secret" not in complaint
