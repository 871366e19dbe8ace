"""gRPC in: translate, call the use case, translate back."""

from datetime import date, datetime
from typing import Any

from quantmesh.api.common.v1.common_pb2 import PageInfo
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceServicer
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.decimals import to_proto
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.market.adapters import translate
from quantmesh.market.core.exchange_rates import SOURCE, CurrencyPair
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.find_assets import find_asset
from quantmesh.market.core.get_bars import get_bars
from quantmesh.market.core.get_close_history import get_close_history
from quantmesh.market.core.get_closes import from_micros, get_closes
from quantmesh.market.core.get_exchange_rates import get_exchange_rate_history, get_exchange_rates
from quantmesh.market.core.get_option_chain import get_option_chain
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.import_bars import NewAssets, import_bars
from quantmesh.market.core.list_assets import list_assets
from quantmesh.market.core.model import Rejection
from quantmesh.market.core.ports import Market

_SOURCE = "replay"
_DEFAULT_IMPORT_SOURCE = "import"


class MarketRpc(MarketServiceServicer):
    def __init__(self, market: Market, feed_clock: FeedClock, system_clock: Clock) -> None:
        self._market = market
        self._feed_clock = feed_clock
        self._system_clock = system_clock

    @requires("market:read")
    async def GetClock(self, request: pb.GetClockRequest, context: Any) -> pb.GetClockResponse:
        clock = self._feed_clock
        return pb.GetClockResponse(
            market_time=to_timestamp(clock.now()),
            open=clock.is_open,
            source=_SOURCE,
            last_session=_iso(clock.last_session),
            current_session=_iso(clock.current_session),
            detail=clock.detail,
            session_close=None if clock.session_close is None else to_timestamp(clock.session_close),
        )

    @requires("market:read")
    async def ListAssets(self, request: pb.ListAssetsRequest, context: Any) -> pb.ListAssetsResponse:
        page = await list_assets(
            self._market,
            asset_class=translate.asset_class_from(request.asset_class) if request.asset_class else None,
            search=request.search,
            limit=request.page.limit,
            cursor=request.page.cursor,
        )
        return pb.ListAssetsResponse(
            assets=[translate.asset_to(asset) for asset in page.assets], page=PageInfo(next_cursor=page.next_cursor)
        )

    @requires("market:read")
    async def GetAsset(self, request: pb.GetAssetRequest, context: Any) -> pb.GetAssetResponse:
        return pb.GetAssetResponse(asset=translate.asset_to(await find_asset(self._market, request.symbol)))

    @requires("market:read")
    async def GetQuotes(self, request: pb.GetQuotesRequest, context: Any) -> pb.GetQuotesResponse:
        found = await get_quotes(
            self._market, request.symbols, _as_of(request), self._system_clock.now(), _known_at(request)
        )
        return pb.GetQuotesResponse(quotes=[translate.quote_to(quote) for quote in found.quotes], missing=found.missing)

    @requires("market:read")
    async def GetBars(self, request: pb.GetBarsRequest, context: Any) -> pb.GetBarsResponse:
        page = await get_bars(
            self._market,
            request.symbol,
            translate.interval_from(request.interval),
            start=request.start,
            end=request.end,
            as_of=_as_of(request),
            known_at=_known_at(request),
            limit=request.page.limit,
            cursor=request.page.cursor,
        )
        return pb.GetBarsResponse(
            symbol=page.asset.symbol,
            adjustment=translate.adjustment_to(page.asset.listing.adjustment),
            source=page.source,
            bars=[translate.bar_to(bar) for bar in page.bars],
            page=PageInfo(next_cursor=page.next_cursor),
            currency=page.asset.listing.currency,
        )

    @requires("market:read")
    async def GetCloses(self, request: pb.GetClosesRequest, context: Any) -> pb.GetClosesResponse:
        symbols, found = await get_closes(
            self._market,
            request.symbols,
            observations=request.observations,
            start=request.start,
            end=request.end,
            as_of=_as_of(request),
            known_at=_known_at(request),
        )
        return pb.GetClosesResponse(
            dates=[date.fromordinal(day).isoformat() for day in found.days.tolist()],
            series=[
                pb.CloseSeries(symbol=symbol, closes=closes.tolist())
                for symbol, closes in zip(symbols, found.closes, strict=True)
            ],
            as_of=to_timestamp(from_micros(found.known_from)),
        )

    @requires("market:read")
    async def GetCloseHistory(self, request: pb.GetCloseHistoryRequest, context: Any) -> pb.GetCloseHistoryResponse:
        found = await get_close_history(
            self._market,
            request.symbols,
            start=request.start,
            end=request.end,
            as_of=_as_of(request),
            known_at=_known_at(request),
        )
        return pb.GetCloseHistoryResponse(
            series=[
                pb.CloseHistory(symbol=symbol, days=series.days.tolist(), closes=series.closes.tolist())
                for symbol, series in found.items()
            ]
        )

    @requires("market:read")
    async def GetOptionChain(self, request: pb.GetOptionChainRequest, context: Any) -> pb.GetOptionChainResponse:
        chain = await get_option_chain(self._market, request.underlying, _as_of(request))
        return pb.GetOptionChainResponse(
            underlying=chain.underlying,
            time=to_timestamp(chain.time),
            spot=chain.spot,
            source=chain.source,
            options=[translate.option_to(quote) for quote in chain.quotes],
        )

    @requires("market:read")
    async def GetExchangeRates(self, request: pb.GetExchangeRatesRequest, context: Any) -> pb.GetExchangeRatesResponse:
        found = get_exchange_rates(self._market, _pairs(request), day=request.date, as_of=_as_of(request))
        return pb.GetExchangeRatesResponse(
            rates=[translate.exchange_rate_to(rate) for rate in found.rates],
            missing=[pb.CurrencyPair(base=pair.base, quote=pair.quote) for pair in found.missing],
            source=SOURCE,
        )

    @requires("market:read")
    async def GetExchangeRateHistory(
        self, request: pb.GetExchangeRateHistoryRequest, context: Any
    ) -> pb.GetExchangeRateHistoryResponse:
        found = get_exchange_rate_history(
            self._market, _pairs(request), start=request.start, end=request.end, as_of=_as_of(request)
        )
        return pb.GetExchangeRateHistoryResponse(
            series=[
                pb.ExchangeRateSeries(
                    base=pair.base,
                    quote=pair.quote,
                    dates=[day.isoformat() for day, _ in rates],
                    rates=[to_proto(rate) for _, rate in rates],
                )
                for pair, rates in found.items()
            ]
        )

    @requires("market:write")
    async def ImportBars(self, request: pb.ImportBarsRequest, context: Any) -> pb.ImportBarsResponse:
        result = await import_bars(
            self._market,
            request.csv,
            translate.adjustment_from(request.adjustment),
            request.source or _DEFAULT_IMPORT_SOURCE,
            _new_assets(request),
        )
        return pb.ImportBarsResponse(
            accepted=result.accepted, unchanged=result.unchanged, rejected=list(map(_rejected, result.rejected))
        )


