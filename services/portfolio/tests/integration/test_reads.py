"""Positions, performance, the ledger and the log: now, as it was, and as it was known."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput
from quantmesh.portfolio.core.errors import RateMissing

from .fakes import NO_CONTEXT, NOW, Service
from .messages import stamp


async def test_positions_are_marked_at_the_live_quote(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    await user.buy(portfolio.id, "4", "100")
    answer = await user.positions(portfolio.id)
    held = answer.positions[0]
    assert (held.price.value, held.market_value.value, held.unrealized_pnl.value) == ("130", "520.00", "120.00")
    assert not held.stale
    assert (answer.total_value.amount.value, answer.total_value.currency) == ("1120.00", "USD")
    assert answer.seq == 2


async def test_without_the_market_positions_come_without_prices_and_say_so(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "4", "100")
    service.market.available = False
    answer = await user.positions(portfolio.id)
    held = answer.positions[0]
    assert (held.quantity.value, held.stale) == ("4", True)
    assert not held.HasField("price")
    assert not answer.HasField("total_value")
    # Nobody knows the market's time, and no other clock tells it.
    assert not answer.HasField("as_of")


async def test_a_closed_position_is_not_listed(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "4", "100")
    trade = {"type": "sell", "symbol": "AAPL", "quantity": "4", "price": "101", "currency": "USD"}
    await user.record(portfolio.id, **trade, at="2020-02-03")
    assert list((await user.positions(portfolio.id)).positions) == []


async def test_as_of_shows_what_was_true_and_known_at_what_was_known(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    service.market.history["AAPL"] = {date(2020, 1, 3): Decimal(74), date(2020, 2, 3): Decimal(80)}
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    await user.buy(portfolio.id, "2", "74", "2020-01-03")
    known = service.clock.now()
    service.clock.time += timedelta(hours=1)
    await user.buy(portfolio.id, "3", "75", "2020-01-04")
    february = datetime(2020, 2, 3, 23, tzinfo=UTC)

    def quantity(answer: pb.GetPositionsResponse) -> str:
        return answer.positions[0].quantity.value

    assert quantity(await user.positions(portfolio.id, as_of=february)) == "5"
    assert quantity(await user.positions(portfolio.id, as_of=february, known_at=known)) == "2"
    assert quantity(await user.positions(portfolio.id, as_of=datetime(2020, 1, 3, 20, tzinfo=UTC))) == "2"
    then = await user.positions(portfolio.id, as_of=february, known_at=known)
    assert (then.positions[0].price.value, then.total_value.amount.value) == ("80", "1012.00")
    # Prices too are asked for as they were known then.
    assert service.market.asked_known_at == known
    user.call()
    service.market.asked_known_at = None
    request = pb.GetPerformanceRequest(portfolio_id=portfolio.id, as_of=stamp(february), known_at=stamp(known))
    await service.rpc.GetPerformance(request, NO_CONTEXT)
    assert service.market.asked_known_at == known
    before = await user.positions(portfolio.id, as_of=datetime(2020, 1, 1, tzinfo=UTC))
    assert (len(before.positions), len(before.cash)) == (0, 0)


async def test_performance_is_time_weighted_over_the_closes(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    service.market.history["AAPL"] = {
        date(2020, 1, 3): Decimal(100),
        date(2020, 1, 6): Decimal(110),
        date(2020, 1, 7): Decimal(99),
    }
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    await user.buy(portfolio.id, "10", "100", "2020-01-03")
    await user.deposit(portfolio.id, "1100.00", "2020-01-07")
    user.call()
    answer = await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
    # 1000 of shares gain 10 %, then 1100 of shares beside 1100 of new cash lose 110 of 2200.
    assert answer.time_weighted_return == pytest.approx(1.1 * 0.95 - 1, abs=1e-12)
    assert answer.maximum_drawdown == pytest.approx(-0.05, abs=1e-12)
    assert [(point.date, point.value.value, point.net_flow.value) for point in answer.series] == [
        ("2020-01-02", "1000.00", "1000.00"),
        ("2020-01-03", "1000.00", "0.00"),
        ("2020-01-06", "1100.00", "0.00"),
        ("2020-01-07", "2090.00", "1100.00"),
    ]
    assert answer.value.amount.value == "2090.00"
    later = await service.rpc.GetPerformance(
        pb.GetPerformanceRequest(portfolio_id=portfolio.id, start="2020-01-06", end="2020-01-06"), NO_CONTEXT
    )
    assert later.time_weighted_return == pytest.approx(0.1, abs=1e-12)
    then = await service.rpc.GetPerformance(
        pb.GetPerformanceRequest(portfolio_id=portfolio.id, as_of=stamp(datetime(2020, 1, 6, 22, tzinfo=UTC))),
        NO_CONTEXT,
    )
    assert then.series[-1].date == "2020-01-06"


async def test_performance_is_explained_compared_and_told_by_the_month(service: Service) -> None:
    user = service.user()
    portfolio = await user.create(lots=2)
    service.market.history["AAPL"] = {
        date(2020, 1, 3): Decimal(100),
        date(2020, 1, 31): Decimal(110),
        date(2020, 2, 3): Decimal(121),
    }
    service.market.history["MSFT"] = {
        date(2020, 1, 2): Decimal(50),
        date(2020, 1, 3): Decimal(50),
        date(2020, 1, 31): Decimal(55),
        date(2020, 2, 3): Decimal("60.5"),
    }
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    trade = {"symbol": "AAPL", "fee": "1.00"}
    await user.record(portfolio.id, type="buy", quantity="8", price="100", at="2020-01-03", **trade)
    await user.record(portfolio.id, type="sell", quantity="2", price="115", at="2020-02-03", **trade)
    wrong = await user.record(portfolio.id, type="interest", amount="50.00", at="2020-01-31")
    await user.record(portfolio.id, type="interest", amount="5.00", at="2020-01-31")
    user.call("reversal")
    reversal = pb.ReverseTransactionRequest(portfolio_id=portfolio.id, transaction_id=wrong.transaction.id)
    await service.rpc.ReverseTransaction(reversal, NO_CONTEXT)
    user.call()
    answer = await service.rpc.GetPerformance(
        pb.GetPerformanceRequest(
            portfolio_id=portfolio.id,
            explain=True,
            benchmark="MSFT",
            frequency=pb.PERFORMANCE_FREQUENCY_MONTHLY,
        ),
        NO_CONTEXT,
    )
    told = answer.explanation
    # 1000 in, 8 x 100 paid and 2 x 115 got: 433 of cash with interest less fees, and 6 x 121 of shares.
    assert [
        getattr(told, name).amount.value
        for name in ("start_value", "deposits", "withdrawals", "income", "fees", "realized_gains", "unrealized_gains")
    ] == ["0.00", "1000.00", "0.00", "5.00", "2.00", "30.00", "126.00"]
    assert (told.currency_gains.amount.value, told.end_value.amount.value) == ("0.00", "1159.00")
    assert [(item.symbol, item.gain.value) for item in told.contributions] == [("AAPL", "154.00"), ("", "5.00")]
    assert sum(item.contribution for item in told.contributions) == pytest.approx(answer.time_weighted_return)
    assert [(flow.date, flow.amount.value, flow.remaining) for flow in told.cash_flows] == [
        ("2020-01-02", "1000.00", 1)
    ]
    assert answer.simple_return == pytest.approx(0.159, abs=1e-12)
    assert answer.money_weighted.period_return == pytest.approx(0.159, abs=1e-12)
    assert answer.benchmark.time_weighted_return == pytest.approx(0.21)
    assert answer.benchmark.beta > 0.5
    assert [point.date for point in answer.series] == ["2020-01-31", "2020-02-03"]
    assert answer.series[1].period_return == pytest.approx(1159 / 1083 - 1, abs=1e-3)
    plain = await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
    assert not plain.HasField("explanation")
    assert not plain.HasField("benchmark")
    assert plain.time_weighted_return == answer.time_weighted_return


async def test_a_split_on_a_raw_series_is_no_loss(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    service.market.history["IBM"] = {date(2020, 1, 3): Decimal(100), date(2020, 1, 6): Decimal(25)}
    await user.deposit(portfolio.id, "1000.00", "2020-01-02")
    await user.buy(portfolio.id, "10", "100", "2020-01-03", "IBM")
    await user.record(portfolio.id, type="split", symbol="IBM", split_ratio="4", at="2020-01-06")
    user.call()
    answer = await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
    assert answer.time_weighted_return == pytest.approx(0.0, abs=1e-12)


async def test_performance_of_an_empty_portfolio_is_empty(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    user.call()
    answer = await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
    assert (list(answer.series), answer.time_weighted_return) == ([], 0.0)


async def test_the_first_day_of_the_calendar_has_a_benchmark_without_closes(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "5.00", "0001-01-01")
    user.call()
    asked = pb.GetPerformanceRequest(portfolio_id=portfolio.id, benchmark="MSFT", explain=True)
    answer = await service.rpc.GetPerformance(asked, NO_CONTEXT)
    assert (answer.benchmark.symbol, answer.benchmark.HasField("beta")) == ("MSFT", False)
    assert answer.explanation.end_value.amount.value == "5.00"


async def test_a_period_that_has_not_begun_has_no_day_and_a_benchmark_without_closes(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    for start in (NOW + timedelta(1), NOW + timedelta(11), datetime(9999, 12, 31, tzinfo=UTC)):
        user.call()
        asked = pb.GetPerformanceRequest(portfolio_id=portfolio.id, benchmark="MSFT", start=start.date().isoformat())
        answer = await service.rpc.GetPerformance(asked, NO_CONTEXT)
        assert (list(answer.series), answer.benchmark.symbol, answer.benchmark.HasField("beta")) == ([], "MSFT", False)


async def test_performance_refuses_what_it_cannot_tell(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.record(portfolio.id, type="deposit", amount="5", currency="EUR", at="2020-01-02")
    user.call()
    with pytest.raises(RateMissing, match="no exchange rate from EUR into USD on 2020-01-02"):
        await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio.id), NO_CONTEXT)
    dollars = await user.create()
    refused: list[dict[str, Any]] = [{"start": "2020-02-30"}, {"start": "2020-03-01", "end": "2020-02-01"}]
    refused += [{"benchmark": "NOBODY"}, {"frequency": 9}, {"risk_free_rate": float("nan")}]
    for wrong in refused:
        with pytest.raises(InvalidInput):
            await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=dollars.id, **wrong), NO_CONTEXT)


async def test_the_log_is_read_from_any_number_on(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    for number in range(5):
        await user.deposit(portfolio.id, f"{number + 1}.00")
    page = await user.events(portfolio.id, after=1, limit=2)
    assert ([event.seq for event in page.events], page.last_seq) == ([2, 3], 5)
    assert list((await user.events(portfolio.id, after=2**64 - 1)).events) == []


async def test_transactions_are_paged_latest_executed_first(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    for day in (3, 2, 2, 7, 6):
        await user.deposit(portfolio.id, "1.00", f"2020-01-0{day}")
    user.call()
    days, cursor = [], ""
    while True:
        request = pb.ListTransactionsRequest(portfolio_id=portfolio.id)
        request.page.limit, request.page.cursor = 2, cursor
        page = await service.rpc.ListTransactions(request, NO_CONTEXT)
        days += [item.input.executed_at.ToDatetime().day for item in page.transactions]
        cursor = page.page.next_cursor
        if not cursor:
            break
    assert days == [7, 6, 3, 2, 2]


async def test_the_ledger_is_paged_as_it_was_written_and_bounded_by_both_times(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1.00", "2020-01-03")
    known = service.clock.now()
    service.clock.time += timedelta(hours=1)
    await user.deposit(portfolio.id, "2.00", "2020-01-02")
    user.call()
    request = pb.ListLedgerRequest(portfolio_id=portfolio.id)
    request.page.limit = 1
    first = await service.rpc.ListLedger(request, NO_CONTEXT)
    request.page.cursor = first.page.next_cursor
    second = await service.rpc.ListLedger(request, NO_CONTEXT)
    amounts = [page.entries[0].postings[0].amount.value for page in (first, second)]
    assert (amounts, second.page.next_cursor) == (["1", "2"], "")
    bounded = [
        pb.ListLedgerRequest(portfolio_id=portfolio.id, known_at=stamp(known)),
        pb.ListLedgerRequest(portfolio_id=portfolio.id, as_of=stamp(datetime(2020, 1, 2, 20, tzinfo=UTC))),
    ]
    found = [(await service.rpc.ListLedger(asked, NO_CONTEXT)).entries for asked in bounded]
    assert [[entry.postings[0].amount.value for entry in entries] for entries in found] == [["1"], ["2"]]
