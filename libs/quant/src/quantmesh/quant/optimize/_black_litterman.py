import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, check_finite, covariance_of, vector_of
from quantmesh.quant.errors import DomainError


class Posterior(NamedTuple):
    """What an investor expects who starts from the market's weights and adds views; all per period of the inputs.

    `expected_return` and `covariance` go into any objective. `implied_return` is the prior, `tilt` how far each view
    moves the unconstrained optimum along its portfolio, and `uncertainty` (omega) the covariance of the views' errors.
    """

    expected_return: Floats
    covariance: Floats
    implied_return: Floats
    tilt: Floats
    uncertainty: Floats


def black_litterman(
    covariance: ArrayLike,
    market_weights: ArrayLike,
    *,
    views: ArrayLike,
    view_returns: ArrayLike,
    uncertainty: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    risk_aversion: float = 2.5,
    tau: float = 0.05,
) -> Posterior:
    """Views blended with the returns that make the market's weights optimal (Black and Litterman, 1992).

    `views` (P) is views by assets, `view_returns` (Q) what each portfolio of `views` is expected to return in excess of
    the risk-free rate. `uncertainty` (omega) is a covariance of the views' errors, or its diagonal; instead of it a
    `confidence` from 0 to 1 for each view gives omega = (1 / confidence - 1) tau p'Cp, with which a view alone moves
    the weights by that part of the way to certainty (Idzorek, 2005; Walters, 2014, section "Idzorek's extension").
    With neither, omega = diag(tau P C P') (He and Litterman, 1999). The mean is their equation 8 in the form that
    needs no inverse of omega (Meucci, 2010, eq. 20), so that certain views hold exactly; the covariance is C plus that
    of the mean (He and Litterman, 1999, eq. 10; Meucci, 2010, eq. 21).
    """
    matrix = covariance_of(covariance)
    count = matrix.shape[0]
    market = vector_of("market_weights", market_weights, count)
    for name, value in (("risk_aversion", risk_aversion), ("tau", tau)):
        if not 0.0 < value < math.inf:
            raise DomainError(name, value, "a positive number")
    pick = np.asarray(views, dtype=np.float64)
    if pick.ndim != 2 or pick.shape[1] != count:
        raise DomainError("views", f"shape {pick.shape}", f"views by {count} assets")
    check_finite("views", pick)
    opinions = vector_of("view_returns", view_returns, pick.shape[0])
    implied = risk_aversion * (matrix @ market)
    prior = tau * matrix
    spread = prior @ pick.T
    errors = _uncertainty(np.diagonal(pick @ spread), uncertainty, confidence)
    total = pick @ spread + errors
    try:
        surprise = np.column_stack([opinions - pick @ implied, spread.T])
        gain = np.asarray(np.linalg.solve(total, surprise), dtype=np.float64)
    except np.linalg.LinAlgError:
        requirement = "independent, or uncertain: certain views that repeat or contradict each other have no answer"
        raise DomainError("views", "a singular set of views", requirement) from None
    mean = implied + spread @ gain[:, 0]
    updated = matrix + prior - spread @ gain[:, 1:]
    tilt: Floats = tau * gain[:, 0] / risk_aversion
    return Posterior(mean, 0.5 * (updated + updated.T), implied, tilt, errors)


def _uncertainty(variances: Floats, uncertainty: ArrayLike | None, confidence: ArrayLike | None) -> Floats:
    size = variances.size
    if uncertainty is not None and confidence is not None:
        raise DomainError("confidence", confidence, "left out beside uncertainty, which says the same")
    if confidence is not None:
        levels = vector_of("confidence", confidence, size)
        wrong = np.flatnonzero((levels <= 0.0) | (levels > 1.0))
        if wrong.size:
            raise DomainError("confidence", float(levels[wrong[0]]), "above 0, up to 1", int(wrong[0]))
        return np.diag((1.0 / levels - 1.0) * variances)
    if uncertainty is None:
        return np.diag(variances)
    given = np.asarray(uncertainty, dtype=np.float64)
    errors = np.diag(vector_of("uncertainty", given, size)) if given.ndim == 1 else given
    if errors.shape != (size, size) or not np.allclose(errors, errors.T):
        raise DomainError("uncertainty", f"shape {given.shape}", f"{size} variances, or a symmetric {size} by {size}")
    check_finite("uncertainty", errors)
    lowest = float(np.linalg.eigvalsh(errors).min()) if size else 0.0
    if lowest < -1e-12 * float(np.abs(errors).max()):
        raise DomainError("uncertainty", f"an eigenvalue of {lowest:.3g}", "a covariance, with none below zero")
    return errors
