"""What a model learns from: windows of features of many symbols, and the returns that followed them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.features import LOOKBACK, daily_volatility, feature_table
from quantmesh.prediction.core.model import Closes

WINDOW: Final = 20
"""Sessions of features that the network reads for one forecast."""

CLOSES_NEEDED: Final = LOOKBACK + WINDOW - 1
"""For one window."""

_TARGET_LIMIT: Final = 5.0
"""Outcomes are clipped at so many standard deviations in training, and only there."""

Rows = npt.NDArray[np.intp]
Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Windows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Panel:
    """One row per symbol and session, symbol after symbol; arrays of shape (rows,), features (rows, features).

    `unit` is the naive forecast's scale: what the model answers is in this unit. `outcome` is the log return over the
    horizon, known on `known_on`; both are missing (NaN, NaT) at the end of each symbol.
    """

    features: Windows
    date: Dates
    known_on: Dates
    unit: Floats
    outcome: Floats
    position: Rows
    horizon: int

    @classmethod
    def of(cls, histories: Sequence[Closes], horizon: int) -> "Panel":
        tables, dates, known, units, outcomes, positions = [], [], [], [], [], []
        for series in histories:
            log_price = np.log(series.closes)
            tables.append(feature_table(series).astype(np.float32))
            dates.append(series.dates)
            known.append(np.concatenate([series.dates[horizon:], np.full(horizon, np.datetime64("NaT", "D"))]))
            units.append(daily_volatility(series.closes) * np.sqrt(horizon))
            outcomes.append(np.concatenate([log_price[horizon:] - log_price[:-horizon], np.full(horizon, np.nan)]))
            positions.append(np.arange(len(series)))
        return cls(
            np.concatenate(tables),
            np.concatenate(dates),
            np.concatenate(known),
            np.concatenate(units),
            np.concatenate(outcomes),
            np.concatenate(positions),
            horizon,
        )

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Rows with a whole window behind them and an outcome ahead."""
        return (self.position >= CLOSES_NEEDED - 1) & np.isfinite(self.outcome)

    def rows_known_before(self, date: np.datetime64) -> Rows:
        """Everything a model may learn from on `date`: the outcome was known the day before."""
        return np.flatnonzero(self.usable & (self.known_on < date))

    def rows_between(self, start: np.datetime64, end: np.datetime64, stride: int) -> Rows:
        """Windows to score: every `stride`-th of a symbol, made from `start` on, outcome known before `end`."""
        inside = (self.date >= start) & (self.known_on < end)
        return np.flatnonzero(self.usable & inside & (self.position % stride == 0))

    def windows(self, rows: Rows) -> Windows:
        """Shape (len(rows), WINDOW, features): each row's own session comes last."""
        windows: Windows = self.features[rows[:, None] + np.arange(1 - WINDOW, 1)]
        return windows

    def targets(self, rows: Rows) -> Windows:
        """Outcomes in units of the naive scale."""
        scaled = self.outcome[rows] / self.unit[rows]
        return np.clip(scaled, -_TARGET_LIMIT, _TARGET_LIMIT).astype(np.float32)


def latest_window(series: Closes) -> Windows:
    """Shape (1, WINDOW, features): what a model is asked at the last close."""
    return feature_table(series)[-WINDOW:].astype(np.float32)[None]


def stretch_starts(panel: Panel, stretches: int) -> Dates:
    """Dates that cut the later half of the usable sessions into `stretches` equal parts; one more for their end."""
    sessions = np.unique(panel.date[panel.usable])
    cuts = np.linspace(len(sessions) // 2, len(sessions), stretches + 1).round().astype(np.intp)
    after_last = panel.known_on[panel.usable].max() + np.timedelta64(1, "D")
    return np.append(sessions[cuts[:-1]], after_last)
