"""What may be recorded of a portfolio, drawn at random: often late, sometimes taken back, sometimes refused."""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from quantmesh.chassis.errors import InvalidInput, RuleBroken

from .fakes import User
from .test_corrections import reverse


def random_trade(chance: random.Random, symbols: Sequence[str]) -> dict[str, str]:
    return {
        "symbol": chance.choice(symbols),
        "quantity": str(chance.randrange(1, 9)),
        "price": f"{chance.randrange(50, 150)}.{chance.randrange(10)}7",
    }


async def record_or_take_back(
    user: User,
    portfolio_id: str,
    done: list[str],
    chance: random.Random,
    kind: str,
    at: datetime,
    fields: Mapping[str, str],
) -> None:
    """`done` are those that stand, of which a reversal takes one; what the books refuse is left out."""
    with suppress(RuleBroken, InvalidInput):
        if kind != "reversal":
            done.append((await user.record(portfolio_id, type=kind, at=at.isoformat(), **fields)).transaction.id)
        elif done:
            await reverse(user, portfolio_id, done.pop(chance.randrange(len(done))))
