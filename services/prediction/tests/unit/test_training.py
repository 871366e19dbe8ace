import numpy as np
import pytest

from quantmesh.prediction.core.errors import BudgetTooSmall, FitDiverged
from quantmesh.prediction.core.panel import Panel
from quantmesh.prediction.core.training import STRETCHES, Recipe, closes_needed, train

from .networks import MeanNetwork, Watcher
from .prices import random_walk

RECIPE = Recipe(first_steps=60, next_steps=20, batch=64)


def panel(drift: float = 0.0, horizon: int = 5) -> Panel:
    return Panel.of([random_walk(1500, seed, f"S{seed}", drift=drift) for seed in range(4)], horizon)


def test_a_network_that_learns_the_drift_beats_the_naive_forecast() -> None:
    trained = train(panel(drift=0.003), MeanNetwork(), RECIPE, Watcher())
    assert trained.skill.skill > 0.1
    assert trained.skill.directional_accuracy > 0.6


def test_on_a_driftless_walk_there_is_nothing_to_learn() -> None:
    trained = train(panel(), MeanNetwork(), RECIPE, Watcher())
    assert abs(trained.skill.skill) < 0.03
    assert trained.skill.interval_coverage == pytest.approx(0.9, abs=0.03)


def test_the_same_seed_trains_the_same_model_and_another_seed_another() -> None:
    networks = [MeanNetwork() for _ in range(3)]
    seeds = (1, 1, 2)
    models = [
        train(panel(), network, Recipe(60, 20, 64, seed), Watcher()).onnx
        for network, seed in zip(networks, seeds, strict=True)
    ]
    assert models[0] == models[1] != models[2]
    assert networks[0].seen == networks[1].seen


def test_all_steps_are_taken_and_progress_never_falls() -> None:
    watcher = Watcher()
    trained = train(panel(), MeanNetwork(), RECIPE, watcher)
    assert trained.steps == (60, *[20] * STRETCHES)
    assert not trained.stopped_early
    fractions = [progress for progress, _ in watcher.reports]
    assert fractions == sorted(fractions)
    assert 0.0 < fractions[0] < fractions[-1] < 1.0


def test_time_that_runs_out_ends_every_fit_early_and_still_gives_a_scored_model() -> None:
    trained = train(panel(), MeanNetwork(), Recipe(400, 50, 64), Watcher(seconds=40.0, per_look=1.0))
    assert trained.stopped_early
    assert sum(trained.steps) < 400 + 50 * STRETCHES
    assert len(trained.steps) == STRETCHES + 1
    assert trained.skill.windows > 0


def test_time_that_is_gone_before_anything_is_learnt_fails_with_that_reason() -> None:
    with pytest.raises(BudgetTooSmall, match="max_seconds"):
        train(panel(), MeanNetwork(), RECIPE, Watcher(seconds=0.5, per_look=1.0))


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    network = MeanNetwork(loss=lambda step: float("nan") if step == 30 else 1.0)
    with pytest.raises(FitDiverged, match="29 steps"):
        train(panel(), network, RECIPE, Watcher())


@pytest.mark.parametrize("symbols", [1, 8])
@pytest.mark.parametrize("horizon", [1, 5, 21, 63])
def test_the_closes_needed_are_enough_for_every_horizon(horizon: int, symbols: int) -> None:
    histories = [random_walk(closes_needed(horizon), seed, f"S{seed}") for seed in range(symbols)]
    trained = train(Panel.of(histories, horizon), MeanNetwork(), RECIPE, Watcher())
    assert np.isfinite(trained.skill.rmse)


def test_a_moment_of_slowness_does_not_shorten_a_fit_while_there_is_time_for_the_others() -> None:
    class SlowOnce(Watcher):
        """Ten steps take a second; once they take forty, far over the first fit's share of the hundred."""

        def report(self, progress: float, message: str) -> None:
            super().report(progress, message)
            self.pass_by(40.0 if len(self.reports) == 3 else 1.0)

    trained = train(panel(), MeanNetwork(), RECIPE, SlowOnce(seconds=100.0))
    assert trained.steps == (60, *[20] * STRETCHES)
    assert not trained.stopped_early
