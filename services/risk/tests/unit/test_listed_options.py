"""Contracts that the market lists, as options on what they are priced by."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quantmesh.risk.core.errors import NotMeasurable
from quantmesh.risk.core.model import Book, Position
from quantmesh.risk.core.options import Chain, Contract, Listed, Option, listed_at

CLOSE = datetime(2022, 10, 3, 20, tzinfo=UTC)
CONTRACT = Contract("AAPL", "put", "american", 140.0, CLOSE + timedelta(days=73), 100.0)
OPTION = Option("put", "american", 140.0, 0.2, 0.4, 100.0)


def chains(time: datetime = CLOSE) -> dict[str, Chain]:
    return {"AAPL": Chain(time, {"AAPL-PUT": 0.4})}


def test_a_contract_lives_up_to_its_expiry_at_the_volatility_of_its_chain() -> None:
    assert listed_at({"AAPL-PUT": CONTRACT}, chains(), CLOSE) == {"AAPL-PUT": Listed("AAPL", OPTION, stale=False)}


def test_a_volatility_of_more_than_a_long_weekend_before_is_stale() -> None:
    of_then = chains(CLOSE - timedelta(days=5, seconds=1))
    assert listed_at({"AAPL-PUT": CONTRACT}, of_then, CLOSE)["AAPL-PUT"].stale


def test_what_has_expired_or_has_no_volatility_is_named() -> None:
    with pytest.raises(NotMeasurable, match="AAPL-PUT had expired by 2022-12-15T20:00:00Z"):
        listed_at({"AAPL-PUT": CONTRACT}, chains(), CONTRACT.expiry)
    for unquoted in ({}, {"AAPL": Chain(CLOSE, {})}):
        with pytest.raises(NotMeasurable, match="no option chain tells the implied volatility of AAPL-PUT"):
            listed_at({"AAPL-PUT": CONTRACT}, unquoted, CLOSE)


def test_a_book_holds_contracts_as_options_that_are_as_stale_as_their_volatilities() -> None:
    held = {"AAPL": (Decimal(100), "USD"), "AAPL-PUT": (Decimal(-2), "USD")}
    book = Book.of(held, cash={}, stale=frozenset({"AAPL-PUT"}))
    fresh = book.with_listed({"AAPL-PUT": Listed("AAPL", OPTION, stale=False)})
    assert fresh.positions == (Position("AAPL", Decimal(100)), Position("AAPL", Decimal(-2), OPTION))
    assert (fresh.symbols, fresh.stale) == (["AAPL"], frozenset())
    aged = book.with_listed({"AAPL-PUT": Listed("AAPL", OPTION, stale=True)})
    assert aged.stale == {"AAPL-PUT"}
