"""A training from request to forecast, with TensorFlow itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import psycopg
import pytest
from google.protobuf.json_format import MessageToDict
from prometheus_client import REGISTRY

from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.prediction.v1 import events_pb2
from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied
from quantmesh.chassis.jobs import JobWorker
from quantmesh.prediction.adapters.onnx_runtime import OnnxSession
from quantmesh.prediction.adapters.training_job import KIND, TrainingJob
from quantmesh.prediction.core.features import FEATURES
from quantmesh.prediction.core.panel import WINDOW, Windows
from quantmesh.prediction.core.training import Recipe

from .conftest import Prediction
from .mesh import ALICE, BOB, call_as

# Loading TensorFlow takes seconds: one of the run's processes does it.
pytestmark = pytest.mark.xdist_group("tensorflow")

RECIPE = Recipe(first_steps=40, next_steps=10, batch=128)


@asynccontextmanager
async def worker(prediction: Prediction, recipe: Recipe = RECIPE) -> AsyncIterator[None]:
    job = TrainingJob(prediction.market_peer, prediction.store, prediction.registry, SystemClock(), recipe)
    working = asyncio.create_task(JobWorker(prediction.database, {KIND: job.run}).run())
    try:
        yield
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def windows(count: int) -> Windows:
    return np.random.default_rng(2).standard_normal((count, WINDOW, len(FEATURES))).astype(np.float32)


def test_tensorflow_trains_the_same_network_twice_and_exports_what_it_computes() -> None:
    from quantmesh.prediction.adapters.tensorflow_model import TensorFlowLstm

    probe, targets = windows(256), np.random.default_rng(3).standard_normal(256).astype(np.float32)
    networks = [TensorFlowLstm(4), TensorFlowLstm(4)]
    losses = [[network.step(probe, targets) for _ in range(20)] for network in networks]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
    exported = [network.export(probe) for network in networks]
    assert exported[0] == exported[1]
    unseen = windows(64) * 2.0
    for ours, theirs in zip(OnnxSession(exported[0]).predict(unseen), networks[0].predict(unseen), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def inferences() -> float:
    return REGISTRY.get_sample_value("quantmesh_prediction_inference_seconds_count", {"model": "lstm"}) or 0.0


async def test_a_trained_model_answers_at_once_with_its_score(prediction: Prediction) -> None:
    assert (await prediction.forecast()).model == "naive"
    inferences_before = inferences()
    queued = await prediction.train()
    assert (queued.status, queued.progress) == (job_pb2.JOB_STATUS_QUEUED, 0.0)
    assert prediction.job_queued.is_set()
    async with worker(prediction):
        job = await prediction.ended(queued.id)
    assert job.status == job_pb2.JOB_STATUS_SUCCEEDED, job.problem
    result = MessageToDict(job.result)
    assert (result["active"], result["symbols"]) == (True, ["AAA", "BBB", "CCC"])
    # No pause: who saw the job succeed sees the new model.
    forecast = await prediction.forecast()
    assert (forecast.model, forecast.model_version) == ("lstm", result["model_version"])
    assert forecast.skill.windows == result["skill"]["windows"] > 100
    assert forecast.skill.beats_naive == (forecast.skill.skill > 0.0) == (forecast.note == "")
    assert forecast.confidence_lower < forecast.predicted_price < forecast.confidence_upper
    assert 0.0 < forecast.confidence_score < 1.0
    assert inferences() == inferences_before + 1
    for name, value in (("interval_coverage", forecast.skill.interval_coverage), ("skill", forecast.skill.skill)):
        shown = REGISTRY.get_sample_value(f"quantmesh_prediction_{name}", {"timeframe": "1w"})
        assert shown == pytest.approx(value)
    assert [model.version for model in await prediction.models()] == [forecast.model_version]
    assert (await prediction.forecast("BTC-USD", asset_class="crypto")).model == "naive"
    query = "SELECT payload FROM prediction.outbox WHERE subject = 'prediction.model.activated'"
    with psycopg.connect(prediction.postgres.admin_url) as admin:
        announced = [events_pb2.ModelActivated.FromString(row[0]).model for row in admin.execute(query)]
    assert [model.version for model in announced] == [forecast.model_version]


async def test_a_running_training_is_cancelled(prediction: Prediction) -> None:
    queued = await prediction.train()
    async with worker(prediction, Recipe(first_steps=100_000, next_steps=10)):
        await prediction.until(queued.id, lambda job: job.progress > 0.15)
        await prediction.peer.call(prediction.jobs.CancelJob, job_pb2.CancelJobRequest(id=queued.id))
        job = await prediction.ended(queued.id, seconds=60.0)
    assert job.status == job_pb2.JOB_STATUS_CANCELLED
    assert await prediction.models() == []


async def test_a_training_is_watched_and_cancelled_with_the_scope_that_starts_it(prediction: Prediction) -> None:
    queued = await prediction.train()
    call_as(ALICE, "predictions:read")
    with pytest.raises(PermissionDenied, match="predictions:train"):
        await prediction.peer.call(prediction.jobs.GetJob, job_pb2.GetJobRequest(id=queued.id))
    with pytest.raises(PermissionDenied, match="predictions:train"):
        await prediction.peer.call(prediction.jobs.CancelJob, job_pb2.CancelJobRequest(id=queued.id))
    call_as(ALICE, "predictions:train")
    shown = (await prediction.peer.call(prediction.jobs.GetJob, job_pb2.GetJobRequest(id=queued.id))).job
    assert shown.status == job_pb2.JOB_STATUS_QUEUED


async def test_a_training_without_enough_history_fails_and_says_why(prediction: Prediction) -> None:
    prediction.market.short = dict.fromkeys(("AAA", "BBB", "CCC"), 100)
    queued = await prediction.train()
    async with worker(prediction):
        job = await prediction.ended(queued.id)
    assert job.status == job_pb2.JOB_STATUS_FAILED
    problem = MessageToDict(job.problem)
    assert (problem["type"], problem["status"]) == ("/problems/history-too-short", 422)


async def test_symbols_that_cannot_be_trained_on_are_refused_at_once(prediction: Prediction) -> None:
    with pytest.raises(InvalidInput) as refused:
        await prediction.train("AAA", "AAA-RAW", "BTC-USD")
    assert [violation.field for violation in refused.value.violations] == ["symbols", "symbols"]


async def test_a_thousand_unknown_symbols_are_refused_in_a_few_words(prediction: Prediction) -> None:
    with pytest.raises(InvalidInput, match="and 980 more") as refused:
        await prediction.train(*(f"{number:04}{'X' * 100}" for number in range(1000)))
    assert len(refused.value.violations) == 20


@pytest.mark.parametrize("max_seconds", [1, 601])
async def test_a_budget_out_of_range_is_refused(prediction: Prediction, max_seconds: int) -> None:
    with pytest.raises(InvalidInput, match="between 5 and 600"):
        await prediction.train(max_seconds=max_seconds)


async def test_one_idempotency_key_queues_one_training(prediction: Prediction) -> None:
    call_as(ALICE, idempotency_key="once")
    assert (await prediction.train()).id == (await prediction.train()).id


async def test_a_job_is_its_owners_and_training_needs_its_scope(prediction: Prediction) -> None:
    queued = await prediction.train()
    call_as(BOB)
    with pytest.raises(NotFound):
        await prediction.job(queued.id)
    call_as(ALICE, "predictions:read")
    with pytest.raises(PermissionDenied, match="predictions:train"):
        await prediction.peer.call(prediction.stub.TrainModel, pb.TrainModelRequest(timeframe=pb.TIMEFRAME_1D))
