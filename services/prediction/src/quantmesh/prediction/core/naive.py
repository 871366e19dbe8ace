"""The naive forecast: the price stays where it is, and strays as widely as it lately did.

It answers until a model is trained, and is what every model is measured against.
"""

from typing import Final

import numpy as np

from quantmesh.prediction.core.errors import HistoryTooShort
from quantmesh.prediction.core.evaluation import Scored, walk_forward
from quantmesh.prediction.core.features import VOLATILITY_SESSIONS, daily_volatility
from quantmesh.prediction.core.model import Closes, ReturnForecast
from quantmesh.prediction.core.prediction import Prediction

NAIVE_NAME: Final = "naive"
NAIVE_VERSION: Final = "naive-1"

_STRETCHES: Final = 4
_FEWEST_WINDOWS: Final = 120


def closes_needed(horizon: int) -> int:
    """For a volatility, and enough past windows to say how far such forecasts strayed.

    Of the windows in the first stretch (thirty at least, evenly spread) those whose outcome overlaps the second do not
    count, and nineteen must remain to calibrate it: hence the horizons.
    """
    return VOLATILITY_SESSIONS + 1 + horizon + 12 * horizon + _FEWEST_WINDOWS


def forecast_naively(series: Closes, horizon: int, note: str) -> Prediction:
    """Of the log return over `horizon` closes, scored walk-forward on the series' own past.

    Windows do not overlap where that leaves at least 120 of them. Raises HistoryTooShort.
    """
    needed = closes_needed(horizon)
    if len(series) < needed:
        raise HistoryTooShort(series.symbol, len(series), needed)
    scale = daily_volatility(series.closes) * np.sqrt(horizon)
    log_price = np.log(series.closes)
    last_made = len(series) - horizon
    step = max(1, min(horizon, (last_made - VOLATILITY_SESSIONS) // _FEWEST_WINDOWS))
    made = np.arange(VOLATILITY_SESSIONS, last_made, step)
    stretches = [
        Scored(
            made_on=series.dates[part],
            known_on=series.dates[part + horizon],
            location=np.zeros(len(part)),
            scale=scale[part],
            outcome=log_price[part + horizon] - log_price[part],
        )
        for part in np.array_split(made, _STRETCHES)
    ]
    skill, calibration = walk_forward(stretches)
    expected = ReturnForecast(0.0, float(scale[-1]))
    return Prediction(expected, calibration, skill, NAIVE_NAME, NAIVE_VERSION, note)
