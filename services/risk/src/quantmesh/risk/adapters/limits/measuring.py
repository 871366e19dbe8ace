"""Limits measured on an account, with past closes where a rule needs them; arithmetic on those runs in a thread."""

import asyncio
from collections.abc import Sequence

from quantmesh.chassis.errors import RuleBroken
from quantmesh.risk.adapters.limits.histories import Histories
from quantmesh.risk.core.limits.account import Account, Order
from quantmesh.risk.core.limits.check_orders import Verdict, check_orders
from quantmesh.risk.core.limits.definition import HISTORY_RULES, Limit
from quantmesh.risk.core.limits.utilisation import Utilisation, utilisations
from quantmesh.risk.core.model import History


class Measuring:
    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    async def utilisations(self, limits: Sequence[Limit], account: Account) -> list[Utilisation]:
        """Raises Unavailable where the market does not answer."""
        if not _needs_history(limits):
            return utilisations(limits, account, None)
        history = await self._history(account, ())
        return await asyncio.to_thread(utilisations, limits, account, history)

    async def verdict(self, limits: Sequence[Limit], account: Account, orders: Sequence[Order]) -> Verdict:
        """Raises Unavailable where the market does not answer."""
        if not _needs_history(limits):
            return check_orders(limits, account, orders, None)
        history = await self._history(account, orders)
        return await asyncio.to_thread(check_orders, limits, account, orders, history)

    async def _history(self, account: Account, orders: Sequence[Order]) -> History | RuleBroken | None:
        held = {each.symbol for each in account.held}
        return await self._histories.of(held | {order.symbol for order in (*account.open_orders, *orders)})


def _needs_history(limits: Sequence[Limit]) -> bool:
    return any(limit.rule in HISTORY_RULES for limit in limits)
