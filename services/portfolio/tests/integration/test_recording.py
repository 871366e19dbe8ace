"""Recording transactions: what they leave, what is refused, and that one key has one effect."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, NotFound, QuantmeshError, RuleBroken, Unavailable
from quantmesh.chassis.idempotency import KeyMissing, KeyReused
from quantmesh.portfolio.core.errors import (
    AlreadyAdjusted,
    BeforeSplit,
    InsufficientCash,
    InsufficientHolding,
    InTheFuture,
    InvalidTransaction,
    UnknownSymbol,
)

from .fakes import NO_CONTEXT, Service
from .messages import transaction


async def test_a_buy_answers_with_its_position_and_the_cash_that_is_left(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    trade = {"type": "buy", "symbol": "AAPL", "quantity": "10", "price": "73.35", "fee": "1.00"}
    answer = await user.record(portfolio.id, **trade, currency="USD", at="2020-01-03")
    assert answer.transaction.cash_effect.amount.value == "-734.50"
    assert answer.position.quantity.value == "10"
    assert answer.position.average_cost.value == "73.35"
    assert answer.cash.amount.value == "265.50"


async def test_a_sale_realises_its_gain_before_fees(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "70")
    trade = {"type": "sell", "symbol": "AAPL", "quantity": "4", "price": "80", "fee": "2"}
    answer = await user.record(portfolio.id, **trade, currency="USD", at="2020-02-03")
    assert answer.position.realized_pnl.value == "40.00"
    assert answer.position.quantity.value == "6"
    assert answer.transaction.cash_effect.amount.value == "318.00"


@pytest.mark.parametrize(("lots", "gain"), [(pb.LOT_METHOD_AVERAGE, "-50.00"), (pb.LOT_METHOD_FIFO, "0.00")])
async def test_the_portfolio_s_lot_method_decides_the_gain(service: Service, lots: int, gain: str) -> None:
    user = service.user()
    portfolio = await user.create(lots=lots)
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "70", "2020-01-03")
    await user.buy(portfolio.id, "10", "80", "2020-01-06")
    trade = {"type": "sell", "symbol": "AAPL", "quantity": "10", "price": "70", "currency": "USD"}
    answer = await user.record(portfolio.id, **trade, at="2020-01-07")
    assert answer.position.realized_pnl.value == gain


async def test_dividend_and_split_are_posted_on_a_raw_series(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "100", symbol="IBM")
    dividend = await user.record(
        portfolio.id, type="dividend", symbol="IBM", amount="12.34", currency="USD", at="2020-02-03"
    )
    assert dividend.cash.amount.value == "99012.34"
    split = await user.record(portfolio.id, type="split", symbol="IBM", split_ratio="4", at="2020-03-03")
    assert (split.position.quantity.value, split.position.average_cost.value) == ("40", "25")
    assert split.transaction.cash_effect.amount.value == "0.00"


_TRADE = {"symbol": "AAPL", "quantity": "10", "price": "73.35", "currency": "USD", "at": "2020-01-03"}


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"type": "buy", **_TRADE, "quantity": "100000"}, InsufficientCash, "transaction.quantity"),
        ({"type": "sell", **_TRADE}, InsufficientHolding, "transaction.quantity"),
        ({"type": "buy", **_TRADE, "symbol": "NOPE"}, UnknownSymbol, "transaction.symbol"),
        ({"type": "buy", **_TRADE, "currency": "EUR"}, InvalidTransaction, "transaction.currency"),
        ({"type": "buy", **_TRADE, "at": "2022-12-21"}, InTheFuture, "transaction.executed_at"),
        ({"type": "buy", **_TRADE, "price": "1e3"}, InvalidInput, "price"),
        ({"type": "split", "symbol": "AAPL", "split_ratio": "4", "at": "2020-01-03"}, AlreadyAdjusted, "type"),
        (
            {"type": "withdrawal", "amount": "1000.01", "currency": "USD", "at": "2020-01-03"},
            InsufficientCash,
            "amount",
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_a_refusal_names_its_field_and_leaves_nothing(
    service: Service, fields: dict[str, Any], error: type[QuantmeshError], field: str
) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    with pytest.raises(error) as refused:
        await user.record(portfolio.id, **fields)
    assert any(violation.field.endswith(field) for violation in refused.value.violations)
    assert (await user.events(portfolio.id)).last_seq == 1
    assert len(await user.ledger(portfolio.id)) == 1


async def test_a_backdated_entry_is_checked_at_every_later_instant(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    await user.buy(portfolio.id, "10", "90", "2020-03-02")
    with pytest.raises(InsufficientCash, match="2020-03-02T15:00:00Z, when later entries"):
        await user.buy(portfolio.id, "2", "80", "2020-02-03")
    await user.buy(portfolio.id, "1", "80", "2020-02-03")
    trade = {"type": "sell", "symbol": "AAPL", "quantity": "2", "price": "1", "currency": "USD"}
    with pytest.raises(InsufficientHolding):
        await user.record(portfolio.id, **trade, at="2020-02-04")


async def test_a_trade_dated_before_a_recorded_split_is_refused(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "100", "2020-01-03", "IBM")
    await user.record(portfolio.id, type="split", symbol="IBM", split_ratio="2", at="2020-03-03")
    with pytest.raises(BeforeSplit):
        await user.buy(portfolio.id, "1", "100", "2020-02-03", "IBM")
    assert (await user.buy(portfolio.id, "1", "50", "2020-03-04", "IBM")).position.quantity.value == "21"


async def test_several_currencies_are_kept_apart(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    trade = {"type": "buy", "symbol": "SAP", "quantity": "1", "price": "100", "currency": "EUR"}
    with pytest.raises(InsufficientCash):
        await user.record(portfolio.id, **trade, at="2020-02-03")
    await user.record(portfolio.id, type="deposit", amount="500", currency="EUR", at="2020-01-02")
    answer = await user.record(portfolio.id, **trade, at="2020-02-03")
    assert (answer.cash.amount.value, answer.cash.currency) == ("400.00", "EUR")


async def test_the_same_key_and_request_answer_the_same_bytes_once(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    fields = {"type": "deposit", "amount": "5", "currency": "USD", "at": "2020-01-02"}
    first = await user.record(portfolio.id, key="one", **fields)
    again = await user.record(portfolio.id, key="one", **fields)
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert (await user.events(portfolio.id)).last_seq == 1
    with pytest.raises(KeyReused):
        await user.record(portfolio.id, key="one", **{**fields, "amount": "6"})


async def test_recording_needs_a_key(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    user.call()
    asked = transaction(type="deposit", amount="5", currency="USD", at="2020-01-02")
    with pytest.raises(KeyMissing):
        await service.rpc.RecordTransaction(
            pb.RecordTransactionRequest(portfolio_id=portfolio.id, transaction=asked), NO_CONTEXT
        )


async def test_without_the_market_nothing_is_recorded(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    service.market.available = False
    with pytest.raises(Unavailable):
        await user.deposit(portfolio.id)
    service.market.available = True
    assert (await user.events(portfolio.id)).last_seq == 0


async def test_an_unknown_portfolio_is_not_found(service: Service) -> None:
    for portfolio_id in ("", "nonsense", str(uuid4())):
        with pytest.raises(NotFound):
            await service.user().deposit(portfolio_id)


async def test_sixteen_buyers_at_once_cannot_overspend(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    outcomes = await asyncio.gather(*(user.buy(portfolio.id, "1", "150.00") for _ in range(16)), return_exceptions=True)
    bought = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, InsufficientCash)]
    assert (len(bought), len(refused)) == (6, 10)
    positions = await user.positions(portfolio.id)
    assert [money.amount.value for money in positions.cash] == ["100.00"]
    assert positions.positions[0].quantity.value == "6"


async def test_the_log_has_no_holes_under_concurrency_and_rollbacks(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    outcomes = await asyncio.gather(
        *(user.buy(portfolio.id, "1", "90" if number % 3 else "9000") for number in range(24)),
        *(user.order(portfolio.id, "1" if number % 2 else "50") for number in range(8)),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {InsufficientCash}
    assert sum(isinstance(outcome, RuleBroken) for outcome in outcomes) >= 8
    log = await user.events(portfolio.id)
    assert [event.seq for event in log.events] == list(range(1, log.last_seq + 1))
    assert [event.recorded_at.ToDatetime() for event in log.events] == sorted(
        event.recorded_at.ToDatetime() for event in log.events
    )


async def test_the_books_balance_and_say_what_the_positions_say(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    for number in range(1, 6):
        await user.buy(portfolio.id, str(number), f"{70 + number}.123", f"2020-02-0{number}")
    totals: dict[tuple[str, str], Decimal] = {}
    for entry in await user.ledger(portfolio.id):
        balance: dict[str, Decimal] = {}
        for side in entry.postings:
            amount = Decimal(side.amount.value)
            balance[side.commodity] = balance.get(side.commodity, Decimal(0)) + amount
            totals[side.account, side.commodity] = totals.get((side.account, side.commodity), Decimal(0)) + amount
        assert set(balance.values()) == {Decimal(0)}
    positions = await user.positions(portfolio.id)
    assert totals["assets:securities", "AAPL"] == Decimal(positions.positions[0].quantity.value) == 15
    assert totals["assets:cash", "USD"] == Decimal(positions.cash[0].amount.value)
