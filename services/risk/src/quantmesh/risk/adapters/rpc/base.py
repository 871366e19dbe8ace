"""What every method needs: the book that is meant, and the prices it is measured by."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.times import from_timestamp
from quantmesh.risk.adapters.rpc.positions import option_of
from quantmesh.risk.core.closes import history_of
from quantmesh.risk.core.errors import UnknownChoice
from quantmesh.risk.core.estimators import Estimator
from quantmesh.risk.core.model import Book, History, Position, Terms
from quantmesh.risk.core.ports import Market, Portfolios

ESTIMATORS: Mapping[int, Estimator] = {
    pb.COVARIANCE_ESTIMATOR_UNSPECIFIED: "sample",
    pb.COVARIANCE_ESTIMATOR_SAMPLE: "sample",
    pb.COVARIANCE_ESTIMATOR_EWMA: "ewma",
    pb.COVARIANCE_ESTIMATOR_LEDOIT_WOLF: "ledoit_wolf",
    pb.COVARIANCE_ESTIMATOR_FACTOR: "factor",
    pb.COVARIANCE_ESTIMATOR_GARCH_DCC: "garch_dcc",
}
_SYMBOL_LIMIT = 1000


class Methods:
    def __init__(self, market: Market, portfolios: Portfolios) -> None:
        self._market = market
        self._portfolios = portfolios

    async def _measured(
        self, request: pb.MeasuredBook | pb.ValueAtRiskRequest, closes: int = 2
    ) -> tuple[Book, History]:
        """The book, its listed contracts as options, and the last closes that it is measured by; raises EmptyBook."""
        as_of, known_at = instant(request, "as_of"), instant(request, "known_at")
        match request.WhichOneof("book"):
            case "portfolio_id":
                book = await self._portfolios.book(request.portfolio_id, as_of, known_at)
                terms = await self._market.terms(book.symbols)
            case "positions":
                book, terms = await self._inline(request.positions)
            case _:
                raise UnknownChoice("book", "must be a portfolio_id or positions")
        symbols = book.require_positions().symbols
        history = await history_of(self._market, {symbol: terms[symbol] for symbol in symbols}, closes, as_of, known_at)
        return book.with_listed(history.listed), history

    async def _inline(self, positions: pb.InlinePositions) -> tuple[Book, dict[str, Terms]]:
        check_count(len(positions.positions))
        given: list[Position] = []
        held: set[str] = set()
        for index, position in enumerate(positions.positions):
            place = f"positions[{index}]"
            is_option = position.HasField("option")
            if position.symbol in held and not is_option:
                raise UnknownChoice(f"{place}.symbol", f"{position.symbol} is given twice")
            if not is_option:
                held.add(position.symbol)
            quantity = from_proto(position.quantity, f"{place}.quantity")
            option = option_of(position.option, f"{place}.option") if is_option else None
            given.append(Position(position.symbol, quantity, option))
        terms = await self._market.terms({position.symbol for position in given})
        for index, each in enumerate(given):
            if each.option is not None and terms[each.symbol].contract is not None:
                detail = f"must be what the option is on; {each.symbol} is an option itself, and told by its symbol"
                raise UnknownChoice(f"positions[{index}].symbol", detail)
        return Book.in_one_currency(((each, terms[each.symbol].currency) for each in given), cash={}), terms


def check_count(count: int) -> None:
    if count > _SYMBOL_LIMIT:
        raise UnknownChoice("symbols", f"may be {_SYMBOL_LIMIT} at most; there are {count}")


def chosen(field: str, number: int, choices: Mapping[int, Any]) -> Any:
    """Raises UnknownChoice with what there is."""
    if number not in choices:
        raise UnknownChoice(field, f"must be one of {', '.join(dict.fromkeys(map(str, choices.values())))}")
    return choices[number]


def instant(request: Message, field: str) -> datetime | None:
    stamps: dict[str, Timestamp] = {descriptor.name: stamp for descriptor, stamp in request.ListFields()}
    return from_timestamp(stamps[field], field) if field in stamps else None
