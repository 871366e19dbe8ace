"""American options: what a policy of exercise earns, and an upper bound by duality."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quantmesh.quant._arguments import Floats, sign_of
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._exercise_basis import Basis, Paths, combination, paths_of
from quantmesh.quant.monte_carlo._payoff import Control, Evaluation, check_one_asset, check_strike_and_time
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._vanilla import OptionType


@dataclass(frozen=True, slots=True)
class American:
    """max(S - K, 0) or max(K - S, 0), now or at any step.

    The value is a lower bound: what the policy of Longstaff and Schwartz (2001), fitted to paths of its own, earns on
    fresh ones. The upper bound is the dual one of Rogers (2002) and Haugh and Kogan (2004), with a martingale that
    regression finds among Hermite polynomials of each step's normals (after Belomestny, Bender and Schoenmakers 2009).
    Whatever the fit it is a martingale, so that the bound is true; it is the lower bound's control variate too.
    """

    option_type: OptionType
    strike: float
    time_to_expiry: float

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)

    def check(self, process: Process) -> None:
        check_one_asset(process)

    def intrinsic(self, logarithms: Floats) -> Floats:
        values: Floats = np.maximum(sign_of(self.option_type) * (np.exp(logarithms) - self.strike), 0.0)
        return values


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights on the basis of every step but the last: of the continuation's value, and of the martingale's move."""

    bases: tuple[Basis, ...]
    continuation: tuple[Floats, ...]
    martingale: tuple[Floats, ...]
    exercises_now: bool


@dataclass(frozen=True, slots=True)
class Exercise:
    """An American option under a policy as a payoff: what it earns, or with `dual` its upper bound."""

    option: American
    policy: Policy
    dual: bool
    needs_variance = True
    needs_normals = True
    uniforms = 0
    observations = None

    @property
    def time_to_expiry(self) -> float:
        return self.option.time_to_expiry

    def first_date(self, steps: int) -> int:
        return steps

    def check(self, process: Process) -> None:
        self.option.check(process)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        discounts = schedule.discounts(process.rate)

        def fill(block: Floats, values: Floats, row: int) -> None:
            paths = paths_of(block, process, schedule)
            if self.dual:
                values[row] = self._hindsight(paths, discounts)
            else:
                values[row], values[row + 1] = self._earned(paths, discounts)

        return Evaluation(fill, () if self.dual else (Control("martingale", 0.0, None),))

    def _steps(self, paths: Paths) -> Iterator[tuple[int, Floats, Floats]]:
        """Every step, its continuation value (none at the last, where it is 0) and the martingale so far."""
        martingale = np.zeros(paths.count)
        policy, last = self.policy, len(self.policy.bases)
        for step in range(last):
            features = policy.bases[step].features(paths, step)
            yield step, combination(policy.continuation[step], features.values), martingale
            moves = features.moves(paths.normals(step))
            martingale = martingale + combination(policy.martingale[step], moves)
        yield last, np.zeros(paths.count), martingale

    def _earned(self, paths: Paths, discounts: Floats) -> tuple[Floats, Floats]:
        """The discounted payoff at exercise, and the martingale there."""
        earned, stopped = np.zeros(paths.count), np.zeros(paths.count)
        if self.policy.exercises_now:
            return earned + self.option.intrinsic(paths.logarithms(0)), stopped
        alive = np.ones(paths.count, np.bool_)
        for step, continuation, martingale in self._steps(paths):
            paid = discounts[step] * self.option.intrinsic(paths.logarithms(step))
            leaves = alive & (paid > 0.0) & (paid >= continuation) & (step > 0)
            earned[leaves], stopped[leaves] = paid[leaves], martingale[leaves]
            alive &= ~leaves
        # Those that never paid kept the option to the end.
        stopped[alive] = martingale[alive]
        return earned, stopped

    def _hindsight(self, paths: Paths, discounts: Floats) -> Floats:
        """The most that one who knew the path could gain over the martingale."""
        best = np.zeros(paths.count)
        for step, _, martingale in self._steps(paths):
            paid = discounts[step] * self.option.intrinsic(paths.logarithms(step))
            best = paid - martingale if step == 0 else np.maximum(best, paid - martingale)
        return best