_TimedRequest = (
    pb.GetQuotesRequest
    | pb.GetBarsRequest
    | pb.GetClosesRequest
    | pb.GetCloseHistoryRequest
    | pb.GetOptionChainRequest
    | pb.GetExchangeRatesRequest
    | pb.GetExchangeRateHistoryRequest
)


def _as_of(request: _TimedRequest) -> datetime | None:
    return from_timestamp(request.as_of, "as_of") if request.HasField("as_of") else None


def _known_at(
    request: pb.GetQuotesRequest | pb.GetBarsRequest | pb.GetClosesRequest | pb.GetCloseHistoryRequest,
) -> datetime | None:
    return from_timestamp(request.known_at, "known_at") if request.HasField("known_at") else None


def _pairs(request: pb.GetExchangeRatesRequest | pb.GetExchangeRateHistoryRequest) -> list[CurrencyPair]:
    return [CurrencyPair(pair.base, pair.quote) for pair in request.pairs]


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _new_assets(request: pb.ImportBarsRequest) -> NewAssets | None:
    if not request.HasField("new_assets"):
        return None
    given = request.new_assets
    return NewAssets(
        translate.asset_class_from(given.asset_class, "new_assets.asset_class"), given.currency, given.calendar
    )


def _rejected(rejection: Rejection) -> pb.RejectedRow:
    found = f" (found {rejection.found!r})" if rejection.found else ""
    return pb.RejectedRow(line=rejection.line, field=rejection.field, reason=f"{rejection.reason}{found}")
