"""The far end of the profits of a book that is priced anew in every scenario."""

import numpy as np

from quantmesh.quant._samples import Floats
from quantmesh.quant._tail import ValueAtRisk, incremental_of, shortfall_weights, standard_errors
from quantmesh.quant.book import Book
from quantmesh.quant.revaluation import Groups, groups_of, revalue
from quantmesh.quant.scenarios import Scenarios

# Profits of so many groups times scenarios are held at once.
_PROFITS_AT_ONCE = 4_000_000


def revalued_tail(
    book: Book,
    scenarios: Scenarios,
    confidence: float,
    weights: Floats,
    *,
    by: Groups,
    is_simulated: bool,
    scale: float = 1.0,
) -> ValueAtRisk:
    """`weights` of the losses, sorted upwards, in the value. Marginal figures are by the relative size of a group.

    Groups that do not fit the memory together are valued in parts, after the whole book, which orders the scenarios.
    """
    groups, count = groups_of(book, by)
    at_once = max(1, _PROFITS_AT_ONCE // scenarios.count)

    def profits_of(start: int, stop: int) -> Floats:
        """Groups by scenarios."""
        chosen = (groups >= start) & (groups < stop)
        part = revalue(book.where(chosen), scenarios, by=groups[chosen] - start).profits
        profits = np.zeros((stop - start, scenarios.count))
        profits[: part.shape[0]] = part
        return profits

    whole = profits_of(0, count) if count <= at_once else None
    losses = -(revalue(book, scenarios).profits[0] if whole is None else whole.sum(axis=0))
    order = np.argsort(losses, kind="stable")
    tail = shortfall_weights(losses.size, confidence)
    value, shortfall = float(weights @ losses[order]), float(tail @ losses[order])
    contributions, shortfall_contributions, incremental = (np.zeros(count) for _ in range(3))
    for start in range(0, count, at_once):
        stop = min(start + at_once, count)
        profits = profits_of(start, stop) if whole is None else whole
        contributions[start:stop] = -(profits[:, order] @ weights)
        shortfall_contributions[start:stop] = -(profits[:, order] @ tail)
        incremental[start:stop] = incremental_of(profits.T, losses, weights, value)
    error, shortfall_error = standard_errors(losses, confidence) if is_simulated else (None, None)
    return ValueAtRisk(
        value=value * scale,
        expected_shortfall=shortfall * scale,
        contributions=contributions * scale,
        shortfall_contributions=shortfall_contributions * scale,
        marginal=contributions * scale,
        incremental=incremental * scale,
        standard_error=error,
        shortfall_standard_error=shortfall_error,
    )
