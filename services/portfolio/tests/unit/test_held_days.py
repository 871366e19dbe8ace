"""Each day of a fold is what a fold of everything until its end comes to, and columns of days are cut and joined."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.held_days import Days, HeldDay, by_quarter, changes, in_columns, ordinals
from quantmesh.portfolio.core.held_table import HeldTable, held_table, tables_in_turn
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
    assert changes(whole) == changes(expected.values())
    # And so it is where a fold goes on, from anywhere between two instants.
    earlier = [
        movement for movement in movements if movement.executed_at <= movements[cut % len(movements)].executed_at
    ]
    before = fold_lots(earlier, method)
    after = fold_lots(movements[len(earlier) :], method, before)
    if after:
        earlier_days, later_days = in_columns(before["AAPL"].days), in_columns(after["AAPL"].days)
        joined = earlier_days.before(after["AAPL"].days[0].day).then(later_days)
        assert changes(joined.as_days()) == changes(whole)
        assert joined.tells_the_same(in_columns(joined.as_days()))
        # Side by side in one table each day of the later ones takes the place of the earlier from there on.
        tables = [held_table([("AAPL", "USD", each["AAPL"].days)], explained=True) for each in (before, after)]
        every = ordinals(date(2020, 1, 29) + timedelta(number) for number in range(40))
        assert amounts_on(tables_in_turn(tables), every) == amounts_on(
            held_table([("AAPL", "USD", whole)], explained=True), every
        )


def held(day: date, quantity: int) -> HeldDay:
    return HeldDay(day, Decimal(quantity), Decimal(quantity * 10), Decimal(0), Decimal(10))


def amounts_on(table: HeldTable, days: Days) -> list[list[Decimal]]:
    """Of its first instrument at the end of each of `days`, column by column."""
    standing = table.steps.at(days)[0]
    columns = (table.quantities, table.costs, table.realized, table.paid)
    return [column.taken(standing).decimals() for column in columns]


def test_an_amount_stays_the_same_until_the_next_day_that_changes_it() -> None:
    days = [held(date(2020, 3, 2), 5), held(date(2020, 3, 4), 7), held(date(2020, 3, 4), 8)]
    other = [held(date(2020, 3, 3), 1)]
    table = held_table([("AAPL", "USD", days), ("IBM", "USD", other), ("SAP", "EUR", [])], explained=False)
    asked = ordinals([date(2020, 3, 1), date(2020, 3, 2), date(2020, 3, 3), date(2020, 3, 4), date(2021, 1, 1)])
    quantities = table.quantities.taken(table.steps.at(asked)).units.tolist()
    assert quantities == [[0, 5, 5, 8, 8], [0, 0, 1, 1, 1], [0] * 5]
    # From any of these days on, and of days that are not in the table.
    for first in range(5):
        assert table.quantities.taken(table.steps.at(asked[first:])).units[0].tolist() == quantities[0][first:]
    assert table.steps.at(asked[:1]).tolist() == [[-1]] * 3
    assert table.steps.at(asked[:0]).shape == (3, 0)


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
