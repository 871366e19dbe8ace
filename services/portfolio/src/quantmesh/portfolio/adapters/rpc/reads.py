"""What is derived from the ledger: positions, performance, the journal, the account's log."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters import translate, translate_performance
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, portfolio_id_of
from quantmesh.portfolio.adapters.translate_lots import shown_lots
from quantmesh.portfolio.adapters.translate_performance import FREQUENCIES
from quantmesh.portfolio.core.daily_book import History
from quantmesh.portfolio.core.errors import InvalidCursor, InvalidRequest
from quantmesh.portfolio.core.get_performance import PerformanceQuestion, get_performance
from quantmesh.portfolio.core.get_positions import Holdings, ValuedHoldings, read_holdings, read_lots, value_holdings
from quantmesh.portfolio.core.pages import from_cursor, page_limit, page_of, to_cursor
from quantmesh.portfolio.core.performance import PerformancePoint, resampled
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.read_history import Span, read_history

# More positions and lots than these become messages beside the event loop.
_SHOWN_AT_ONCE = 1_000


class ReadMethods(Methods):
    @requires("portfolio:read")
    async def GetPositions(self, request: pb.GetPositionsRequest, context: Context) -> pb.GetPositionsResponse:
        view, begun = _view(request), self._clock.now()
        async with self._store() as store:
            holdings = await read_holdings(store, portfolio_id_of(request.portfolio_id), view, lots=request.lots)
        valued = await value_holdings(self._market, holdings, view.as_of, view.known_at)
        base = valued.portfolio.base_currency
        shown = len(valued.marks) + sum(map(len, holdings.lots.values()))
        if shown > _SHOWN_AT_ONCE:
            positions = await asyncio.to_thread(_positions, valued, holdings)
        else:
            positions = _positions(valued, holdings)
        return pb.GetPositionsResponse(
            positions=positions,
            cash=[translate.money(amount, currency) for currency, amount in valued.cash.items()],
            cash_value=None if valued.cash_value is None else translate.money(valued.cash_value, base),
            total_value=None if valued.total_value is None else translate.money(valued.total_value, base),
            exchange_rates=translate.exchange_rates(valued.rates),
            as_of=None if valued.as_of is None else to_timestamp(valued.as_of),
            known_at=to_timestamp(_known_at(view, begun, holdings.recorded_at)),
            seq=holdings.seq,
        )

    @requires("portfolio:read")
    async def ListLots(self, request: pb.ListLotsRequest, context: Context) -> pb.ListLotsResponse:
        limit = page_limit(request.page.limit)
        if not request.symbol:
            raise InvalidRequest("symbol", "is required: the instrument whose lots are listed")
        seq, place = _numbers_of(request.page.cursor, 2) or (None, 0)
        view = replace(_view(request), seq=seq)
        async with self._store() as store:
            holdings = await read_lots(store, portfolio_id_of(request.portfolio_id), request.symbol, view)
        last_seq = holdings.portfolio.seq
        if seq is not None and seq > last_seq:
            raise InvalidCursor
        seq = last_seq if seq is None else seq
        lots = holdings.lots.get(request.symbol, ())
        end = place + limit
        # Without a position there is nothing to value.
        marks = (await value_holdings(self._market, holdings, view.as_of, view.known_at)).marks if lots else ()
        multiplier = holdings.multipliers.get(request.symbol)
        return pb.ListLotsResponse(
            lots=[lot for mark in marks for lot in shown_lots(lots[place:end], mark, multiplier)],
            page=common_pb2.PageInfo(next_cursor=to_cursor([str(seq), str(end)]) if end < len(lots) else ""),
            seq=seq,
        )

    @requires("portfolio:read")
    async def GetPerformance(self, request: pb.GetPerformanceRequest, context: Context) -> pb.GetPerformanceResponse:
        view = _view(request)
        start, end = _day(request.start, "start"), _day(request.end, "end")
        frequency = translate.chosen(FREQUENCIES, request.frequency, "frequency")
        rate = request.risk_free_rate
        if not -1.0 < rate < 1.0:
            raise InvalidRequest("risk_free_rate", f"{rate} is not a fraction per year between -1 and 1")
        portfolio_id, begun = portfolio_id_of(request.portfolio_id), self._clock.now()
        as_of = view.as_of or (await self._market.clock()).time
        asked = PerformanceQuestion(as_of, view.known_at, start, end, request.benchmark, rate, request.explain)

        async def read(span: Span) -> History:
            async with self._store() as store:
                return await read_history(store, portfolio_id, view, span)

        history, measured = await get_performance(read, self._market, asked)
        shown, cursor = _page(resampled(measured.performance.series, frequency), request.page)
        answer = translate_performance.performance(measured, shown, cursor, history.portfolio.base_currency)
        answer.as_of.CopyFrom(to_timestamp(as_of))
        answer.known_at.CopyFrom(to_timestamp(_known_at(view, begun, history.recorded_at)))
        return answer

    @requires("portfolio:read")
    async def ListLedger(self, request: pb.ListLedgerRequest, context: Context) -> pb.ListLedgerResponse:
        limit = page_limit(request.page.limit)
        (after,) = _numbers_of(request.page.cursor, 1) or (0,)
        asked = _view(request)
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id_of(request.portfolio_id))
            view = View(asked.as_of, asked.known_at, portfolio.seq)
            found = await store.entries(portfolio.id, view, after, limit + 1)
        shown, cursor = page_of(found, limit, lambda entry: [str(entry.seq)])
        return pb.ListLedgerResponse(
            entries=[translate.ledger_entry(item) for item in shown], page=common_pb2.PageInfo(next_cursor=cursor)
        )

    @requires("portfolio:read")
    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        limit = page_limit(request.limit)
        # Postgres counts to 2^63 - 1; a number that no log reaches has nothing after it.
        after = min(request.after, 2**63 - 1)
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id_of(request.portfolio_id))
            events = await store.account_events(portfolio, after, limit)
        return pb.ListEventsResponse(
            events=[translate.account_event(event) for event in events], last_seq=portfolio.seq
        )


def _positions(valued: ValuedHoldings, holdings: Holdings) -> list[pb.Position]:
    """With the lots that were read."""
    base = valued.portfolio.base_currency
    found = []
    for mark in valued.marks:
        symbol = mark.position.symbol
        lots = shown_lots(holdings.lots.get(symbol, ()), mark, holdings.multipliers.get(symbol))
        found.append(translate.marked_position(mark, base, lots))
    return found


def _view(
    request: pb.GetPositionsRequest | pb.ListLotsRequest | pb.GetPerformanceRequest | pb.ListLedgerRequest,
) -> View:
    return View(translate.moment(request, "as_of"), translate.moment(request, "known_at"))


def _known_at(view: View, begun: datetime, recorded_at: datetime) -> datetime:
    """From before the ledger was read, since what is recorded meanwhile is not shown; all that is shown was known.

    Nothing is known of a later time than that, also where it was asked for.
    """
    known_at = max(begun, recorded_at)
    return known_at if view.known_at is None else min(view.known_at, known_at)


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(field, f"{text[:20]!r} is not a date such as 2020-01-31") from error


def _numbers_of(cursor: str, parts: int) -> list[int] | None:
    key = from_cursor(cursor, parts)
    if key is None:
        return None
    if not all(part.isdecimal() and len(part) <= 18 for part in key):
        raise InvalidCursor
    return [int(part) for part in key]


def _page(series: Sequence[PerformancePoint], page: common_pb2.PageRequest) -> tuple[Sequence[PerformancePoint], str]:
    """Without a limit all of it; with the cursor of the next."""
    after = from_cursor(page.cursor, 1)
    try:
        day = None if after is None else date.fromisoformat(after[0])
    except ValueError as error:
        raise InvalidCursor from error
    rest = [point for point in series if day is None or point.day > day]
    shown = rest[: page.limit] if page.limit else rest
    return shown, to_cursor([shown[-1].day.isoformat()]) if len(shown) < len(rest) else ""
