"""Orders against limits: what is denied, what still passes, and the largest quantity that would."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.risk.core.errors import MissingHistory, NotMeasurable
from quantmesh.risk.core.limits.account import Account, Order
from quantmesh.risk.core.limits.check_orders import MARGIN, Verdict, check_orders, margin_limits
from quantmesh.risk.core.limits.definition import Limit, Rule
from quantmesh.risk.core.model import History

from .limit_samples import SYMBOLS, account, buy, closes, instrument, limit, sell

CLOSES = closes()


def check(limits: Sequence[Limit], held: Account, *orders: Order, history: History | None = CLOSES) -> Verdict:
    return check_orders(limits, held, orders, history)


def passing(verdict: Verdict) -> list[float]:
    return [float(quantity) for quantity in verdict.passing]


def numbers(verdict: Verdict) -> list[float]:
    """Of the first denial: before and after."""
    first = verdict.denials[0]
    assert first.before.value is not None
    assert first.after.value is not None
    return [float(first.before.value), float(first.after.value)]


def test_an_order_within_its_limits_is_allowed_up_to_the_last_share() -> None:
    asked = [limit(Rule.GROSS_EXPOSURE, "1000")]
    assert check(asked, account(), buy("AAPL", "10")).allowed
    denied = check(asked, account(), buy("AAPL", "11"))
    assert [each.limit.rule for each in denied.denials] == [Rule.GROSS_EXPOSURE]
    assert numbers(denied) == [0, 1100]
    assert passing(denied) == [10]


def test_the_suggestion_keeps_all_limits_at_once_in_whole_lots() -> None:
    held = account()
    held = replace(held, instruments={**held.instruments, "AAPL": instrument("AAPL", lot_size="4")})
    limits = [limit(Rule.GROSS_EXPOSURE, "3000"), limit(Rule.POSITION_WEIGHT, "0.15"), limit(Rule.LEVERAGE, "2")]
    denied = check(limits, held, buy("AAPL", "40"))
    assert [each.limit.rule for each in denied.denials] == [Rule.GROSS_EXPOSURE, Rule.POSITION_WEIGHT]
    # 0.15 of 10,000 are 15 shares: 3 lots of 4.
    assert passing(denied) == [12]


def test_where_nothing_passes_nothing_is_suggested() -> None:
    assert passing(check([limit(Rule.SYMBOL_NOTIONAL, "99")], account(), buy("AAPL", "5"))) == []


def test_a_limit_on_one_symbol_leaves_the_others_alone() -> None:
    asked = [limit(Rule.SYMBOL_NOTIONAL, "0", symbol="JPM")]
    assert check(asked, account(JPM="10"), buy("AAPL", "50")).allowed
    assert not check(asked, account(), buy("JPM", "1")).allowed


def test_a_breach_of_one_position_does_not_forbid_another() -> None:
    assert check([limit(Rule.POSITION_WEIGHT, "0.5")], account("1000", AAPL="90"), buy("XOM", "5")).allowed


def test_open_orders_of_the_same_side_count_as_filled() -> None:
    asked = [limit(Rule.GROSS_EXPOSURE, "1000")]
    waiting = account(orders=(buy("AAPL", "8"), sell("JPM", "100")))
    denied = check(asked, waiting, buy("AAPL", "3"))
    assert denied.denials[0].before.value == 800
    assert passing(denied) == [2]


def on_margin(*, orders: tuple[Order, ...] = (), cash: str = "10000", **held: str) -> Account:
    return replace(account(cash, orders=orders, **held), may_owe=True)


def margin_check(held: Account, *orders: Order) -> Verdict:
    return check(margin_limits(held, orders), held, *orders)


@pytest.mark.parametrize("side", [buy, sell])
def test_what_is_owed_has_to_be_carried_whatever_the_limits_are(side: Callable[[str, str], Order]) -> None:
    """At half, 10,000 carry 20,000 bought or sold short: 200 shares at 100."""
    assert margin_check(on_margin(), side("AAPL", "200")).allowed
    denied = margin_check(on_margin(), side("AAPL", "201"))
    assert [each.limit.rule for each in denied.denials] == [Rule.INITIAL_MARGIN]
    assert numbers(denied) == [0, pytest.approx(1.005)]
    assert passing(denied) == [side("AAPL", "200").quantity]
    waiting = on_margin(orders=(side("AAPL", "150"),))
    assert passing(margin_check(waiting, side("AAPL", "200"))) == [side("AAPL", "50").quantity]


def test_margin_asks_nothing_where_nothing_would_be_owed() -> None:
    bought = buy("AAPL", "100")
    assert margin_limits(on_margin(), [bought]) == ()
    assert margin_limits(on_margin(orders=(buy("JPM", "1"),)), [bought]) == (MARGIN,)
    # What a sale will bring is not there before it is filled.
    assert margin_limits(on_margin(orders=(sell("XOM", "100"),), XOM="100"), [buy("AAPL", "101")]) == (MARGIN,)
    assert margin_limits(account(), [buy("AAPL", "1000")]) == ()
    assert margin_limits(replace(on_margin(), cash=None), [buy("AAPL", "1")]) == (MARGIN,)


def test_an_account_beyond_its_margin_may_lessen_what_it_owes() -> None:
    fallen = on_margin(cash="-10000", AAPL="150")
    assert margin_check(fallen, sell("AAPL", "50")).allowed
    assert not margin_check(fallen, buy("XOM", "1")).allowed


def test_written_options_are_margined_elsewhere() -> None:
    held = on_margin()
    written = replace(instrument("XOM", "-1"), is_option=True)
    both = replace(held, instruments={**held.instruments, "XOM": written})
    assert margin_limits(both, [buy("AAPL", "500")]) == ()


def test_the_size_of_an_order_counts_alone_and_at_its_own_price() -> None:
    asked = [limit(Rule.ORDER_NOTIONAL, "500")]
    waiting = account(orders=(buy("AAPL", "100"),))
    assert check(asked, waiting, buy("AAPL", "5")).allowed
    denied = check(asked, waiting, buy("AAPL", "5", price=Decimal(101)))
    assert numbers(denied) == [0, 505]
    assert passing(denied) == [4]


def test_closing_does_not_excuse_the_size_of_an_order() -> None:
    assert passing(check([limit(Rule.ORDER_NOTIONAL, "500")], account(AAPL="10"), sell("AAPL", "10"))) == [-5]


def test_only_orders_that_may_stay_open_use_up_open_orders() -> None:
    asked = [limit(Rule.OPEN_ORDERS, "1")]
    waiting = account(orders=(buy("AAPL", "1"),))
    assert check(asked, waiting, buy("AAPL", "1")).allowed
    denied = check(asked, waiting, buy("AAPL", "1", rests=True))
    assert numbers(denied) == [1, 2]
    assert passing(denied) == []


@pytest.mark.parametrize(
    "rule",
    [Rule.GROSS_EXPOSURE, Rule.LEVERAGE, Rule.POSITION_WEIGHT, Rule.VALUE_AT_RISK, Rule.MARGIN_UTILISATION],
)
def test_a_breached_limit_lets_pass_what_lessens_it_and_nothing_else(rule: Rule) -> None:
    asked = [limit(rule, "0.001")]
    held = account("5000", AAPL="100")
    assert check(asked, held, sell("AAPL", "1")).allowed
    assert check(asked, held, sell("AAPL", "100")).allowed
    assert not check(asked, held, buy("AAPL", "1")).allowed
    turned = check(asked, held, sell("AAPL", "250"))
    assert not turned.allowed
    # To the other side goes what lessens the breach, and no more.
    assert turned.passing
    assert check(asked, held, Order("AAPL", turned.passing[0])).allowed


def test_after_the_loss_of_the_day_one_may_only_close() -> None:
    asked = [limit(Rule.DAILY_LOSS, "100")]
    held = account(day_profit="-101", AAPL="10", JPM="-5")
    for closing in (sell("AAPL", "10"), buy("JPM", "5")):
        assert check(asked, held, closing).allowed
    assert check(asked, held, sell("AAPL", "10"), buy("JPM", "5")).allowed
    for opening in (buy("AAPL", "1"), sell("JPM", "1"), buy("XOM", "1"), sell("AAPL", "11")):
        assert not check(asked, held, opening).allowed
    assert passing(check(asked, held, sell("AAPL", "11"))) == [-10]
    assert check(asked, held, sell("AAPL", "6"), sell("AAPL", "6")).denials


def test_what_cannot_be_told_is_denied_except_to_close() -> None:
    asked = [limit(Rule.VALUE_AT_RISK, "1000000")]
    held = account(AAPL="10")
    missing = MissingHistory(["AAPL"], 3, 501)
    denied = check_orders(asked, held, [buy("AAPL", "1")], missing)
    assert "501 closes" in denied.denials[0].after.reason
    assert check_orders(asked, held, [sell("AAPL", "1")], missing).allowed


def test_an_open_order_that_nobody_can_price_makes_values_unknown_and_not_the_check_fail() -> None:
    held = account(AAPL="10", orders=(buy("JPM", "1"),))
    held = replace(held, instruments={**held.instruments, "JPM": replace(instrument("JPM"), price=None)})
    asked = [limit(Rule.LEVERAGE, "5")]
    assert "JPM has no price" in check(asked, held, buy("AAPL", "1")).denials[0].after.reason
    assert check(asked, held, sell("AAPL", "1")).allowed


def test_a_symbol_that_was_not_priced_is_refused() -> None:
    with pytest.raises(NotMeasurable, match="IBM"):
        check([limit(Rule.LEVERAGE, "5")], account(), buy("IBM", "1"))


def test_a_basket_is_one_and_is_scaled_as_one() -> None:
    asked = [limit(Rule.GROSS_EXPOSURE, "1000")]
    assert check(asked, account(AAPL="10"), sell("AAPL", "10"), buy("JPM", "20")).allowed
    denied = check(asked, account(), buy("AAPL", "10"), buy("JPM", "20"))
    assert passing(denied) == [5, 10]


amounts = st.integers(-30, 30)
LIMITS = [
    limit(Rule.GROSS_EXPOSURE, "2500"),
    limit(Rule.NET_EXPOSURE, "1500"),
    limit(Rule.LEVERAGE, "0.3"),
    limit(Rule.POSITION_WEIGHT, "0.2"),
    limit(Rule.SYMBOL_NOTIONAL, "1200"),
    limit(Rule.ORDER_NOTIONAL, "900"),
    limit(Rule.VALUE_AT_RISK, "40"),
    limit(Rule.EXPECTED_SHORTFALL, "60", method="parametric"),
    limit(Rule.MARGIN_UTILISATION, "0.08"),
    limit(Rule.DAILY_LOSS, "50"),
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    held=st.fixed_dictionaries(dict.fromkeys(SYMBOLS, amounts)),
    symbol=st.sampled_from(SYMBOLS),
    quantity=st.integers(-40, 40).filter(bool),
    loss=st.sampled_from(["0", "-51"]),
    chosen=st.sets(st.sampled_from(LIMITS), min_size=1, max_size=4),
)
def test_the_suggested_quantity_passes_and_none_above_it_does(
    held: dict[str, int], symbol: str, quantity: int, loss: str, chosen: set[Limit]
) -> None:
    """Against every quantity in turn. Historical figures and nets may pass again further on, which is no promise."""
    limits = [each for each in LIMITS if each in chosen]
    instruments = {name: instrument(name, str(amount)) for name, amount in held.items()}
    before = replace(account(day_profit=loss), instruments=instruments)
    verdict = check(limits, before, Order(symbol, Decimal(quantity)))
    if verdict.allowed:
        return
    sign = 1 if quantity > 0 else -1
    passes = [
        check(limits, before, Order(symbol, Decimal(sign * each))).allowed for each in range(1, abs(quantity) + 1)
    ]
    suggested = int(abs(verdict.passing[0])) if verdict.passing else 0
    assert not suggested or passes[suggested - 1]
    assert not passes[suggested]
    if sum(earlier != later for earlier, later in pairwise(passes)) <= 1:
        assert suggested == sum(passes)


def test_a_suggested_basket_passes_by_itself_where_one_of_its_orders_is_left_out() -> None:
    """With the sale the resting one counts as filled; what is left of the basket only buys."""
    held = account(AAPL="12", JPM="2", orders=(sell("AAPL", "5", rests=True),))
    limits = [limit(Rule.GROSS_EXPOSURE, "1000")]
    basket = [sell("JPM", "1"), buy("XOM", "40")]
    denied = check(limits, held, *basket)
    assert not denied.allowed
    left = [replace(order, quantity=quantity) for order, quantity in zip(basket, denied.passing, strict=False)]
    assert check(limits, held, *(order for order in left if order.quantity)).allowed


def test_a_price_of_an_option_is_for_one_unit_of_what_it_is_on() -> None:
    held = account()
    option = instrument("AAPL", price=Decimal(500), is_option=True, multiplier=Decimal(100))
    held = replace(held, instruments={**held.instruments, "AAPL": option})
    asked = [limit(Rule.ORDER_NOTIONAL, "4999")]
    for order in (buy("AAPL", "10"), buy("AAPL", "10", price=Decimal(5))):
        assert numbers(check(asked, held, order)) == [0, 5000]
