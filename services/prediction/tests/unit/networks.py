"""A network small enough to know: it learns one number, the mean of the targets."""

from collections.abc import Callable

import numpy as np

from quantmesh.prediction.core.panel import Windows


class MeanNetwork:
    def __init__(self, seed: int = 0, loss: Callable[[int], float] = lambda _step: 1.0) -> None:
        self.steps = 0
        self.mean = 0.0
        self.seen: list[float] = []
        self._loss = loss

    def step(self, windows: Windows, targets: Windows) -> float:
        self.steps += 1
        self.seen.append(float(targets.sum()))
        self.mean += (float(targets.mean()) - self.mean) / self.steps
        return self._loss(self.steps)

    def predict(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(windows), self.mean), np.ones(len(windows))

    def export(self, probe: Windows) -> bytes:
        return np.float64(self.mean).tobytes()


class Watcher:
    """Time that passes by a fixed amount at each look, and a record of what was reported."""

    def __init__(self, seconds: float = 1000.0, per_look: float = 0.0) -> None:
        self._left = seconds
        self._per_look = per_look
        self.reports: list[tuple[float, str]] = []
        self.fits_began = False

    def report(self, progress: float, message: str) -> None:
        self.reports.append((progress, message))

    def fits_begin(self) -> None:
        self.fits_began = True

    def stop(self) -> None:
        raise NotImplementedError("nothing here stops a training")

    def pass_by(self, seconds: float) -> None:
        self._left -= seconds

    def seconds_left(self) -> float:
        self._left -= self._per_look
        return self._left
