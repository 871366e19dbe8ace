"""Each day of a fold is what a fold of everything until its end comes to, and columns of days are cut and joined."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.held_days import HeldDay, by_quarter, changes, in_columns, ordinals
from quantmesh.portfolio.core.lots import SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotMethod, TransactionType

BEGAN = datetime(2020, 1, 30, 10, tzinfo=UTC)


def movements_of(trades: list[tuple[int, int, int, bool]]) -> list[SecurityMovement]:
    """Hours after the one before, units, price, and whether it is taken back."""
    found: list[SecurityMovement] = []
    at = BEGAN
    for number, (hours, units, price, undone) in enumerate(trades, start=1):
        at += timedelta(hours=hours)
        kind = TransactionType.BUY if units > 0 else TransactionType.SELL
        gross = Decimal(abs(units) * price)
        trade = SecurityMovement(kind, "AAPL", "USD", at, Decimal(units), gross, transaction_id=UUID(int=number))
        found.append(trade)
        if undone:
            found.append(
                SecurityMovement(
                    TransactionType.REVERSAL, "AAPL", "USD", at, Decimal(-units), gross,
                    transaction_id=UUID(int=1000 + number), reverses=trade.transaction_id,
                )
            )  # fmt: skip
    return found


_trades = st.lists(
    st.tuples(st.integers(0, 40), st.integers(-6, 9).filter(bool), st.integers(1, 50), st.booleans()),
    min_size=1,
    max_size=15,
)


@given(trades=_trades, method=st.sampled_from(LotMethod), cut=st.integers(0, 14))
def test_each_day_of_a_fold_is_a_fold_until_its_end(
    trades: list[tuple[int, int, int, bool]], method: LotMethod, cut: int
) -> None:
    movements = movements_of(trades)
    expected: dict[date, HeldDay] = {}
    for day, _ in groupby(movements, key=lambda movement: movement.executed_at.date()):
        until = [movement for movement in movements if movement.executed_at.date() <= day]
        standing = [each for each in until if not any(other.reverses == each.transaction_id for other in until)]
        paid = [each for each in standing if each.reverses is None]
        lots = fold_lots(until, method)["AAPL"]
        price = (paid[-1].gross / abs(paid[-1].quantity)) if paid else Decimal(0)
        quantity, cost = (sum(getattr(lot, name) for lot in lots.lots) for name in ("quantity", "cost"))
        expected[day] = HeldDay(day, Decimal(quantity), Decimal(cost), lots.realized, price)
    whole = fold_lots(movements, method)["AAPL"].days
    assert changes(in_columns(whole)) == changes(in_columns([*expected.values()]))
    # And so it is where a fold goes on, from anywhere between two instants.
    earlier = [
        movement for movement in movements if movement.executed_at <= movements[cut % len(movements)].executed_at
    ]
    before = fold_lots(earlier, method)
    after = fold_lots(movements[len(earlier) :], method, before)
    if after:
        joined = in_columns(before["AAPL"].days).then(in_columns(after["AAPL"].days))
        assert changes(joined) == changes(in_columns(whole))


def held(day: date, quantity: int) -> HeldDay:
    return HeldDay(day, Decimal(quantity), Decimal(quantity * 10), Decimal(0), Decimal(10))


def test_an_amount_stays_the_same_until_the_next_day_that_changes_it() -> None:
    days = [held(date(2020, 3, 2), 5), held(date(2020, 3, 4), 7), held(date(2020, 3, 4), 8)]
    asked = ordinals([date(2020, 3, 1), date(2020, 3, 2), date(2020, 3, 3), date(2020, 3, 4), date(2021, 1, 1)])
    steps = in_columns(days).steps()
    assert steps.quantities.on(asked).tolist() == [0, 5, 5, 8, 8]
    assert steps.quantities.own(date(2020, 3, 3), date(2020, 3, 9)).tolist() == asked[3:4].tolist() * 2
    assert steps.costs.begun(asked).tolist() == [False, True, True, True, True]
    assert in_columns(days).before(date(2020, 3, 4)).as_days() == days[:1]


def test_days_are_parted_by_quarter() -> None:
    days = [
        held(date(2020, 3, 31), 1),
        held(date(2020, 4, 1), 2),
        held(date(2020, 6, 30), 3),
        held(date(2021, 1, 1), 4),
    ]
    parts = by_quarter(days)
    assert list(parts) == [date(2020, 1, 1), date(2020, 4, 1), date(2021, 1, 1)]
    assert parts[date(2020, 4, 1)] == days[1:3]
