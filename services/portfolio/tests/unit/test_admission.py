"""The rules beyond single fields: what the market says, and what the books can bear."""

from decimal import Decimal
from typing import Any

import pytest

from quantmesh.portfolio.core.admission import Books, admit, currency_of, touched
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.errors import (
    AlreadyAdjusted,
    BeforeSplit,
    InsufficientCash,
    InsufficientHolding,
    InTheFuture,
    InvalidTransaction,
    UnknownSymbol,
)
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES

from .samples import CALL, INDEX_CALL, asked, buy, contracts, day, deposit, sell

ASSETS = {
    adjustment.name: Asset(adjustment.name, "USD", adjustment, Decimal("0.01"), Decimal(1), tradable=True)
    for adjustment in Adjustment
}


def books(cash: str = "0", held: str = "0") -> Books:
    return Books({(CASH, "USD"): BalanceHistory(Decimal(cash)), (SECURITIES, "AAPL"): BalanceHistory(Decimal(held))})


@pytest.mark.parametrize(
    ("kind", "adjustment", "refused"),
    [
        ("dividend", Adjustment.TOTAL_RETURN, True),
        ("split", Adjustment.TOTAL_RETURN, True),
        ("dividend", Adjustment.SPLIT, False),
        ("split", Adjustment.SPLIT, True),
        ("dividend", Adjustment.RAW, False),
        ("split", Adjustment.RAW, False),
    ],
)
def test_what_a_series_holds_already_is_not_posted_again(kind: str, adjustment: Adjustment, *, refused: bool) -> None:
    fields: dict[str, Any] = {"split_ratio": "2"} if kind == "split" else {"amount": "1", "currency": "USD"}
    transaction = asked(kind, symbol=adjustment.name, **fields)
    if refused:
        with pytest.raises(AlreadyAdjusted, match="would count it twice"):
            currency_of(transaction, ASSETS, day(1))
    else:
        assert currency_of(transaction, ASSETS, day(1)) == "USD"


def test_an_unknown_symbol_is_refused() -> None:
    with pytest.raises(UnknownSymbol, match="AAPL is not in the asset catalogue"):
        currency_of(buy("1", "1"), ASSETS, day(1))


def test_a_trade_is_in_its_instrument_s_currency() -> None:
    trade = asked("buy", symbol="RAW", quantity="1", price="1", currency="EUR")
    with pytest.raises(InvalidTransaction, match="trades in USD, not in EUR"):
        currency_of(trade, ASSETS, day(1))


def test_nothing_is_recorded_ahead_of_the_market() -> None:
    assert currency_of(deposit("1", day(1)), {}, day(1)) == "USD"
    with pytest.raises(InTheFuture):
        currency_of(deposit("1", day(2)), {}, day(1))


def test_overspending_says_by_how_much() -> None:
    with pytest.raises(
        InsufficientCash, match=r"needs 100\.00 USD, but only 60\.50 is there .*: 39\.50 USD too much"
    ) as no:
        admit(buy("10", "10"), "USD", books(cash="60.50"))
    assert no.value.shortfall == Decimal("39.5")
    assert [violation.field for violation in no.value.violations] == ["quantity"]


def test_overselling_says_by_how_much() -> None:
    with pytest.raises(InsufficientHolding, match=r"needs 5 AAPL, but only 3 is there .*: 2 AAPL too much"):
        admit(sell("5", "10"), "USD", books(held="3"))


def test_a_withdrawal_and_a_fee_need_their_cash() -> None:
    for kind in ("withdrawal", "fee"):
        with pytest.raises(InsufficientCash) as no:
            admit(asked(kind, amount="1", currency="USD"), "USD", books())
        assert [violation.field for violation in no.value.violations] == ["amount"]


def test_a_sale_s_fee_may_come_out_of_its_proceeds_alone() -> None:
    assert admit(sell("1", "10", fee="10"), "USD", books(held="1")).cash_effect == 0
    with pytest.raises(InsufficientCash):
        admit(sell("1", "10", fee="10.01"), "USD", books(held="1"))


def test_all_that_there_is_can_be_spent() -> None:
    after = books(cash="100")
    admit(buy("10", "10"), "USD", after)
    assert after.balance((CASH, "USD")).latest() == 0
    assert after.balance((SECURITIES, "AAPL")).latest() == 10


def test_a_backdated_purchase_cannot_take_what_was_spent_later() -> None:
    spent_later = Books({(CASH, "USD"): BalanceHistory(Decimal(10), [(day(5), Decimal(-90))])})
    with pytest.raises(InsufficientCash, match=r"only 10\.00 is there on 2020-01-07T15:00:00Z, when later entries"):
        admit(buy("2", "10", day(1)), "USD", spent_later)
    assert admit(buy("1", "10", day(1)), "USD", spent_later).cash_effect == -10


