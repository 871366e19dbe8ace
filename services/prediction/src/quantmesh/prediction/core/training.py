"""Training with walk-forward evaluation: one network, fitted step by step into the data, scored ahead of each fit.

Pure but for the network behind `SequenceModel` and the watch that looks at the time.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.errors import BudgetTooSmall, FitDiverged
from quantmesh.prediction.core.evaluation import Scored, walk_forward
from quantmesh.prediction.core.model import Skill
from quantmesh.prediction.core.panel import CLOSES_NEEDED, Dates, Panel, Rows, Windows, stretch_starts

STRETCHES: Final = 6
"""Scored stretches, in the later half of the data; the first of them only calibrates the next."""

_SCORED_AT_ONCE: Final = 4096
_FEWEST_SESSIONS: Final = 504
_FEWEST_WINDOWS: Final = 60
"""In a stretch; half of them may end beyond it where history is short."""
_STEPS_PER_REPORT: Final = 10
_BEFORE_FITS: Final = 0.15
_FITS: Final = 0.8
"""Of the progress: reading and TensorFlow's start come before the fits, the export after them."""


class SequenceModel(Protocol):
    """A network that answers location and scale in units of the naive scale, from windows (n, WINDOW, features)."""

    def step(self, windows: Windows, targets: Windows) -> float:
        """One step of gradient descent on a batch; the loss before it."""
        ...

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Location and scale, each of shape (n,)."""
        ...

    def export(self, probe: Windows) -> bytes:
        """The network as ONNX, computing on `probe` what the network does. Raises ExportDiffers."""
        ...


class Watch(Protocol):
    """Who follows a training: progress goes out, the wish to stop comes in."""

    def report(self, progress: float, message: str) -> None:
        """Raises to end the training, where that was asked for."""
        ...

    def fits_begin(self) -> None:
        """Everything is loaded and traced; from here on time is spent on learning."""
        ...

    def seconds_left(self) -> float: ...

    def stop(self) -> None:
        """From now on `report` raises."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much is learnt: steps of the first fit and of each that continues it, and windows in a step."""

    first_steps: int = 600
    next_steps: int = 150
    batch: int = 512
    seed: int = 1

    def steps(self) -> list[int]:
        """Of each fit: one ahead of every stretch, and the last one on everything."""
        return [self.first_steps] + [self.next_steps] * STRETCHES


@dataclass(frozen=True, slots=True)
class Trained:
    onnx: bytes
    skill: Skill
    calibration: Calibration
    steps: tuple[int, ...]
    stopped_early: bool


@dataclass(frozen=True, slots=True)
class _Progress:
    """One fit's place in the whole."""

    watch: Watch
    label: str
    before: int
    planned: int

    def report(self, taken: int) -> None:
        self.watch.report(_BEFORE_FITS + _FITS * (self.before + taken) / self.planned, self.label)


def closes_needed(horizon: int) -> int:
    """For a training half, and stretches in which outcomes become known."""
    return CLOSES_NEEDED + max(_FEWEST_SESSIONS, 4 * STRETCHES * horizon) + horizon


def train(panel: Panel, model: SequenceModel, recipe: Recipe, watch: Watch) -> Trained:
    """Fit, score the next stretch, fit on; at last fit on everything and export.

    The same panel, recipe and seed give the same model, unless the time runs out: then the fits end early and `steps`
    says where. Intervals are calibrated on the errors of all stretches, each made by a model that had not seen it.
    """
    watch.fits_begin()
    random = np.random.default_rng(recipe.seed)
    starts = stretch_starts(panel, STRETCHES)
    stride = _stride(panel, starts)
    planned = recipe.steps()
    done: list[int] = []
    scored: list[Scored] = []
    for index, steps in enumerate(planned):
        last = index == STRETCHES
        rows = np.flatnonzero(panel.usable) if last else panel.rows_known_before(starts[index])
        label = "fitting on everything" if last else f"fit {index + 1} of {STRETCHES}, then scored ahead"
        batches = islice(_batches(panel, rows, recipe, random), steps)
        progress = _Progress(watch, label, sum(done), sum(planned))
        done.append(_fit(model, batches, steps, sum(planned[index + 1 :]), progress))
        if done[0] < min(recipe.first_steps, recipe.next_steps):
            raise BudgetTooSmall(done[0])
        if not last:
            scored.append(_score(panel, panel.rows_between(starts[index], starts[index + 1], stride), model))
    watch.report(_BEFORE_FITS + _FITS, "exporting")
    skill, calibration = walk_forward(scored)
    probe = panel.windows(np.flatnonzero(panel.usable)[-_SCORED_AT_ONCE:])
    return Trained(model.export(probe), skill, calibration, tuple(done), sum(done) < sum(planned))


def _stride(panel: Panel, starts: Dates) -> int:
    """Sessions between scored windows: the horizon, so that they do not overlap, unless that leaves too few."""
    later_half = int(np.count_nonzero(panel.usable & (panel.date >= starts[0])))
    return max(1, min(panel.horizon, later_half // STRETCHES // _FEWEST_WINDOWS))


def _batches(
    panel: Panel, rows: Rows, recipe: Recipe, random: np.random.Generator
) -> Iterator[tuple[Windows, Windows]]:
    """Windows and their targets, drawn at random from `rows` without end."""
    while True:
        drawn = rows[random.integers(0, len(rows), recipe.batch)]
        yield panel.windows(drawn), panel.targets(drawn)


def _fit(
    model: SequenceModel,
    batches: Iterable[tuple[Windows, Windows]],
    steps: int,
    later_steps: int,
    progress: _Progress,
) -> int:
    """The steps taken: all of them, or fewer where time is short.

    A fit ends early when it has used its share of the time, and the rest would not do for the later ones at the best
    pace seen: a moment of slowness in a training with time to spare changes nothing, and so not the model either.
    """
    looked = began = progress.watch.seconds_left()
    share = began * steps / (steps + later_steps)
    pace = math.inf
    taken = 0
    for windows, targets in batches:
        if taken % _STEPS_PER_REPORT == 0:
            progress.report(taken)
            left = progress.watch.seconds_left()
            if taken:
                pace = min(pace, (looked - left) / _STEPS_PER_REPORT)
            looked = left
            if began - left > share and left <= pace * later_steps:
                break
        if not np.isfinite(model.step(windows, targets)):
            raise FitDiverged(taken)
        taken += 1
    return taken


def _score(panel: Panel, rows: Rows, model: SequenceModel) -> Scored:
    answers = [
        model.predict(panel.windows(rows[start : start + _SCORED_AT_ONCE]))
        for start in range(0, len(rows), _SCORED_AT_ONCE)
    ]
    unit = panel.unit[rows]
    return Scored(
        made_on=panel.date[rows],
        known_on=panel.known_on[rows],
        location=np.concatenate([location for location, _ in answers]) * unit,
        scale=np.concatenate([scale for _, scale in answers]) * unit,
        outcome=panel.outcome[rows],
    )
