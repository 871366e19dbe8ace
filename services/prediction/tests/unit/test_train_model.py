import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from quantmesh.prediction.core.errors import HistoryTooShort, NothingToTrainOn, SymbolsNotTrainable
from quantmesh.prediction.core.model import ModelVersion, Timeframe
from quantmesh.prediction.core.model_card import ModelCard
from quantmesh.prediction.core.panel import Windows
from quantmesh.prediction.core.train_model import TrainingRequest, train_model
from quantmesh.prediction.core.training import Recipe, SequenceModel, Watch

from .fakes import AS_OF, NOW, FakeMarket, FakeRegistry, FakeStore
from .networks import MeanNetwork, Watcher
from .prices import random_walk

RECIPE = Recipe(first_steps=30, next_steps=10, batch=32, seed=9)


def market(short: int = 0) -> FakeMarket:
    series = {symbol: random_walk(1500, seed, symbol) for seed, symbol in enumerate(["AAA", "BBB", "CCC"])}
    if short:
        series["NEW"] = random_walk(short, 7, "NEW")
    return FakeMarket(series)


async def run(
    request: TrainingRequest,
    source: FakeMarket,
    registry: FakeRegistry | None = None,
    network: Callable[[int], SequenceModel] = MeanNetwork,
    watch: Watch | None = None,
) -> tuple[ModelCard, ModelVersion]:
    return await train_model(
        request,
        market=source,
        network=network,
        registry=registry or FakeRegistry(),
        store=FakeStore(),
        watch=watch or Watcher(),
        recipe=RECIPE,
        code={"sha256": "00"},
        now=lambda: NOW,
    )


async def test_trains_on_every_stock_with_enough_history_and_registers_the_model() -> None:
    registry = FakeRegistry()
    card, registered = await run(TrainingRequest(Timeframe.WEEK), market(short=200), registry)
    assert card.symbols == registered.symbols == ("AAA", "BBB", "CCC")
    assert registry.saved[card.version][0] is card
    assert registered.version.startswith("lstm-1w-")
    assert (card.seed, card.training_end, card.trained_at) == (9, AS_OF, NOW)
    assert registered.active


async def test_the_same_data_and_seed_give_the_same_version_and_other_data_another() -> None:
    first, _ = await run(TrainingRequest(Timeframe.WEEK), market())
    again, _ = await run(TrainingRequest(Timeframe.WEEK), market())
    fewer, _ = await run(TrainingRequest(Timeframe.WEEK, ("AAA",)), market())
    assert (first.version, first.data_sha256) == (again.version, again.data_sha256)
    assert fewer.version != first.version
    assert fewer.data_sha256 != first.data_sha256


async def test_symbols_asked_for_must_be_adjusted_stocks() -> None:
    source = market()
    source.raw.add("BBB")
    with pytest.raises(SymbolsNotTrainable) as refused:
        await run(TrainingRequest(Timeframe.DAY, ("AAA", "BBB", "ZZZ")), source)
    assert [violation.description.split()[0] for violation in refused.value.violations] == ["BBB", "ZZZ"]


async def test_a_symbol_asked_for_by_name_is_not_dropped_for_its_short_history() -> None:
    with pytest.raises(HistoryTooShort, match="NEW has 200 known closes"):
        await run(TrainingRequest(Timeframe.DAY, ("AAA", "NEW")), market(short=200))


async def test_an_empty_catalogue_has_nothing_to_train_on() -> None:
    with pytest.raises(NothingToTrainOn):
        await run(TrainingRequest(Timeframe.DAY), FakeMarket())


class StoppableWatch(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()
        self.has_left = False

    def report(self, progress: float, message: str) -> None:
        if self.stopped.is_set():
            # Who does not wait for this thread is found out.
            time.sleep(0.2)
            self.has_left = True
            raise InterruptedError

    def stop(self) -> None:
        self.stopped.set()


class EndlessNetwork(MeanNetwork):
    """Steps until it is told to stop, and says when it has begun."""

    def __init__(self, begun: threading.Event, stopped: threading.Event, seed: int) -> None:
        super().__init__(seed)
        self._begun = begun
        self._stopped = stopped

    def step(self, windows: Windows, targets: Windows) -> float:
        self._begun.set()
        self._stopped.wait(60.0)
        return super().step(windows, targets)


async def test_cancelling_stops_the_thread_that_trains_before_it_returns() -> None:
    begun, registry, watch = threading.Event(), FakeRegistry(), StoppableWatch()
    networks: list[EndlessNetwork] = []

    def network(seed: int) -> SequenceModel:
        networks.append(EndlessNetwork(begun, watch.stopped, seed))
        return networks[-1]

    training = asyncio.create_task(run(TrainingRequest(Timeframe.WEEK), market(), registry, network, watch))
    assert await asyncio.to_thread(begun.wait, 60.0)
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    assert watch.has_left
    assert networks[0].steps < 30
    assert registry.saved == {}
