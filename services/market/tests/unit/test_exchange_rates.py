"""Reference rates against what the European Central Bank published, and crosses worked out by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.market.adapters.bundled_rates import load_exchange_rates
from quantmesh.market.core.exchange_rates import CurrencyPair, ReferenceRates, published_by

EURUSD, USDEUR, USDGBP = CurrencyPair("EUR", "USD"), CurrencyPair("USD", "EUR"), CurrencyPair("USD", "GBP")
CHRISTMAS = date(2020, 12, 25)


@pytest.fixture(scope="module")
def rates() -> ReferenceRates:
    return load_exchange_rates()


def found(rates: ReferenceRates, pair: CurrencyPair, day: date) -> tuple[Decimal, date, bool]:
    rate = rates.last(pair, day, day)
    assert rate is not None
    return rate.rate, rate.day, rate.stale


def test_rates_of_the_euro_are_as_they_were_published(rates: ReferenceRates) -> None:
    # ECB, euro foreign exchange reference rates of 2020-01-02 and of the first day, 1999-01-04.
    day = date(2020, 1, 2)
    published = {"USD": "1.1193", "JPY": "121.75", "GBP": "0.84828", "CHF": "1.0865"}
    for code, rate in published.items():
        assert found(rates, CurrencyPair("EUR", code), day) == (Decimal(rate), day, False)
    assert found(rates, EURUSD, date(1999, 1, 4))[0] == Decimal("1.1789")


def test_a_cross_goes_through_the_euro_and_is_rounded_to_eighteen_places(rates: ReferenceRates) -> None:
    # 0.84828 / 1.1193 = 0.757866523720182256767...
    assert found(rates, USDGBP, date(2020, 1, 2))[0] == Decimal("0.757866523720182257")
    # 1 / 1.1193 = 0.893415527561869025284...
    assert found(rates, USDEUR, date(2020, 1, 2))[0] == Decimal("0.893415527561869025")
    assert found(rates, CurrencyPair("GBP", "GBP"), date(2020, 1, 2))[0] == 1


def test_a_day_without_publication_has_the_last_rate_before_it(rates: ReferenceRates) -> None:
    # Christmas is a Friday; no rate until the Monday after.
    for day in (CHRISTMAS, date(2020, 12, 27)):
        assert found(rates, EURUSD, day) == (Decimal("1.2193"), date(2020, 12, 24), False)
    assert found(rates, EURUSD, date(2020, 12, 28))[1] == date(2020, 12, 28)


def test_a_rate_of_more_than_five_days_ago_is_stale() -> None:
    days = np.array([date(2020, 1, 2).toordinal()], dtype=np.int32)
    rates = ReferenceRates(days, {"USD": np.array([110_000_000], dtype=np.int64)})
    assert found(rates, EURUSD, date(2020, 1, 7)) == (Decimal("1.1"), date(2020, 1, 2), False)
    assert found(rates, EURUSD, date(2020, 1, 8)) == (Decimal("1.1"), date(2020, 1, 2), True)


def test_there_is_no_rate_before_the_euro_nor_of_what_nobody_quotes(rates: ReferenceRates) -> None:
    before = date(1998, 12, 31)
    assert rates.last(EURUSD, before, before) is None
    assert rates.last(CurrencyPair("EUR", "XAU"), CHRISTMAS, CHRISTMAS) is None
    assert list(rates.history(CurrencyPair("XAU", "USD"), before, CHRISTMAS)) == []


def test_a_day_on_which_one_leg_is_missing_has_no_cross() -> None:
    days = np.array([date(2020, 1, day).toordinal() for day in (2, 3)], dtype=np.int32)
    units = {"USD": np.array([110_000_000, 111_000_000]), "ISK": np.array([11_000_000_000, 0])}
    rates = ReferenceRates(days, {code: column.astype(np.int64) for code, column in units.items()})
    assert found(rates, CurrencyPair("USD", "ISK"), date(2020, 1, 3)) == (Decimal(100), date(2020, 1, 2), False)


def test_a_history_begins_with_the_rate_that_holds_on_its_first_day(rates: ReferenceRates) -> None:
    history = rates.history(EURUSD, CHRISTMAS, date(2020, 12, 29))
    # ECB: 2020-12-24 1.2193, 2020-12-28 1.2219, 2020-12-29 1.2259.
    assert history == [
        (date(2020, 12, 24), Decimal("1.2193")),
        (date(2020, 12, 28), Decimal("1.2219")),
        (date(2020, 12, 29), Decimal("1.2259")),
    ]
    assert rates.history(EURUSD, date(1990, 1, 1), date(1999, 1, 5))[0][0] == date(1999, 1, 4)


def test_rates_are_known_from_four_in_the_afternoon_in_frankfurt() -> None:
    assert published_by(datetime(2020, 1, 2, 14, 59, tzinfo=UTC)) == date(2020, 1, 1)
    assert published_by(datetime(2020, 1, 2, 15, 0, tzinfo=UTC)) == date(2020, 1, 2)
    assert published_by(datetime(2020, 7, 1, 14, 0, tzinfo=UTC)) == date(2020, 7, 1)
    assert published_by(datetime.min.replace(tzinfo=UTC)) == date.min
    assert published_by(datetime.max.replace(tzinfo=UTC)) == date.max
