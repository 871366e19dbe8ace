"""One supervisor at a time; who only looks whether there is one is none."""

import fcntl
import threading
from pathlib import Path

import pytest

from quantmesh.local.errors import AlreadyRunning
from quantmesh.local.lock import SupervisorLock


def test_a_second_supervisor_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    first, second = SupervisorLock(tmp_path / "lock"), SupervisorLock(tmp_path / "lock")
    with first.acquire(41):
        assert second.holder() == 41
        with pytest.raises(AlreadyRunning, match="41"):
            second.acquire(42)
    assert second.holder() is None


def test_a_supervisor_starts_while_somebody_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The machine may stand still before who looks has done.
    monkeypatch.setattr("quantmesh.local.lock._LOOK_SECONDS", 30.0)
    path = tmp_path / "lock"
    with path.open("a+") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        with SupervisorLock(path).acquire(42):
            assert SupervisorLock(path).holder() == 42


def test_two_that_look_do_not_find_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("41")
    with path.open("a+") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert SupervisorLock(path).holder() is None
