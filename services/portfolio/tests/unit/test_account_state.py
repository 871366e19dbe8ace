"""An account valued at the last quotes, with the profit of its day."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from quantmesh.portfolio.adapters.accounts import account_message
from quantmesh.portfolio.core.account_state import (
    AccountInstrument,
    AccountState,
    OpenOrder,
    RecordedAccount,
    day_begin,
    value_account,
)
from quantmesh.portfolio.core.market import Adjustment, Asset, ExchangeRate, Quote
from quantmesh.portfolio.core.orders import OrderSide

NOW = datetime(2022, 12, 20, 18, tzinfo=UTC)


@dataclass
class Prices:
    """The market's part that accounts are valued with: a price now, and one when the day began."""

    now: dict[str, str] = field(default_factory=lambda: {"AAPL": "130", "SAP": "100"})
    then: dict[str, str] = field(default_factory=lambda: {"AAPL": "120", "SAP": "110"})
    rates: tuple[str, str] = ("1.2", "1.0")
    known: tuple[str, ...] = ("AAPL", "MSFT", "SAP")

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        return {
            symbol: Asset(
                symbol, "EUR" if symbol == "SAP" else "USD", Adjustment.RAW, Decimal("0.01"), Decimal(1), tradable=True
            )
            for symbol in symbols
            if symbol in self.known
        }

    async def quotes(self, symbols: Collection[str], as_of: datetime | None = None) -> Mapping[str, Quote]:
        prices = self.now if as_of is None else self.then
        assert as_of in {None, day_begin(NOW)}
        return {
            symbol: Quote(symbol, Decimal(prices[symbol]), None, None, NOW, False, "EUR" if symbol == "SAP" else "USD")
            for symbol in symbols
            if symbol in prices
        }

    async def exchange_rates(
        self, currencies: Collection[str], base: str, as_of: datetime | None
    ) -> Mapping[str, ExchangeRate]:
        assert set(currencies) <= {"EUR"}
        rate = ExchangeRate(Decimal(self.rates[as_of is not None]), date(2022, 12, 19), stale=False)
        return dict.fromkeys(currencies, rate)


def recorded(**changes: Any) -> RecordedAccount:
    plain = RecordedAccount(uuid4(), "USD", 7, {"USD": Decimal(1000)}, {"AAPL": Decimal(10)}, {}, {}, {}, {}, ())
    return replace(plain, **changes)


def shown(each: AccountInstrument) -> str:
    return f"{each.symbol} {each.quantity} {each.price} {each.exchange_rate}"


async def state_of(account: RecordedAccount, *symbols: str, **prices: Any) -> AccountState:
    market: Any = Prices(**prices)
    return await value_account(market, account, symbols, NOW)


async def day_profit(account: RecordedAccount, **prices: Any) -> float | None:
    profit = (await state_of(account, **prices)).day_profit
    return None if profit is None else float(profit)


async def test_what_is_held_ordered_and_asked_about_is_priced() -> None:
    waiting = OpenOrder(uuid4(), "MSFT", OrderSide.BUY, Decimal(3))
    state = await state_of(recorded(open_orders=[waiting]), "SAP")
    assert [shown(each) for each in state.instruments] == ["AAPL 10 130 1", "MSFT 0 None 1", "SAP 0 100 1.2"]
    assert state.cash == Decimal(1000)
    assert state.as_of == NOW


async def test_the_profit_of_the_day_is_from_its_first_price_on() -> None:
    assert await day_profit(recorded()) == 100


async def test_what_was_paid_in_is_no_profit_and_a_fee_is_a_loss() -> None:
    paid = recorded(cash_since={"USD": Decimal(500)}, paid_in={"USD": Decimal(500)})
    assert await day_profit(paid) == 100
    charged = recorded(cash_since={"USD": Decimal(-5)})
    assert await day_profit(charged) == 95


async def test_units_of_today_count_from_what_they_cost() -> None:
    """Four of the ten were bought today at 128: 6 * 10 + 4 * 2."""
    bought = recorded(units_since={"AAPL": Decimal(4)}, cash_since={"USD": Decimal(-512)})
    assert await day_profit(bought) == 68


async def test_units_sold_today_count_up_to_what_they_brought() -> None:
    """All ten were sold at 125."""
    sold = recorded(units={}, units_since={"AAPL": Decimal(-10)}, cash_since={"USD": Decimal(1250)})
    assert await day_profit(sold) == 50


async def test_another_currency_counts_at_the_rates_of_then_and_now() -> None:
    """10 * 100 * 1.2 now, 10 * 110 * 1.0 then; and 100 EUR of cash."""
    held = recorded(units={"SAP": Decimal(10)}, cash={"EUR": Decimal(100)})
    assert await day_profit(held) == 1200 - 1100 + 120 - 100


async def test_without_a_price_there_is_no_profit_to_tell() -> None:
    held = recorded(units={"MSFT": Decimal(1)})
    assert await day_profit(held) is None
    assert await day_profit(recorded(), then={}) is None


async def test_what_the_market_does_not_know_any_more_stays_in_the_account() -> None:
    state = await state_of(recorded(), known=())
    assert [shown(each) for each in state.instruments] == ["AAPL 10 None None"]


@pytest.mark.parametrize(("units", "is_told"), [("999999999999", True), ("90000000000000000000", False)])
async def test_a_profit_of_any_size_is_told_as_long_as_it_can_be(units: str, *, is_told: bool) -> None:
    state = await state_of(recorded(units={"AAPL": Decimal(units)}))
    assert state.day_profit == 10 * Decimal(units)
    assert account_message(state).HasField("day_profit") is is_told
