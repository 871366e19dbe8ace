"""Between the slices of a surface: forwards, total variance and its derivatives at any time."""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._svi_formulas import Smile, smile


class Point(NamedTuple):
    smile: Smile
    forward_variance: Floats  # total variance by time at constant log-moneyness


def interpolate(times: Floats, rows: Floats, k: Floats, time: Floats) -> Point:
    """Linear in time from 0 at time 0; beyond the last slice the smile of total variance shifts in parallel."""
    later = np.minimum(np.searchsorted(times, time), times.size - 1)
    earlier = np.maximum(later - 1, 0)
    is_first = later == 0
    start = np.where(is_first, 0.0, times[earlier])
    inside = np.minimum(time, times[-1])
    share = (inside - start) / (times[later] - start)
    far, near = smile(rows[later], k), smile(rows[earlier], k)
    base = Smile(*(np.where(is_first, 0.0, part) for part in near))
    between = Smile(*((1.0 - share) * b + share * f for b, f in zip(base, far, strict=True)))
    pace = (far.w - base.w) / (times[later] - start)
    at_the_money = smile(rows[-1], np.zeros(())).w / times[-1]
    beyond = np.maximum(time - times[-1], 0.0)
    return Point(between._replace(w=between.w + at_the_money * beyond), np.where(time > times[-1], at_the_money, pace))


def forward_at(times: Floats, forwards: Floats, spot: float | None, time: Floats) -> Floats:
    """Linear in time in its logarithm, beyond the ends at the pace of the nearest interval; the spot is at time 0."""
    if spot is not None:
        times, forwards = np.insert(times, 0, 0.0), np.insert(forwards, 0, spot)
    logarithms = np.log(forwards)
    if times.size == 1:
        return np.full(np.shape(time), forwards[0])
    later = np.clip(np.searchsorted(times, time), 1, times.size - 1)
    pace = (logarithms[later] - logarithms[later - 1]) / (times[later] - times[later - 1])
    forward: Floats = np.exp(logarithms[later - 1] + pace * (time - times[later - 1]))
    return forward
