"""/market: quotes, bars, option chains and the market's clock."""

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.adapters.quote_feed import LastQuotes
from quantmesh.gateway.adapters.response_cache import ResponseCache
from quantmesh.gateway.http.answer import Answer, ok, tagged, tagged_bytes
from quantmesh.gateway.http.models import market as models
from quantmesh.gateway.http.models.base import Symbol
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import market as translation
from quantmesh.gateway.translation.common import day_request, instant_request, page_request


class Market:
    def __init__(self, market: Peer, cache: ResponseCache, last_quotes: LastQuotes) -> None:
        self._market = market
        self._stub = MarketServiceStub(market.channel)
        self._cache = cache
        self._last_quotes = last_quotes

    def operations(self) -> Operations:
        operations = Operations("/api/v2/market", "market")
        add = operations.add
        add(
            "GET",
            "/quotes",
            self.quotes,
            summary="Last prices with bid and ask",
            scope="market:read",
            answer=models.QuotesShown,
            statuses=(404,),
            conditional="none-match",
        )
        add(
            "GET",
            "/clock",
            self.clock,
            summary="Where market time stands",
            scope="market:read",
            answer=models.ClockShown,
        )
        add(
            "GET",
            "/exchange-rates",
            self.exchange_rates,
            summary="Reference rates of the European Central Bank, crossed through the euro",
            scope="market:read",
            answer=models.ExchangeRatesShown,
            conditional="none-match",
        )
        add(
            "GET",
            "/{symbol}/bars",
            self.bars,
            summary="Open, high, low, close and volume",
            scope="market:read",
            answer=models.BarsShown,
            conditional="none-match",
        )
        add(
            "GET",
            "/{symbol}/option-chain",
            self.option_chain,
            summary="Listed options with their implied volatilities",
            scope="market:read",
            answer=models.ChainShown,
            conditional="none-match",
        )
        return operations

    async def quotes(self, query: QueryOf[models.QuotesQuery]) -> Answer:
        symbols = list(dict.fromkeys(query.symbols.split(",")))
        as_of, known_at = instant_request(query.as_of), instant_request(query.known_at)
        request = pb.GetQuotesRequest(symbols=symbols, as_of=as_of, known_at=known_at)
        try:
            answer = await self._market.call(self._stub.GetQuotes, request)
        except Unavailable:
            known = self._last_quotes.stale(symbols) if as_of is None and known_at is None else []
            if len(known) < len(symbols):
                raise
            return ok({"data": known, "missing": [], "degraded": True})
        return tagged(translation.quotes(answer))

    async def clock(self) -> Answer:
        return ok(translation.clock(await self._market.call(self._stub.GetClock, pb.GetClockRequest())))

    async def exchange_rates(self, query: QueryOf[models.ExchangeRatesQuery]) -> Answer:
        request = pb.GetExchangeRatesRequest(
            pairs=[pb.CurrencyPair(base=query.base, quote=quote) for quote in query.quote.split(",")],
            date=day_request(query.date),
            as_of=instant_request(query.as_of),
        )
        return tagged(translation.exchange_rates(await self._market.call(self._stub.GetExchangeRates, request)))

    async def bars(self, symbol: Symbol, query: QueryOf[models.BarsQuery]) -> Answer:
        async def ask() -> dict[str, object]:
            request = pb.GetBarsRequest(
                symbol=symbol,
                interval=translation.INTERVALS[query.interval],
                start=day_request(query.start),
                end=day_request(query.end),
                as_of=instant_request(query.as_of),
                known_at=instant_request(query.known_at),
                page=page_request(query.limit, query.cursor),
            )
            return translation.bars(await self._market.call(self._stub.GetBars, request), query.interval)

        return tagged_bytes(await self._cache.get_or_ask(f"bars:{symbol}", query.model_dump_json(), ask))

    async def option_chain(self, symbol: Symbol, query: QueryOf[models.ChainQuery]) -> Answer:
        async def ask() -> dict[str, object]:
            request = pb.GetOptionChainRequest(underlying=symbol, as_of=instant_request(query.as_of))
            return translation.option_chain(await self._market.call(self._stub.GetOptionChain, request))

        return tagged_bytes(await self._cache.get_or_ask(f"chain:{symbol}", query.model_dump_json(), ask))
