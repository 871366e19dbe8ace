"""The linear program of Rockafellar and Uryasev (Journal of Risk 2, 2000) on as few rows and columns as decide it.

minimise z + sum(u) / ((1 - confidence) T) + costs, where u_t >= 0 and u_t >= -r_t' w - z for each observation t. An
observation left out only lowers the optimum, so that one where no omitted loss passes z is optimal. An asset left out
has no weight, which is optimal where its reduced cost is not negative. Few of either matter: HiGHS continues from basis
to basis as they come in (row generation as in Kuenzi-Bay and Mayer, Computational Management Science 3, 2006).
"""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.optimize._constraints import Limits
from quantmesh.quant.optimize._exchange_kernels import exchange
from quantmesh.quant.optimize._highs import INFINITY, Model, Solution, certain
from quantmesh.quant.optimize._holdings import add_holdings, reach_of
from quantmesh.quant.optimize._linear_form import fill, linear_form
from quantmesh.quant.optimize._matrix_kernels import product

Indices = NDArray[np.intp]
_TOLERANCE = 1e-9
_TAILS_AT_FIRST = 2.0
_ASSETS_AT_FIRST = 0.2
_AT_ONCE = 100


class Tail(NamedTuple):
    weights: Floats
    multipliers: Floats  # per observation; they add up to one
    iterations: int


class Choice(NamedTuple):
    chosen: NDArray[np.bool_]
    bound: float  # in units of the returns
    iterations: int


