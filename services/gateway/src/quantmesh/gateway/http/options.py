"""/options: prices, Greeks and implied volatilities, one at a time or in columns."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import date
from typing import TypeVar

from quantmesh.api.market.v1.market_pb2 import GetClockRequest
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.api.pricing.v1.pricing_pb2_grpc import PricingServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import from_timestamp
from quantmesh.gateway.core.bulkhead import Bulkhead
from quantmesh.gateway.core.expiry import years_to_expiry
from quantmesh.gateway.http.answer import Answer, StreamedAnswer, ok, tagged
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import implied_volatility as implied
from quantmesh.gateway.http.models import options as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import option_columns as columns
from quantmesh.gateway.translation import options as translation

BatchRequest = TypeVar("BatchRequest", pb.PriceBatchRequest, pb.ImpliedVolatilityBatchRequest)

ARROW = "application/vnd.apache.arrow.stream"
_ARROW_BODY_BYTES = 128 * 1024 * 1024
_ARROW_IN_FLIGHT = 2
_JSON_BODY_BYTES = 16 * 1024 * 1024
_BATCH_SECONDS = 60.0
_ARROW_STREAM = {"content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}


class Options:
    def __init__(self, pricing: Peer, market: Peer) -> None:
        self._pricing = pricing
        self._stub = PricingServiceStub(pricing.channel)
        self._market = market.in_own_name()
        self._market_stub = MarketServiceStub(market.channel)
        self._arrow = Bulkhead("the Arrow batch", _ARROW_IN_FLIGHT)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/options", "options")
        add = operations.add
        add(
            "POST",
            "/price",
            self.price,
            summary="Price one option",
            scope="pricing:use",
            answer=models.PriceShown,
            takes_body=True,
        )
        add(
            "POST",
            "/price/batch",
            self.price_batch,
            summary="Price columns of options, as JSON or as an Arrow stream both ways",
            scope="pricing:use",
            answer=models.PriceBatchShown,
            takes_body=True,
            body_limit_bytes=_JSON_BODY_BYTES,
            deadline_seconds=_BATCH_SECONDS,
            raw={ARROW: self._price_arrow},
            field_root="#/columns",
            extra={"requestBody": _ARROW_STREAM, "responses": {"200": _ARROW_STREAM}},
        )
        add(
            "POST",
            "/implied-volatility",
            self.implied_volatility,
            summary="The volatility that reproduces a price, or a column of prices",
            scope="pricing:use",
            answer=implied.ImpliedVolatilityShown,
            takes_body=True,
            body_limit_bytes=_JSON_BODY_BYTES,
            deadline_seconds=_BATCH_SECONDS,
        )
        add(
            "GET",
            "/quotes/{quote_id}",
            self.quote_record,
            summary="A quote of one's own, explained",
            scope="pricing:use",
            answer=models.QuoteRecordShown,
            conditional="none-match",
        )
        return operations

    async def price(self, body: models.PriceBody) -> Answer:
        years = body.time_to_expiry or await self._years(body.expiry)
        request = translation.price_request(body, years)
        return ok(translation.price(await self._pricing.call(self._stub.Price, request)))

    async def price_batch(self, query: QueryOf[models.BatchQuery], body: models.PriceBatchBody) -> Answer:  # noqa: ARG002  the binder names it
        """A JSON body says everything itself; the query parameters are for an Arrow body."""
        options = translation.batch_options(body.model, body.style, body.accuracy, greeks=body.greeks)
        stream = columns.arrow_stream(body.columns)
        answers = self._pricing.stream(
            self._stub.PriceBatch,
            _requests(pb.PriceBatchRequest, options, stream),
            timeout_seconds=_BATCH_SECONDS,
        )
        priced = columns.priced_columns(b"".join([answer.arrow async for answer in answers]))
        return ok({"model": body.model, "rows": body.columns.rows, "columns": priced})

    async def _price_arrow(self, call: Call, query: models.BatchQuery) -> StreamedAnswer:
        call.check_head(_ARROW_BODY_BYTES)
        options = translation.batch_options(query.model, query.style, query.accuracy, greeks=query.greeks)
        return StreamedAnswer(self._pass_arrow(call, options), ARROW.encode())

    async def _pass_arrow(self, call: Call, options: pb.BatchOptions) -> AsyncGenerator[bytes]:
        """The stream passes through undecoded, both ways at once."""

        async def requests() -> AsyncIterator[pb.PriceBatchRequest]:
            yield pb.PriceBatchRequest(options=options)
            async for piece in call.pieces(_ARROW_BODY_BYTES, columns.PIECE_BYTES):
                yield pb.PriceBatchRequest(arrow=piece)

        with self._arrow:
            answers = self._pricing.stream(self._stub.PriceBatch, requests(), timeout_seconds=_BATCH_SECONDS)
            async for answer in answers:
                yield answer.arrow

    async def implied_volatility(self, body: implied.ImpliedVolatilityBody) -> Answer:
        if body.columns is not None:
            return await self._implied_columns(body, body.columns)
        years = body.time_to_expiry or await self._years(body.expiry)
        request = translation.implied_volatility_request(body, years)
        answer = await self._pricing.call(self._stub.ImpliedVolatility, request)
        return ok({"model": body.model, "implied_volatility": answer.implied_volatility})

    async def _implied_columns(
        self, body: implied.ImpliedVolatilityBody, given: implied.ImpliedVolatilityColumns
    ) -> Answer:
        options = translation.batch_options(body.model, body.style)
        requests = _requests(pb.ImpliedVolatilityBatchRequest, options, columns.arrow_stream(given))
        answers = self._pricing.stream(self._stub.ImpliedVolatilityBatch, requests, timeout_seconds=_BATCH_SECONDS)
        values, errors = columns.implied_columns(b"".join([answer.arrow async for answer in answers]))
        return ok({"model": body.model, "columns": {"implied_volatility": values}, "errors": errors})

    async def quote_record(self, quote_id: Id) -> Answer:
        answer = await self._pricing.call(self._stub.GetQuoteRecord, pb.GetQuoteRecordRequest(quote_id=quote_id))
        return tagged(translation.quote_record(answer))

    async def _years(self, expiry: date | None) -> float:
        """Up to `expiry` from the market's clock; the model has found that it is there."""
        if expiry is None:
            msg = "a contract has time_to_expiry or expiry"
            raise ValueError(msg)
        clock = await self._market.call(self._market_stub.GetClock, GetClockRequest())
        return years_to_expiry(expiry, from_timestamp(clock.market_time))


async def _requests(kind: type[BatchRequest], options: pb.BatchOptions, stream: bytes) -> AsyncIterator[BatchRequest]:
    """The options travel with the first piece: pricing may refuse them, and what is sent after that would fail."""
    first, *others = columns.pieces(stream)
    yield kind(options=options, arrow=first)
    for piece in others:
        yield kind(arrow=piece)
