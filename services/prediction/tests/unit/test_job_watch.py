from uuid import uuid4

import pytest

from quantmesh.chassis.jobs import RunningJob
from quantmesh.prediction.adapters.training_job import JobWatch, TrainingStopped


class HandClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def job() -> RunningJob:
    return RunningJob("prediction-1", uuid4(), "train-model", b"", 1)


def test_the_budget_counts_from_the_claim_on_and_leaves_time_for_the_export() -> None:
    clock = HandClock()
    watch = JobWatch(job(), 45.0, clock)
    clock.seconds += 10.0
    watch.fits_begin()
    assert watch.seconds_left() == pytest.approx(33.0)


def test_a_slow_start_leaves_the_fits_a_third() -> None:
    clock = HandClock()
    watch = JobWatch(job(), 45.0, clock)
    clock.seconds += 44.0
    watch.fits_begin()
    assert watch.seconds_left() == pytest.approx(15.0)


def test_reports_reach_the_job_until_it_is_stopped() -> None:
    running = job()
    watch = JobWatch(running, 45.0)
    watch.report(0.5, "fit 2")
    assert (running.progress, running.message) == (0.5, "fit 2")
    watch.stop()
    with pytest.raises(TrainingStopped):
        watch.report(0.6, "fit 3")
    assert running.progress == 0.5