class TailProgram:
    """`returns` are observations by assets; `tail` is the number of observations in the tail."""

    def __init__(self, returns: Floats, covariance: Floats, limits: Limits, tail: float) -> None:
        # In units of a typical return, which the solver's absolute tolerances are made for.
        self._unit = float(np.abs(returns).mean()) or 1.0
        self._returns = returns / self._unit
        self._limits = limits
        self._share = 1.0 / tail
        form = linear_form(limits)
        self._form = form._replace(cost=form.cost / self._unit)
        self._columns: Indices = np.zeros(0, np.intp)  # of the form, in the order in which the model has them
        self._places: Indices = np.zeros(0, np.intp)  # their columns in the model
        self._observations: Indices = np.zeros(0, np.intp)
        self._model = Model()
        self._model.solve_as_it_grows()
        self._model.add_columns(np.ones(1), np.array([-INFINITY]), np.array([INFINITY]))
        weights = _of_low_variance(covariance, limits)
        order = np.argsort(returns @ weights, kind="stable")
        gains = self._returns[order[: max(1, int(tail))]].mean(axis=0)
        self._add_columns(self._first_columns(weights, gains))
        count = self._form.rows.shape[0]
        rows = sparse.hstack([sparse.csr_matrix((count, 1)), self._form.rows[:, self._columns]], format="csr")
        self._model.add_rows(sparse.csr_matrix(rows), self._form.row_lower, self._form.row_upper)
        self._add_observations(order[: max(10, int(_TAILS_AT_FIRST * tail))])

    def solve(self) -> Tail:
        """The optimum, for any number of holdings."""
        iterations = 0
        while True:
            solution = certain(self._model.solve())
            iterations += solution.iterations
            weights = self._weights(solution)
            tail = self._multipliers(solution)
            columns, observations = self._missing_columns(solution, tail), self._missing_observations(solution, weights)
            if not (columns.size or observations.size):
                return Tail(weights, tail, iterations)
            self._add_columns(columns)
            self._add_observations(observations)

    def choose(self) -> Choice:
        """The optimum with limits on holdings, after `solve`, which finds most of the observations that matter."""
        limits = self._limits
        chosen = add_holdings(self._model, limits, self._places[: limits.count], reach_of(limits))
        self._model.require_integers(chosen)
        deadline = time.monotonic() + limits.given.search_seconds
        iterations = 0
        while True:
            self._model.search_anew()
            self._model.stop_after(max(deadline - time.monotonic(), 0.1))
            solution = certain(self._model.solve())
            iterations += solution.iterations
            observations = self._missing_observations(solution, self._weights(solution))
            if not observations.size or time.monotonic() > deadline:
                return Choice(solution.values[chosen] > 0.5, solution.bound * self._unit, iterations)
            self._add_observations(observations)

    def _weights(self, solution: Solution) -> Floats:
        weights = np.zeros(self._form.lower.size)
        weights[self._columns] = solution.values[self._places]
        return weights[: self._limits.count]

    def _multipliers(self, solution: Solution) -> Floats:
        multipliers = np.zeros(self._returns.shape[0])
        multipliers[self._observations] = solution.row_duals[self._form.rows.shape[0] :]
        return multipliers

    def _missing_observations(self, solution: Solution, weights: Floats) -> Indices:
        """Those outside whose loss passes the threshold, the largest first."""
        excess = -(self._returns @ weights) - solution.values[0]
        excess[self._observations] = 0.0
        return _largest(excess)

    def _missing_columns(self, solution: Solution, tail: Floats) -> Indices:
        """Those outside whose reduced cost is negative, the lowest first."""
        if self._columns.size == self._form.lower.size:
            return np.zeros(0, np.intp)
        duals = solution.row_duals[: self._form.rows.shape[0]]
        excess = self._returns.T @ tail + self._form.rows.T @ duals - self._form.cost
        excess[self._columns] = 0.0
        return _largest(excess)

    def _first_columns(self, weights: Floats, gains: Floats) -> Indices:
        """Only where a weight outside would be zero, and nothing but the budget counts it, can columns be left out."""
        everything = np.arange(self._form.lower.size)
        if not self._limits.is_box or self._limits.lower.any():
            return everything
        gains = np.where(weights > 0.0, np.inf, gains)
        order: Indices = np.argsort(-gains, kind="stable")
        reach = np.cumsum(self._limits.upper[order])
        enough = int(np.searchsorted(reach, self._limits.budget)) + 1
        wanted = max(enough, int((weights > 0.0).sum()), int(_ASSETS_AT_FIRST * weights.size))
        return order[:wanted]

    def _add_columns(self, columns: Indices) -> None:
        if not columns.size:
            return
        assets = columns[columns < self._limits.count]
        entries = None
        if self._columns.size:
            losses = sparse.csr_matrix(self._returns[np.ix_(self._observations, assets)].T)
            entries = sparse.csr_matrix(sparse.hstack([self._form.rows[:, columns].T, losses]))
        form = self._form
        places = self._model.add_columns(form.cost[columns], form.lower[columns], form.upper[columns], entries)
        self._columns = np.concatenate([self._columns, columns])
        self._places = np.concatenate([self._places, np.arange(places.start, places.stop)])

    def _add_observations(self, observations: Indices) -> None:
        """Rows r_t' w + z + u_t >= 0, each with its column u_t."""
        size = observations.size
        if not size:
            return
        shortfalls = self._model.add_columns(np.full(size, self._share), np.zeros(size), np.full(size, INFINITY))
        are_weights = self._columns < self._limits.count
        assets, places = self._columns[are_weights], self._places[are_weights]
        indices = np.empty((size, assets.size + 2), np.int32)
        values = np.ones((size, assets.size + 2))
        indices[:, 0] = 0
        indices[:, 1:-1] = places
        indices[:, -1] = np.arange(shortfalls.start, shortfalls.stop)
        values[:, 1:-1] = self._returns[np.ix_(observations, assets)]
        starts = np.arange(size + 1) * (assets.size + 2)
        rows = sparse.csr_matrix((values.ravel(), indices.ravel(), starts), shape=(size, shortfalls.stop))
        self._model.add_rows(rows, np.zeros(size), np.full(size, INFINITY))
        self._observations = np.concatenate([self._observations, observations])


def _largest(excess: Floats) -> Indices:
    found = np.flatnonzero(excess > _TOLERANCE)
    return found[np.argsort(-excess[found], kind="stable")][:_AT_ONCE]


def _of_low_variance(covariance: Floats, limits: Limits) -> Floats:
    """Roughly the weights of least variance within the bounds: its worst observations are most of the right ones."""
    weights = fill(limits, np.argsort(np.diagonal(covariance)))
    gradient = product(covariance, weights)
    tolerance = 1e-6 * float(np.abs(gradient).max())
    exchange(covariance, gradient, weights, limits.lower, limits.upper, weights.size, tolerance)
    return weights
