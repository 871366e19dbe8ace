"""March values over a grid of spots in units of the forward, as plain Python and source of its kernel.

In `y = spot / forward` the value of a claim obeys `V_t + sigma^2(y, t) y^2 V_yy / 2 = r V` backwards in time, and
Dupire's equation gives prices of calls in units of the discounted forward, `c_T = sigma^2(y, T) y^2 c_yy / 2`, forwards
in expiry over strikes `y`: the same operator. Its three-point differences are exact for a constant and for `y`, so that
neither drift nor parity is lost, and no point of the grid has a negative weight.
"""

from typing import Any

from quantmesh.quant._american_grid_formulas import step_back


def fill_diffusion(y: Any, variances: Any, rate: float, operator: Any) -> None:
    """Rows below, on and above the diagonal; at both ends the second derivative is zero."""
    last = y.size - 1
    for i in range(1, last):
        down = y[i] - y[i - 1]
        up = y[i + 1] - y[i]
        scaled = variances[i] * y[i] * y[i] / (down + up)
        operator[0, i] = scaled / down
        operator[2, i] = scaled / up
        operator[1, i] = -operator[0, i] - operator[2, i] - rate
    for i in (0, last):
        operator[0, i], operator[1, i], operator[2, i] = 0.0, -rate, 0.0


def march(
    y: Any,
    variances: Any,
    lengths: Any,
    smoothed: int,
    rate: float,
    sign: float,
    strike: float,
    forwards: Any,
    american: bool,
    operator: Any,
    work: Any,
    outputs: Any,
) -> None:
    """From `outputs[0]` through all steps: `outputs[n + 1]` after one of `lengths[n]` under `variances[n]`.

    The first steps are two implicit halves each, the others Crank and Nicolson's. Early exercise pays
    `sign (forwards[n + 1] y - strike)` after step n. Rows of `work`: four of `step_back`, and the payoff.
    """
    payoff = work[4]
    for i in range(y.size):
        work[1, i] = 0.0
    for n in range(lengths.size):
        values = outputs[n + 1]
        for i in range(y.size):
            values[i] = outputs[n, i]
            payoff[i] = sign * (forwards[n + 1] * y[i] - strike)
        fill_diffusion(y, variances[n], rate, operator)
        if n < smoothed:
            step_back(values, payoff, operator, 0.5 * lengths[n], 1.0, american, work)
            step_back(values, payoff, operator, 0.5 * lengths[n], 1.0, american, work)
        else:
            step_back(values, payoff, operator, lengths[n], 0.5, american, work)
