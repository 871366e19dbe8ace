"""What each rule measures, which states that makes, and which crossings are told."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from quantmesh.chassis.errors import RuleBroken
from quantmesh.risk.core.errors import InvalidLimits, MissingHistory
from quantmesh.risk.core.limits.account import Account, Instrument
from quantmesh.risk.core.limits.definition import Limit, Rule, checked_limits
from quantmesh.risk.core.limits.measures import INFINITE, measure
from quantmesh.risk.core.limits.rehearsal import rehearse
from quantmesh.risk.core.limits.utilisation import State, crossings, utilisation, utilisations
from quantmesh.risk.core.model import History
from quantmesh.risk.core.options import Listed, Option

from .limit_samples import account, buy, closes, instrument, limit, sell

# 100 AAPL at 100, -40 JPM at 50: long 10,000, short 2,000, beside 2,000 of cash: equity 10,000.
BOOK = account("2000", day_profit="-150", AAPL="100", JPM="-40")


def value(rule: Rule, held: Account = BOOK, history: History | RuleBroken | None = None, **more: Any) -> Decimal:
    found = measure(limit(rule, "1", **more), held, history).value
    assert found is not None
    return found


def test_rules_on_quotes_are_what_their_names_say() -> None:
    assert value(Rule.GROSS_EXPOSURE) == 12_000
    assert value(Rule.NET_EXPOSURE) == 8_000
    assert value(Rule.NET_EXPOSURE, account("0", AAPL="-10")) == 1_000
    assert value(Rule.LEVERAGE) == Decimal("1.2")
    assert value(Rule.POSITION_WEIGHT) == 1
    assert value(Rule.SYMBOL_NOTIONAL, symbol="JPM") == 2_000
    assert value(Rule.SYMBOL_NOTIONAL, symbol="XOM") == 0
    assert value(Rule.DAILY_LOSS) == 150
    assert value(Rule.DAILY_LOSS, account(day_profit="150")) == 0
    resting = account(orders=(buy("AAPL", "3", price=Decimal(90)), sell("JPM", "4")))
    assert value(Rule.OPEN_ORDERS, resting) == 2
    assert value(Rule.ORDER_NOTIONAL, resting) == 270


def test_the_largest_of_several_says_whose_it_is() -> None:
    assert measure(limit(Rule.SYMBOL_NOTIONAL, "1"), BOOK, None).symbol == "AAPL"
    assert measure(limit(Rule.SYMBOL_NOTIONAL, "1"), BOOK, None, {"JPM"}).symbol == "JPM"


def test_another_currency_counts_at_its_rate() -> None:
    held = replace(BOOK, instruments={"AAPL": instrument("AAPL", "10", currency="EUR", exchange_rate=Decimal("1.25"))})
    assert value(Rule.GROSS_EXPOSURE, held) == 1_250
    history = closes()
    at_par = replace(BOOK, instruments={"AAPL": instrument("AAPL", "10")})
    assert value(Rule.VALUE_AT_RISK, held, history) == pytest.approx(
        Decimal("1.25") * value(Rule.VALUE_AT_RISK, at_par, history), abs=Decimal("1e-6")
    )


def test_risk_without_equity_is_beyond_every_limit() -> None:
    ruined = account("-10000", AAPL="50")
    for rule in (Rule.LEVERAGE, Rule.POSITION_WEIGHT):
        assert value(rule, ruined) == INFINITE
        shown = utilisation(limit(rule, "10"), measure(limit(rule, "10"), ruined, None))
        assert (shown.state, shown.ratio) == (State.BREACHED, None)
    assert value(Rule.LEVERAGE, account("-1")) == 0


def test_historical_value_at_risk_and_shortfall_are_order_statistics_of_the_losses() -> None:
    history = closes()
    exposures = np.array([10_000.0, -2_000.0, 0.0])
    losses = np.sort(-(history.returns[-500:] @ exposures))
    assert float(value(Rule.VALUE_AT_RISK, history=history)) == pytest.approx(losses[494], abs=1e-6)
    assert float(value(Rule.EXPECTED_SHORTFALL, history=history)) == pytest.approx(losses[495:].mean(), abs=1e-6)
    four_days = value(Rule.VALUE_AT_RISK, history=history, horizon_days=4)
    assert float(four_days) == pytest.approx(2 * losses[494], abs=1e-6)


def test_margin_is_used_in_proportion_to_the_equity() -> None:
    """Long stock needs 25 %, short stock 30 % (FINRA 4210(c)), on an equity of 10,000."""
    assert value(Rule.MARGIN_UTILISATION, history=closes()) == pytest.approx(Decimal("0.31"), abs=Decimal("1e-9"))
    scanned = value(Rule.MARGIN_UTILISATION, history=closes(), margin_rule="portfolio")
    assert scanned == pytest.approx(Decimal("0.18"), abs=Decimal("1e-9"))


def test_opening_what_is_held_takes_half_of_each_stock_at_the_quotes_in_any_currency() -> None:
    """12 CFR 220.12: 50 % of long and of short stock; 10,000 long and 2,000 short on an equity of 10,000."""
    assert value(Rule.INITIAL_MARGIN) == pytest.approx(Decimal("0.6"), abs=Decimal("1e-9"))
    abroad = instrument("JPM", "-40", currency="EUR", exchange_rate=Decimal("1.1"))
    both = replace(BOOK, instruments={"AAPL": instrument("AAPL", "100"), "JPM": abroad}, cash=Decimal(2200))
    assert value(Rule.INITIAL_MARGIN, both) == pytest.approx(Decimal("0.61"), abs=Decimal("1e-9"))
    option = replace(instrument("XOM", "10"), is_option=True)
    paid = replace(BOOK, instruments={**BOOK.instruments, "XOM": option})
    # Its 200 in full, beside 6,000 for the stocks, on 10,200.
    assert value(Rule.INITIAL_MARGIN, paid) == pytest.approx(Decimal(6200) / 10200, abs=Decimal("1e-9"))
    written = replace(BOOK, instruments={"XOM": replace(option, quantity=Decimal(-1))})
    assert "written" in measure(limit(Rule.INITIAL_MARGIN, "1"), written, None).reason


def test_what_cannot_be_told_says_why_and_is_no_number() -> None:
    unpriced = replace(BOOK, instruments={"AAPL": replace(instrument("AAPL", "10"), price=None)})
    for rule, held, history, words in (
        (Rule.GROSS_EXPOSURE, unpriced, None, "AAPL has no price"),
        (Rule.LEVERAGE, replace(BOOK, cash=None), None, "the cash"),
        (Rule.DAILY_LOSS, replace(BOOK, day_profit=None), None, "day's beginning"),
        (Rule.VALUE_AT_RISK, BOOK, MissingHistory(["JPM"], 3, 501), "501 closes"),
        (Rule.VALUE_AT_RISK, BOOK, None, "no closes"),
    ):
        asked = limit(rule, "1")
        found = measure(asked, held, history)
        assert found.value is None
        assert words in found.reason
        assert utilisation(asked, found).state is State.UNKNOWN


def test_closes_that_stood_still_leave_a_parametric_limit_unknown() -> None:
    past = closes()
    still = History(past.symbols, np.column_stack([past.closes[:, :2], np.full(len(past.closes), 20.0)]), past.as_of)
    parametric = limit(Rule.VALUE_AT_RISK, "10", method="parametric")
    found = utilisation(parametric, measure(parametric, account(AAPL="1", JPM="1", XOM="1"), still))
    assert found.state is State.UNKNOWN
    assert "XOM did not move" in found.reading.reason


def test_a_book_in_two_currencies_has_no_value_at_risk_here() -> None:
    both = {"AAPL": instrument("AAPL", "1"), "JPM": instrument("JPM", "1", currency="EUR")}
    found = measure(limit(Rule.VALUE_AT_RISK, "1"), replace(BOOK, instruments=both), closes())
    assert "EUR, USD" in found.reason


@pytest.mark.parametrize(
    ("most", "warning", "state", "ratio"),
    [
        ("12000", None, State.OK, 1.0),
        ("12000", "12000", State.WARNING, 1.0),
        ("24000", "11999", State.WARNING, 0.5),
        ("24000", "12001", State.OK, 0.5),
        ("11999.99", "1", State.BREACHED, 12000 / 11999.99),
        ("0", None, State.BREACHED, None),
    ],
)
def test_a_limit_is_kept_up_to_it_and_warned_from_its_level_on(
    most: str, warning: str | None, state: State, ratio: float | None
) -> None:
    (shown,) = utilisations([limit(Rule.GROSS_EXPOSURE, most, warning)], BOOK, None)
    assert (shown.state, shown.ratio) == (state, ratio)


def test_each_crossing_is_told_once_and_the_unknown_is_none() -> None:
    asked = limit(Rule.GROSS_EXPOSURE, "100")
    over, under = account(AAPL="2"), account(AAPL="1")
    unknown = replace(over, instruments={"AAPL": replace(instrument("AAPL", "2"), price=None)})
    states: dict[str, State] = {}
    told = []
    for held in (under, over, over, unknown, over, under, under, unknown, over):
        found = crossings(states, utilisations([asked], held, None))
        states = dict(found.states)
        told.append((len(found.breached), len(found.cleared)))
    assert told == [(0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (1, 0)]


def test_a_withdrawn_limit_that_was_breached_is_cleared() -> None:
    asked = limit(Rule.GROSS_EXPOSURE, "100")
    found = crossings({asked.key: State.BREACHED}, [], [asked])
    assert [each.limit for each in found.cleared] == [asked]
    assert found.states == {}
    assert not crossings({asked.key: State.WARNING}, [], [asked]).cleared


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (limit(Rule.LEVERAGE, "-1"), "limits[0].limit"),
        (limit(Rule.LEVERAGE, "1", "2"), "limits[0].warning"),
        (limit(Rule.OPEN_ORDERS, "1.5"), "limits[0].limit"),
        (limit(Rule.LEVERAGE, "1", symbol="AAPL"), "limits[0].symbol"),
        (limit(Rule.VALUE_AT_RISK, "1", confidence=1.0), "limits[0].confidence"),
        (limit(Rule.VALUE_AT_RISK, "1", horizon_days=0), "limits[0].horizon_days"),
    ],
)
def test_a_definition_that_makes_no_sense_names_its_field(wrong: Limit, field: str) -> None:
    with pytest.raises(InvalidLimits) as refused:
        checked_limits([wrong])
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_rule_may_be_limited_twice_where_its_parameters_differ() -> None:
    ninety_nine, ninety_five = (limit(Rule.VALUE_AT_RISK, "1", confidence=each) for each in (0.99, 0.95))
    assert len(checked_limits([ninety_nine, ninety_five])) == 2
    with pytest.raises(InvalidLimits, match="twice"):
        checked_limits([ninety_nine, limit(Rule.VALUE_AT_RISK, "2")])


def test_a_rehearsal_measures_every_rule() -> None:
    found = rehearse()
    assert {each.limit.rule for each in found} == set(Rule)
    assert State.UNKNOWN not in {each.state for each in found}


def test_an_option_is_measured_by_its_underlying_where_no_quote_is_needed() -> None:
    put = Option("put", "american", 95.0, 0.5, 0.25, 100.0)
    history = replace(closes(), listed={"AAPL-PUT": Listed("AAPL", put, stale=False)})
    contract = Instrument("AAPL-PUT", Decimal(1), "USD", None, Decimal(1), is_option=True, multiplier=Decimal(100))
    hedged = replace(BOOK, instruments={**BOOK.instruments, "AAPL-PUT": contract})
    for rule in (Rule.VALUE_AT_RISK, Rule.EXPECTED_SHORTFALL):
        assert 0 < value(rule, hedged, history) < value(rule, BOOK, history)
    assert "AAPL-PUT has no price" in measure(limit(Rule.MARGIN_UTILISATION, "1"), hedged, history).reason


def test_a_figure_that_takes_too_long_is_not_told() -> None:
    option = Option("put", "european", 95.0, 0.5, 0.25)
    symbols = [f"S{number}" for number in range(101)]
    history = replace(closes(), listed={symbol: Listed(symbol, option, stale=False) for symbol in symbols})
    held = replace(BOOK, instruments={each: Instrument(each, Decimal(1), "USD", None, Decimal(1)) for each in symbols})
    assert "100 at most" in measure(limit(Rule.VALUE_AT_RISK, "1", method="parametric"), held, history).reason
