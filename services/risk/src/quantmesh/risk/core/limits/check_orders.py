"""Whether orders keep the limits, and how much of them would."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from quantmesh.chassis.errors import RuleBroken
from quantmesh.risk.core.limits.account import ZERO, Account, Order
from quantmesh.risk.core.limits.definition import Limit, Rule
from quantmesh.risk.core.limits.measures import INFINITE, Reading, measure
from quantmesh.risk.core.model import History

# What an order's effect is told by where nothing limits it.
FIGURES = tuple(
    Limit(rule, INFINITE) for rule in (Rule.GROSS_EXPOSURE, Rule.LEVERAGE, Rule.VALUE_AT_RISK, Rule.MARGIN_UTILISATION)
)
# What an account that may owe has to carry, whatever its limits are.
MARGIN = Limit(Rule.INITIAL_MARGIN, Decimal(1))


@dataclass(frozen=True, slots=True)
class Change:
    """What orders make of one limit."""

    limit: Limit
    before: Reading
    after: Reading
    denied: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`changes`: of every limit that the orders touch, in the limits' order.

    `passing`: of denied orders the largest quantities that would pass, in whole lots and in their order; signed as
    the orders', empty where none would.
    """

    changes: Sequence[Change]
    passing: Sequence[Decimal] = ()

    @property
    def denials(self) -> list[Change]:
        return [change for change in self.changes if change.denied]

    @property
    def allowed(self) -> bool:
        return not self.denials


def check_orders(
    limits: Sequence[Limit], account: Account, orders: Sequence[Order], history: History | RuleBroken | None
) -> Verdict:
    """Open orders of the same side count as filled, so that many small orders get no further than a large one.

    A limit is kept where the value after is within it or, breached before, is less than before. Orders that only close
    positions also pass where they change nothing, and where a value cannot be told. Raises NotMeasurable for an order
    of a symbol that the account was not priced with.
    """
    checking = _Checking(account, orders, history)
    found = Verdict([change for limit in limits if (change := checking.change(limit, orders)) is not None])
    if found.allowed:
        return found
    return replace(found, passing=checking.passing(limits, [denial.limit for denial in found.denials]))


def margin_limits(account: Account, orders: Sequence[Order]) -> tuple[Limit, ...]:
    """None where nothing would be owed, which nothing has to carry.

    Nor where options are written: those portfolio margins at cost, with every fill. Raises NotMeasurable as
    `check_orders`.
    """
    if not account.may_owe or any(each.is_written for each in account.held):
        return ()
    both = [*account.open_orders, *orders]
    bought = account.after(order for order in both if order.quantity > ZERO)
    sold = account.after(order for order in both if order.quantity < ZERO)
    owes = bought.cash is None or bought.cash < ZERO or any(each.quantity < ZERO for each in sold.held)
    return (MARGIN,) if owes else ()


class _Checking:
    def __init__(self, account: Account, orders: Sequence[Order], history: History | RuleBroken | None) -> None:
        sides = {order.quantity > ZERO for order in orders}
        self._account = account
        self._before = account.after(order for order in account.open_orders if (order.quantity > ZERO) in sides)
        self._orders = orders
        self._history = history
        self._symbols = {order.symbol for order in orders}
        self._readings_before: dict[Limit, Reading] = {}
        self._fewer: dict[frozenset[tuple[str, bool]], _Checking] = {}

    def change(self, limit: Limit, orders: Sequence[Order]) -> Change | None:
        """None where the limit is on another symbol."""
        if limit.symbol and limit.symbol not in self._symbols:
            return None
        resting = [*self._account.open_orders, *(order for order in orders if order.rests)]
        before = self._readings_before.get(limit)
        if before is None:
            before = self._reading(limit, self._before, self._account.open_orders, ())
            self._readings_before[limit] = before
        after = self._reading(limit, self._before.after(orders), resting, orders)
        keeps = _keeps(limit, before.value, after.value, is_closing=self._before.closes(orders))
        return Change(limit, before, after, denied=not keeps)

    def passing(self, limits: Sequence[Limit], denied: Sequence[Limit]) -> Sequence[Decimal]:
        """The largest share of all orders that passes, found limit by limit: each has then to look below the last."""
        steps = max(self._lots(order) for order in self._orders)
        while denied and steps:
            for limit in denied:
                steps = self._largest(limit, steps)
            scaled = self._scaled(steps)
            denied = [limit for limit in limits if self._denies(limit, scaled)]
            # What passed as a whole may not in part; one step down, and on from there.
            steps -= bool(denied)
        return [order.quantity for order in self._scaled(steps)] if steps else ()

    def _denies(self, limit: Limit, orders: Sequence[Order]) -> bool:
        """As these are judged where they come by themselves: those of no lot are not sent."""
        left = [order for order in orders if order.quantity]
        if not left:
            return False
        change = self._without_dropped(left).change(limit, left)
        return change is not None and change.denied

    def _without_dropped(self, orders: Sequence[Order]) -> "_Checking":
        if len(orders) == len(self._orders):
            return self
        which = frozenset((order.symbol, order.quantity > ZERO) for order in orders)
        if which not in self._fewer:
            self._fewer[which] = _Checking(self._account, orders, self._history)
        return self._fewer[which]

    def _largest(self, limit: Limit, steps: int) -> int:
        """The most of `steps` that keeps this limit, which keeps from 0 up to there."""
        passing, failing = 0, steps + 1
        while failing - passing > 1:
            middle = (passing + failing) // 2
            if self._denies(limit, self._scaled(middle)):
                failing = middle
            else:
                passing = middle
        return passing

    def _lots(self, order: Order) -> int:
        lot = self._account.instrument(order.symbol).lot_size
        return int((abs(order.quantity) / lot).to_integral_value(ROUND_DOWN))

    def _scaled(self, step: int) -> list[Order]:
        """The orders at `step` of the most lots of one of them, each in whole lots; nothing where none has any."""
        steps = max(self._lots(order) for order in self._orders)
        scaled = []
        for order in self._orders:
            lots = self._lots(order) * step // steps if steps else 0
            quantity = lots * self._account.instrument(order.symbol).lot_size
            scaled.append(replace(order, quantity=quantity if order.quantity > ZERO else -quantity))
        return scaled if any(order.quantity for order in scaled) else []

    def _reading(self, limit: Limit, account: Account, resting: Sequence[Order], orders: Sequence[Order]) -> Reading:
        """An order's size is its own, whatever rests beside it."""
        shown = orders if limit.rule is Rule.ORDER_NOTIONAL else resting
        return measure(limit, replace(account, open_orders=shown), self._history, self._symbols)


def _keeps(limit: Limit, before: Decimal | None, after: Decimal | None, *, is_closing: bool) -> bool:
    if limit.limit == INFINITE:
        return True
    if after is None:
        return is_closing
    if after <= limit.limit:
        return True
    if limit.rule is Rule.ORDER_NOTIONAL or before is None or before <= limit.limit:
        return False
    return after < before or (is_closing and after <= before)
