"""What the tests of placing share: accounts that are known to orders, and messages that are counted."""

from collections.abc import Sequence
from typing import ClassVar

from quantmesh.chassis.sql import Asked, Result, Session

from .fakes import Service, User
from .order_desk import STATUS


class Counted(Session):
    """How many statements each message had."""

    seen: ClassVar[list[int]]

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        self.seen.append(len(asked))
        return await super().together(asked, commit=commit)


def count(service: Service) -> list[int]:
    class Own(Counted):
        seen: ClassVar[list[int]] = []

    service.database.session_type = Own
    return Own.seen


async def known(user: User, amount: str = "10000.00") -> str:
    """A portfolio of which the user's replica knows the cash and what it holds of AAPL."""
    portfolio = await user.create()
    await user.deposit(portfolio.id, amount)
    assert STATUS[(await user.order(portfolio.id, "1")).status] == "filled"
    return portfolio.id
