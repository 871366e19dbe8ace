"""Exposures: Greeks by underlying, concentration, liquidity."""

import asyncio
import math
from typing import Any

from quantmesh.api.risk.v1 import exposure_pb2 as pb
from quantmesh.api.risk.v1.exposure_pb2_grpc import ExposureServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc.base import Methods, instant
from quantmesh.risk.core.exposure import (
    PARTICIPATION_RATE,
    VOLUME_PERIOD,
    BookExposure,
    exposure_of,
    symbols_without,
)
from quantmesh.risk.core.model import History


class ExposureRpc(Methods, ExposureServiceServicer):
    @requires("risk:use")
    async def Exposure(self, request: pb.ExposureRequest, context: Any) -> pb.ExposureResponse:
        book, history = await self._measured(request.book)
        participation = request.participation_rate or PARTICIPATION_RATE
        volumes = await self._volumes(request, history)
        found = await asyncio.to_thread(exposure_of, book, history, request.book.rate, volumes, participation)
        answer = pb.ExposureResponse(
            exposures=_exposures(found, history),
            currency=book.currency,
            market_value=float(found.greeks.value.sum()),
            as_of=to_timestamp(history.as_of),
        )
        if found.concentration is not None:
            answer.herfindahl = found.concentration.herfindahl
            answer.effective_number = found.concentration.effective_number
        if found.liquidity is not None:
            answer.sold_in_a_day = found.liquidity.sold_in_a_day
            if math.isfinite(found.liquidity.longest_days):
                answer.longest_days = found.liquidity.longest_days
        return answer

    async def _volumes(self, request: pb.ExposureRequest, history: History) -> dict[str, float]:
        """As given; market's where nothing is."""
        given = dict(request.daily_volumes)
        wanted = symbols_without(given, history.symbols)
        as_of, known_at = instant(request.book, "as_of"), instant(request.book, "known_at")
        last = history.as_of.date()
        return given | await self._market.daily_volumes(wanted, last - VOLUME_PERIOD, last, as_of, known_at)


def _exposures(found: BookExposure, history: History) -> list[pb.UnderlyingExposure]:
    greeks = found.greeks
    exposures = [
        pb.UnderlyingExposure(
            symbol=symbol,
            spot=float(history.last[index]),
            market_value=float(greeks.value[index]),
            delta=float(greeks.delta[index]),
            dollar_delta=float(greeks.dollar_delta[index]),
            gamma=float(greeks.gamma[index]),
            dollar_gamma=float(greeks.dollar_gamma[index]),
            vega=float(greeks.vega[index]),
            theta=float(greeks.theta[index]),
            rho=float(greeks.rho[index]),
        )
        for index, symbol in enumerate(greeks.underlyings)
    ]
    for index, item in enumerate(exposures):
        if item.symbol in found.daily_volumes:
            item.daily_volume = found.daily_volumes[item.symbol]
        if found.concentration is not None:
            item.weight = float(found.concentration.weights[index])
        if found.liquidity is not None and math.isfinite(found.liquidity.days[index]):
            item.days_to_sell = float(found.liquidity.days[index])
    return exposures
