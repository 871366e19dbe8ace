"""Stress: episodes, shocks, and the likeliest move that loses so much."""

import asyncio
from typing import Any

from quantmesh.api.risk.v1 import risk_pb2, stress_pb2
from quantmesh.api.risk.v1.stress_pb2_grpc import StressServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.quant.stress import ReverseStress, Shock, Stress
from quantmesh.risk.adapters.rpc.base import ESTIMATORS, Methods, chosen, instant
from quantmesh.risk.adapters.rpc.positions import option_to
from quantmesh.risk.core.episodes import Episode, episode_of
from quantmesh.risk.core.errors import UnknownChoice
from quantmesh.risk.core.model import Book, History, checked_observations
from quantmesh.risk.core.stress import EpisodeStress, custom_stress, episode_stress, reverse_stress


class StressRpc(Methods, StressServiceServicer):
    @requires("risk:use")
    async def Stress(self, request: stress_pb2.StressRequest, context: Any) -> stress_pb2.StressResponse:
        wants_reverse = request.HasField("reverse")
        if not (request.episodes or request.HasField("custom") or wants_reverse):
            raise UnknownChoice("episodes", "or shocks or reverse must say what is to happen")
        episodes = [episode_of(name, f"episodes[{index}]") for index, name in enumerate(request.episodes)]
        estimator = chosen("reverse.covariance", request.reverse.covariance, ESTIMATORS)
        observations = checked_observations(request.reverse.observations)
        book, history = await self._measured(request.book, observations + 1 if wants_reverse else 2)
        rate = request.book.rate
        answer = stress_pb2.StressResponse(currency=book.currency, as_of=to_timestamp(history.as_of))
        for episode, window in zip(episodes, await self._windows(request.book, book, episodes), strict=True):
            found = await asyncio.to_thread(episode_stress, book, history, rate, episode, window)
            answer.episodes.append(_episode(found, book, history))
            answer.market_value = float(found.last.values.sum())
        if request.HasField("custom"):
            custom = request.custom
            shocks = {
                symbol: Shock(shock.spot_move, shock.spot_shift, shock.volatility_move, shock.volatility_shift)
                for symbol, shock in custom.shocks.items()
            }
            outcome = await asyncio.to_thread(
                custom_stress, book, history, rate, shocks, custom.rate_shift, custom.elapsed_years
            )
            answer.custom.CopyFrom(_outcome(outcome, book))
            answer.market_value = float(outcome.values.sum())
        if wants_reverse:
            reverse = await asyncio.to_thread(
                reverse_stress, book, history, rate, request.reverse.loss, estimator, observations
            )
            answer.reverse.CopyFrom(_reverse(reverse, book, history))
            answer.market_value = float(reverse.stress.values.sum())
        return answer

    async def _windows(self, request: risk_pb2.MeasuredBook, book: Book, episodes: list[Episode]) -> list[History]:
        as_of, known_at = instant(request, "as_of"), instant(request, "known_at")
        return await asyncio.gather(
            *(self._market.window(book.symbols, episode.first, episode.last, as_of, known_at) for episode in episodes)
        )


def _episode(found: EpisodeStress, book: Book, history: History) -> stress_pb2.EpisodeOutcome:
    return stress_pb2.EpisodeOutcome(
        name=found.episode.name,
        first_day=found.first_day.isoformat(),
        last_day=found.last_day.isoformat(),
        last=_outcome(found.last, book),
        worst_day=found.worst_day.isoformat(),
        worst=_outcome(found.worst, book),
        spot_moves=dict(zip(history.symbols, found.spot_moves.tolist(), strict=True)),
    )


def _reverse(found: ReverseStress, book: Book, history: History) -> stress_pb2.ReverseOutcome:
    return stress_pb2.ReverseOutcome(
        distance=found.distance,
        spot_moves=dict(zip(history.symbols, found.spot_moves.tolist(), strict=True)),
        outcome=_outcome(found.stress, book),
        is_exact=found.is_exact,
    )


def _outcome(found: Stress, book: Book) -> stress_pb2.StressOutcome:
    return stress_pb2.StressOutcome(
        profit=found.profit,
        positions=[
            stress_pb2.PositionProfit(
                symbol=position.symbol, option=option_to(position.option), market_value=value, profit=profit
            )
            for position, value, profit in zip(
                book.positions, found.values.tolist(), found.profits.tolist(), strict=True
            )
        ],
    )