def test_money_that_came_later_does_not_pay_for_what_was_earlier() -> None:
    came_later = Books({(CASH, "USD"): BalanceHistory(Decimal(100), [(day(5), Decimal(100))])})
    with pytest.raises(InsufficientCash, match=r"only 0\.00 is there on 2020-01-03T15:00:00Z:"):
        admit(buy("1", "10", day(1)), "USD", came_later)


def test_a_refused_transaction_leaves_the_books_as_they_were() -> None:
    before = books(cash="10", held="10")
    with pytest.raises(InsufficientCash):
        admit(buy("10", "10"), "USD", before)
    assert before.balance((SECURITIES, "AAPL")).latest() == 10


def test_a_split_multiplies_what_is_held_then() -> None:
    held = Books({(SECURITIES, "AAPL"): BalanceHistory(Decimal(15), [(day(5), Decimal(5))])})
    entry = admit(asked("split", day(1), symbol="AAPL", split_ratio="4"), "USD", held)
    assert entry.postings[0].amount == 30


def test_a_split_needs_something_held() -> None:
    with pytest.raises(InsufficientHolding, match="split of AAPL, of which nothing is held on 2020-01-02T15:00:00Z"):
        admit(asked("split", symbol="AAPL", split_ratio="4"), "USD", books())


def test_a_split_leaves_something_of_what_is_held() -> None:
    held = books(held="0.4")
    with pytest.raises(InvalidTransaction, match=r"split_ratio: would leave nothing of the 0\.4 that are held"):
        admit(asked("split", symbol="AAPL", split_ratio="0.000000000000000001"), "USD", held)
    assert held.balance((SECURITIES, "AAPL")).latest() == Decimal("0.4")


def test_a_reverse_split_cannot_take_what_was_sold_later() -> None:
    sold_later = Books({(SECURITIES, "AAPL"): BalanceHistory(Decimal(1), [(day(5), Decimal(-9))])})
    with pytest.raises(InsufficientHolding, match="when later entries"):
        admit(asked("split", day(1), symbol="AAPL", split_ratio="0.5"), "USD", sold_later)


def test_a_trade_before_a_recorded_split_is_refused_with_the_reason() -> None:
    split = books(cash="100", held="1")
    split.counted_at["AAPL"] = day(5)
    for trade in (
        buy("1", "1", day(1)),
        sell("1", "1", day(1)),
        asked("split", day(1), symbol="AAPL", split_ratio="2"),
    ):
        with pytest.raises(BeforeSplit, match="has a split recorded on 2020-01-07"):
            admit(trade, "USD", split)
    assert admit(buy("1", "1", day(5)), "USD", split)


@pytest.mark.parametrize("written", [False, True])
def test_before_a_split_contracts_that_it_would_find_delivered_are_closed_and_no_more_opened(*, written: bool) -> None:
    """They expire on day 30; the split, counted on what was held, is on day 40."""
    sign = -1 if written else 1
    more, fewer = ("sell", "buy") if written else ("buy", "sell")
    for symbol, underlying, refused in ((CALL, "AAPL", True), (INDEX_CALL, "VIX", False)):
        split = books(cash="10000")
        split.may_owe = True
        split.balances[SECURITIES, symbol] = BalanceHistory(Decimal(2 * sign))
        split.counted_at[underlying] = day(40)
        assert admit(contracts(fewer, symbol, "1", price="1"), "USD", split)
        assert admit(contracts("option_close", symbol, "1", price="1"), "USD", split)
        opening = contracts(more, symbol, "1", price="1")
        if refused:
            with pytest.raises(
                BeforeSplit, match=f"{symbol} may deliver {underlying} when it expires, and {underlying}"
            ):
                admit(opening, "USD", split)
        else:
            assert admit(opening, "USD", split)
        split.counted_at[underlying] = day(30)
        assert admit(opening, "USD", split)


def test_what_is_touched_is_the_cash_and_the_instrument() -> None:
    assert touched(deposit("1"), "USD") == {(CASH, "USD")}
    assert touched(buy("1", "1"), "USD") == {(CASH, "USD"), (SECURITIES, "AAPL")}
    cash = {(CASH, "USD"), (SECURITIES, CALL)}
    # What may be delivered later is asked about as what is delivered now.
    for kind in ("option_open", "buy", "option_exercise"):
        assert touched(contracts(kind, CALL, "1"), "USD") == cash | {(SECURITIES, "AAPL")}
    assert touched(contracts("option_expiry", CALL, "1"), "USD") == cash
