import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import covariance
from quantmesh.quant._samples import Floats, sample_of
from quantmesh.quant._tail import shortfall_weights
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, Limits, settle
from quantmesh.quant.optimize._holdings import on_chosen
from quantmesh.quant.optimize._infeasibility import require_feasible
from quantmesh.quant.optimize._linear_form import LinearObjective
from quantmesh.quant.optimize._optimum import Certificate, Moments, Optimum, optimum_of
from quantmesh.quant.optimize._tail_program import TailProgram

_SOLVER = "highs"


def minimum_cvar(
    returns: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    confidence: float = 0.95,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """The weights of least conditional value at risk (expected shortfall) of the loss over one observation, plus costs.

    `returns` are observations by assets, each as likely; the conditional value at risk is the mean of the worst
    (1 - `confidence`) of them, a fraction of the last one included (Rockafellar and Uryasev, 2002, eq. 9). Statistics
    are of the same sample, and `risk_free_rate` has its period. Raises as minimum_variance does.
    """
    sample = sample_of(returns)
    if not 0.0 < confidence < 1.0:
        raise DomainError("confidence", confidence, "between 0 and 1")
    moments = Moments(covariance.sample(sample), sample.mean(axis=0), risk_free_rate)
    limits = constraints.limits(sample.shape[1])
    require_feasible(limits)
    tail = (1.0 - confidence) * sample.shape[0]
    in_tail = shortfall_weights(sample.shape[0], confidence)

    def objective(weights: Floats) -> float:
        return float(in_tail @ np.sort(-(sample @ weights))) + limits.cost_of(weights)

    weights, certificate = _least_tail(sample, moments.covariance, limits, tail)
    return optimum_of(weights, limits, moments, objective, certificate)


def _least_tail(sample: Floats, matrix: Floats, limits: Limits, tail: float) -> tuple[Floats, Certificate]:
    program = TailProgram(sample, matrix, limits, tail)
    found = program.solve()
    if limits.is_discrete:
        choice = program.choose()
        weights, among = _least_tail(sample, matrix, on_chosen(limits, choice.chosen), tail)
        iterations = found.iterations + choice.iterations + among.iterations
        return weights, Certificate(_SOLVER, iterations, choice.bound)
    # The multipliers are the worst probabilities of the observations: with any such the mean loss is a bound.
    probabilities = np.clip(found.multipliers, 0.0, 1.0 / tail)
    probabilities /= probabilities.sum()
    bound = LinearObjective(limits).least(-(sample.T @ probabilities))[1]
    return settle(found.weights, limits), Certificate(_SOLVER, found.iterations, bound)
