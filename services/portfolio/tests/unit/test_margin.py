"""How much an account with margin may owe, by hand."""

from decimal import Decimal

import pytest

from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.margin import margin_state
from quantmesh.portfolio.core.numbers import ZERO

from .samples import CALL, OPTIONS, PUT


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
