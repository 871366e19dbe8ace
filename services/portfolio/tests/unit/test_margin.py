"""How much an account with margin may owe, by hand, and by an oracle in fractions."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.margin import margin_state
from quantmesh.portfolio.core.model import LotMethod, TransactionInput
from quantmesh.portfolio.core.numbers import ZERO

from .importing import Account
from .samples import CALL, OPTIONS, PUT, asked, day


def position(symbol: str, quantity: str, cost: str) -> Position:
    return Position(symbol, "USD", Decimal(quantity), Decimal(cost), ZERO, ZERO)


@pytest.mark.parametrize(
    ("cash", "positions", "equity", "required"),
    [
        # Twice the equity in shares is as far as half a margin goes.
        ("-1000", [position("AAPL", "20", "2000")], "1000", "1000"),
        # Sold short for 2,000, of which 1,000 was put in: 150 % of the sale is there, as Regulation T has it.
        ("3000", [position("AAPL", "-20", "-2000")], "1000", "1000"),
        ("500", [position("AAPL", "10", "1000"), position("IBM", "-5", "-600")], "900", "800"),
        # What was paid for an option is lost at worst, and nothing is lent on it.
        ("100", [position(CALL, "2", "860")], "960", "860"),
        # Two puts at 80 for a premium of 500: 500 and a fifth of 2 x 100 x 80.
        ("5000", [position(PUT, "-2", "-500")], "4500", "3700"),
    ],
)
def test_equity_is_at_cost_and_so_is_what_it_has_to_carry(
    cash: str, positions: list[Position], equity: str, required: str
) -> None:
    state = margin_state(Decimal(cash), positions, OPTIONS)
    assert (state.equity, state.required) == (Decimal(equity), Decimal(required))


# What is done, in which instrument if any, how many or how much, and at which price.
Move = tuple[str, str, int, int]


@dataclass
class Oracle:
    """Cash, and quantity and cost by symbol, at average cost."""

    cash: Fraction = Fraction(0)
    held: dict[str, tuple[Fraction, Fraction]] = field(default_factory=dict)

    def shortfall(self) -> Fraction:
        costs = [cost for _, cost in self.held.values()]
        return sum(map(abs, costs)) / Fraction(2) - self.cash - sum(costs)

    def traded(self, symbol: str, quantity: Fraction, price: int) -> "Oracle":
        had, cost = self.held.get(symbol, (Fraction(0), Fraction(0)))
        closing = Fraction(0)
        if had and (had > 0) is not (quantity > 0):
            closing = quantity if abs(quantity) <= abs(had) else -had
        left = cost * (had + closing) / had if had else cost
        after = had + quantity, left + (quantity - closing) * price
        return Oracle(self.cash - quantity * price, {**self.held, symbol: after})

    def moved(self, move: "Move") -> "Oracle":
        kind, symbol, size, price = move
        if symbol:
            return self.traded(symbol, Fraction(size if kind == "buy" else -size), price)
        return Oracle(self.cash + (size if kind == "deposit" else -size), self.held)

    def closes(self, symbol: str, quantity: Fraction) -> bool:
        had = self.held.get(symbol, (Fraction(0), Fraction(0)))[0]
        return had * quantity < 0 and abs(quantity) <= abs(had)


_MOVES = st.one_of(
    st.tuples(st.sampled_from(["deposit", "withdrawal", "fee"]), st.just(""), st.integers(1, 3000), st.just(1)),
    st.tuples(
        st.sampled_from(["buy", "sell"]), st.sampled_from(["AAPL", "IBM"]), st.integers(1, 30), st.integers(1, 150)
    ),
)


def wanted(move: Move, number: int) -> TransactionInput:
    kind, symbol, size, price = move
    if symbol:
        return asked(kind, day(number), symbol=symbol, quantity=str(size), price=str(price))
    return asked(kind, day(number), amount=str(size))


def assume_unrounded(before: Fraction, then: Fraction) -> None:
    """What average costs are rounded to may decide what comes to the same."""
    assume(not 0 < abs(then - max(before, Fraction(0))) < Fraction(1, 10**9))


@settings(deadline=None, max_examples=150)
@given(moves=st.lists(_MOVES, min_size=1, max_size=12))
def test_what_is_recorded_leaves_no_more_owed_than_the_equity_carries(moves: list[Move]) -> None:
    async def compare() -> None:
        account, oracle = Account(LotMethod.AVERAGE, margin=True), Oracle(Fraction(1000))
        assert await account.record(asked("deposit", amount="1000"))
        for number, move in enumerate(moves, start=1):
            before, after = oracle.shortfall(), oracle.moved(move)
            then = after.shortfall()
            assume_unrounded(before, then)
            may = only_close(oracle, [move]) or then <= max(before, Fraction(0))
            assert await account.record(wanted(move, number)) is may, (move, float(before), float(then))
            if may:
                oracle = after

    asyncio.run(compare())


def only_close(oracle: Oracle, moves: list[Move]) -> bool:
    """Whatever takes is a trade, and no instrument is bought and sold, nor more of it than there was."""
    traded: dict[str, list[int]] = {}
    for kind, symbol, size, _ in moves:
        if symbol:
            traded.setdefault(symbol, []).append(size if kind == "buy" else -size)
        elif kind != "deposit":
            return False
    return all(
        len({size > 0 for size in sizes}) == 1 and oracle.closes(symbol, Fraction(sum(sizes)))
        for symbol, sizes in traded.items()
    )


@settings(deadline=None, max_examples=150)
@given(
    recorded=st.lists(_MOVES, max_size=5),
    rows=st.lists(_MOVES, min_size=1, max_size=5),
    newest_first=st.booleans(),
)
@example(
    recorded=[("sell", "AAPL", 20, 100)], rows=[("buy", "AAPL", 10, 150), ("buy", "AAPL", 10, 150)], newest_first=True
)
@example(
    recorded=[("sell", "AAPL", 20, 100)], rows=[("buy", "AAPL", 10, 150), ("withdrawal", "", 1, 1)], newest_first=True
)
@example(recorded=[], rows=[("buy", "AAPL", 30, 100), ("deposit", "", 500, 1)], newest_first=True)
# Once what lacks is there, it is there to the last place, which an average cost is rounded to.
@example(
    recorded=[], rows=[("sell", "IBM", 10, 39), ("sell", "IBM", 14, 50), ("buy", "IBM", 8, 126)], newest_first=False
)
def test_a_file_is_recorded_if_the_account_as_it_leaves_it_is_carried(
    recorded: list[Move], rows: list[Move], *, newest_first: bool
) -> None:
    async def compare() -> None:
        account, oracle = Account(LotMethod.AVERAGE, margin=True), Oracle(Fraction(1000))
        assert await account.record(asked("deposit", amount="1000"))
        for number, move in enumerate(recorded, start=1):
            if await account.record(wanted(move, number)):
                oracle = oracle.moved(move)
        before, after = oracle.shortfall(), oracle
        for move in rows:
            after = after.moved(move)
        then = after.shortfall()
        assume_unrounded(before, then)
        lines = []
        for number, (kind, symbol, size, price) in enumerate(rows, start=len(recorded) + 1):
            numbers = f"{size},{price}," if symbol else f",,{size}"
            lines.append(f"{kind},{symbol},{numbers},{day(number).isoformat()}")
        file = ["type,symbol,quantity,price,amount,executed_at", *lines[:: -1 if newest_first else 1]]
        may = only_close(oracle, rows) or then <= max(before, Fraction(0))
        state = await account.state()
        for dry_run in (True, False):
            told = await account.import_lines(file, dry_run=dry_run)
            assert (len(told.accepted), len(told.rejected)) == ((len(rows), 0) if may else (0, len(rows)))
            assert all("margin: with the file's rows in USD" in row.reason for row in told.rejected)
        if not may:
            assert await account.state() == state
            # Once what lacks is there, the same file is recorded.
            assert await account.record(asked("deposit", day(0), amount=str(ceil(then))))
            assert len((await account.import_lines(file)).accepted) == len(rows)

    asyncio.run(compare())
