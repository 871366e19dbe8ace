"""What `python -m quantmesh.<service>` is told to do."""

from collections.abc import Sequence

import pytest

from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings


async def _wire(_: Service[ServiceSettings]) -> None:
    pytest.fail("nothing was to be served")


async def _verify(_: ServiceSettings, arguments: Sequence[str]) -> int:
    return len(arguments)


def _told(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """What the process ends with."""
    monkeypatch.setattr("sys.argv", ["ledger", *arguments])
    with pytest.raises(SystemExit) as ended:
        serve("ledger", ServiceSettings, _wire, wire_worker=_wire, commands={"verify": _verify})
    return ended.value.code


def test_a_command_of_the_service_is_given_what_stands_behind_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _told(monkeypatch, "verify", "--portfolio", "7") == 2


def test_an_unknown_command_is_told_all_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "ledger: unknown command 'nope'; it is one of migrate, serve, worker, verify."
    assert _told(monkeypatch, "nope") == told
