"""What every benchmark of the numerics shares: a peer in its own environment, rounds in turn, and the printed table.

Absolute rates drift by tens of per cent within a day while ratios hold, so ours and the peer always run in turn in one
go, and the ratio is the median of the rounds' ratios.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

_HERE = Path(__file__).resolve().parent
_PEER_PYTHON = _HERE.parent / ".venv-bench/bin/python"
_EXIT_SECONDS = 60
_AT_LEAST_SECONDS = 0.2


class Peer:
    """`benchmarks/peers/FAMILY.py` in a process of its own, which does a named work on the inputs when told."""

    def __init__(self, family: str, inputs: Mapping[str, np.ndarray]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="quantmesh-bench-")
        folder = Path(self._folder.name)
        np.savez(folder / "inputs.npz", allow_pickle=False, **inputs)
        self._outputs = folder / "outputs.npz"
        self._process = subprocess.Popen(
            [_PEER_PYTHON, _HERE / "peers" / f"{family}.py", folder / "inputs.npz", self._outputs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, work: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{work}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer ended with {self._process.wait(_EXIT_SECONDS)} while it did {work!r}")
        return float(answer)

    def answer(self, name: str) -> np.ndarray:
        """What the last piece of work gave under this name."""
        answer: np.ndarray = np.load(self._outputs)[name]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=_EXIT_SECONDS)
        self._folder.cleanup()


def seconds_of(work: Callable[[], object]) -> float:
    """Of one run: the median of those that begin within `_AT_LEAST_SECONDS`; `serving.py` times peers the same way.

    A virtual core that slept while the other side ran takes up to 20 ms to come back, twice what some works take.
    """
    seconds: list[float] = []
    ends = time.perf_counter() + _AT_LEAST_SECONDS
    while not seconds or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


class Times(NamedTuple):
    ours: list[float]
    peer: list[float]
    peak_mebibytes: float
    """Of our process while ours ran, interpreter and inputs included."""


def in_turn(ours: Callable[[], object], peer: Callable[[], float], rounds: int) -> Times:
    """Both once to warm up, then ours and the peer alternately; `peer` answers the seconds that it took."""
    ours()
    peer()
    own: list[float] = []
    other: list[float] = []
    _forget_peak_memory()
    for _ in range(rounds):
        own.append(seconds_of(ours))
        other.append(peer())
    return Times(own, other, _peak_mebibytes())


class Table:
    """Rows as they are measured; `exit_status` is 1 once one of them missed its goal."""

    def __init__(self, unit: str = "M/s", units_per_amount: float = 1e-6) -> None:
        self._unit = unit
        self._scale = units_per_amount
        self.exit_status = 0
        title = f"{'work':<58} {'ours':>12} {'peer':>12} {'ratio':>8} {'goal':>6} {'memory':>9}"
        self._print(f"{title}\n{'-' * len(title)}")

    def row(self, name: str, amount: float, times: Times, goal: float, note: str = "") -> float:
        """`amount` is what one run works through; rates are `amount` a second in the table's unit."""
        ratio = float(np.median(np.array(times.peer) / np.array(times.ours)))
        ours, peer = (amount * self._scale / float(np.median(seconds)) for seconds in times[:2])
        missed = "" if ratio >= goal else "  BELOW GOAL"
        self._print(
            f"{name:<58} {f'{ours:.4g} {self._unit}':>12} {f'{peer:.4g} {self._unit}':>12} {ratio:>7.1f}x {goal:>5g}x"
            f" {times.peak_mebibytes:>5.0f} MiB{missed}"
        )
        if note:
            self._print(f"    {note}")
        self.exit_status |= int(ratio < goal)
        return ratio

    def bound(self, name: str, value: float, limit: float = np.inf) -> None:
        """An error, or another figure that must not pass its limit."""
        missed = "" if value <= limit else "  ABOVE LIMIT"
        self._print(f"    {name}: {value:.2g}{f' (limit {limit:g})' if limit < np.inf else ''}{missed}")
        self.exit_status |= int(not value <= limit)

    def _print(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _forget_peak_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mebibytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
