"""The rest of a sum whose terms turn but hardly shrink, by Wynn's epsilon algorithm (1956).

With a correlation near -1 or 1 a characteristic function falls off so slowly that its nodes would go on for millions.
"""

from typing import Any

import numpy as np

# Partial sums that the algorithm sees: the last column is of even order.
PARTIAL_SUMS = 33


def limit_of(sequence: Any) -> tuple[complex, float]:
    """Of PARTIAL_SUMS values at equal distances; and how far the three orders lie apart that agree best."""
    before = np.zeros(PARTIAL_SUMS + 1, dtype=np.complex128)
    current = np.zeros(PARTIAL_SUMS + 1, dtype=np.complex128)
    for i in range(PARTIAL_SUMS):
        current[i] = sequence[i]
    newest = current[PARTIAL_SUMS - 1]
    limit, error, last_change = newest, np.inf, np.inf
    for order in range(1, PARTIAL_SUMS):
        for i in range(PARTIAL_SUMS - order):
            difference = current[i + 1] - current[i]
            if difference == 0.0:
                return limit, error
            before[i] = before[i + 1] + 1.0 / difference
        before, current = current, before
        if order % 2 == 0:
            change = abs(current[PARTIAL_SUMS - 1 - order] - newest)
            newest = current[PARTIAL_SUMS - 1 - order]
            if change + last_change < error:
                limit, error = newest, change + last_change
            last_change = change
    return limit, error
