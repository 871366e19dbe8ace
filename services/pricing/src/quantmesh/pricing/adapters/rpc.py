"""PricingService over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from grpc.aio import ServicerContext

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.api.pricing.v1.pricing_pb2_grpc import PricingServiceServicer
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.pricing.adapters import translate
from quantmesh.pricing.adapters.batches import Batches
from quantmesh.pricing.adapters.quote_recorder import QuoteRecorder
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.explain_quote import explain_quote
from quantmesh.pricing.core.imply_volatility import imply_volatility, inverse_of
from quantmesh.pricing.core.models import PricingModel
from quantmesh.pricing.core.price_option import price_option

BatchRequest = TypeVar("BatchRequest", pb.PriceBatchRequest, pb.ImpliedVolatilityBatchRequest)
Context = ServicerContext[Any, Any]


class PricingRpc(PricingServiceServicer):
    def __init__(self, recorder: QuoteRecorder, batches: Batches) -> None:
        self._recorder = recorder
        self._batches = batches

    @requires("pricing:use")
    async def Price(self, request: pb.PriceRequest, context: Context) -> pb.PriceResponse:
        owner_id = current_caller().user_id
        model = translate.model_asked(request)
        self._recorder.check_room()
        sign, values = translate.arguments_of(request, model)
        orders = translate.orders_of(request)
        if model.is_slow:
            priced = await asyncio.to_thread(price_option, model, sign, values, orders)
        else:
            priced = price_option(model, sign, values, orders)
        quote_id = uuid7()
        response = translate.price_response(request, model, priced, str(quote_id))
        self._recorder.record(quote_id, owner_id, request, response)
        return response

    @requires("pricing:use")
    async def ImpliedVolatility(
        self, request: pb.ImpliedVolatilityRequest, context: Context
    ) -> pb.ImpliedVolatilityResponse:
        model = translate.model_of(request.model, request.contract.style)
        sign, contract = translate.contract_of(request.contract, model)
        if request.contract.dividends:
            raise InvalidArgument("contract.dividends", len(request.contract.dividends), "left out here")
        if inverse_of(model).is_slow:
            volatility = await asyncio.to_thread(imply_volatility, model, sign, contract, request.price)
        else:
            volatility = imply_volatility(model, sign, contract, request.price)
        return pb.ImpliedVolatilityResponse(implied_volatility=volatility)

    @requires("pricing:use")
    async def PriceBatch(
        self, request_iterator: AsyncIterator[pb.PriceBatchRequest], context: Context
    ) -> AsyncIterator[pb.PriceBatchResponse]:
        options, model, pieces = await _opened(request_iterator)
        async for answer in self._batches.price(pieces, model, translate.orders_of(options)):
            yield pb.PriceBatchResponse(arrow=answer)

    @requires("pricing:use")
    async def ImpliedVolatilityBatch(
        self, request_iterator: AsyncIterator[pb.ImpliedVolatilityBatchRequest], context: Context
    ) -> AsyncIterator[pb.ImpliedVolatilityBatchResponse]:
        _, model, pieces = await _opened(request_iterator)
        async for answer in self._batches.imply(pieces, model):
            yield pb.ImpliedVolatilityBatchResponse(arrow=answer)

    @requires("pricing:use")
    async def GetQuoteRecord(self, request: pb.GetQuoteRecordRequest, context: Context) -> pb.GetQuoteRecordResponse:
        record = await explain_quote(self._recorder, current_caller().user_id, request.quote_id)
        return translate.quote_record(record)


async def _opened(requests: AsyncIterator[BatchRequest]) -> tuple[pb.BatchOptions, PricingModel, AsyncIterator[bytes]]:
    """The first message's options with the model they name, and the pieces from that message on."""
    first = await anext(aiter(requests), None)
    options = pb.BatchOptions() if first is None else first.options
    model = translate.model_of(options.model, options.style, options.accuracy)

    async def pieces() -> AsyncIterator[bytes]:
        if first is not None and first.arrow:
            yield first.arrow
        async for request in requests:
            yield request.arrow

    return options, model, pieces()
