"""One training, from the market's closes to an active model."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from quantmesh.prediction.core.errors import HistoryTooShort, NothingToTrainOn, SymbolsNotTrainable
from quantmesh.prediction.core.model import AssetClass, ModelVersion, Timeframe, sessions_ahead
from quantmesh.prediction.core.model_card import ModelCard, fingerprint, version_of
from quantmesh.prediction.core.panel import Panel
from quantmesh.prediction.core.ports import Asset, History, Market
from quantmesh.prediction.core.training import Recipe, SequenceModel, Trained, Watch, closes_needed, train

_FETCHED_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """`symbols` empty: every stock with enough history."""

    timeframe: Timeframe
    symbols: tuple[str, ...] = ()


class Registry(Protocol):
    def save(self, card: ModelCard, onnx: bytes) -> None:
        """Whole or not at all; the same version twice is one."""
        ...


class ModelStore(Protocol):
    async def register(self, model: ModelVersion) -> ModelVersion:
        """Make it the active model of its timeframe and announce it; it stays inactive where the active one covers a
        stock that it does not."""
        ...


def check_trainable(symbols: Sequence[str], stocks: Sequence[Asset]) -> None:
    """Raises SymbolsNotTrainable, with a reason for each symbol."""
    known = {stock.symbol: stock for stock in stocks}
    reasons = []
    for symbol in symbols:
        if symbol not in known:
            reasons.append((symbol, "is not a stock of the catalogue"))
        elif not known[symbol].adjusted:
            reasons.append((symbol, "has raw closes, in which a split reads as a crash"))
    if reasons:
        raise SymbolsNotTrainable(reasons)


async def train_model(
    request: TrainingRequest,
    *,
    market: Market,
    network: Callable[[int], SequenceModel],
    registry: Registry,
    store: ModelStore,
    watch: Watch,
    recipe: Recipe,
    code: dict[str, str],
    now: Callable[[], datetime],
) -> tuple[ModelCard, ModelVersion]:
    """`network` builds an untrained one from a seed; it and the training run in a thread, so that the loop stays free.

    Raises SymbolsNotTrainable, HistoryTooShort, BudgetTooSmall, ExportDiffers, and what `watch` raises.
    """
    watch.report(0.0, "reading closes")
    horizon = sessions_ahead(request.timeframe, AssetClass.STOCK)
    histories = await _histories(request, market, closes_needed(horizon))
    watch.report(0.05, "loading TensorFlow")
    panel = Panel.of([history.closes for history in histories], horizon)
    trained = await _in_thread(lambda: train(panel, network(recipe.seed), recipe, watch), watch)
    first = min(history.closes.dates[0] for history in histories)
    card = ModelCard(
        version=version_of(request.timeframe, trained.onnx, trained.calibration),
        timeframe=request.timeframe,
        symbols=tuple(sorted(history.closes.symbol for history in histories)),
        horizon_sessions=horizon,
        skill=trained.skill,
        calibration=trained.calibration,
        trained_at=now(),
        training_start=date.fromisoformat(str(first)),
        training_end=max(history.as_of for history in histories),
        data_sha256=fingerprint([history.closes for history in histories]),
        seed=recipe.seed,
        steps=trained.steps,
        stopped_early=trained.stopped_early,
        code=code,
    )
    await asyncio.to_thread(registry.save, card, trained.onnx)
    return card, await store.register(card.registered(active=True))


async def _in_thread(work: Callable[[], Trained], watch: Watch) -> Trained:
    """Cancelled, the thread is told to stop and waited for: two trainings at once would disturb each other's seed."""
    running = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        watch.stop()
        await asyncio.wait([running])
        running.exception()  # looked at, so that asyncio does not report it as lost
        raise


async def _histories(request: TrainingRequest, market: Market, needed: int) -> list[History]:
    """Of the symbols asked for, or of all adjusted stocks whose history is long enough."""
    stocks = await market.stocks()
    check_trainable(request.symbols, stocks)
    symbols = request.symbols or tuple(stock.symbol for stock in stocks if stock.adjusted)
    gate = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def fetch(symbol: str) -> History | None:
        async with gate:
            return await market.history(symbol, 0)

    found = dict(zip(symbols, await asyncio.gather(*(fetch(symbol) for symbol in symbols)), strict=True))
    lengths = {symbol: 0 if history is None else len(history.closes) for symbol, history in found.items()}
    short = [symbol for symbol, length in lengths.items() if length < needed]
    if short and (request.symbols or len(short) == len(found)):
        longest = max(short, key=lengths.__getitem__)
        raise HistoryTooShort(longest, lengths[longest], needed)
    if not found:
        raise NothingToTrainOn
    return [history for history in found.values() if history is not None and len(history.closes) >= needed]
