"""What is asked about an order before it is taken, beyond the account's own buying power."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import Order, OrderRequest


@dataclass(frozen=True, slots=True)
class ProposedTrade:
    """An order at the price that it would trade at, or at which its cash is reserved.

    `replaces` is the open order whose place it takes; `in_basket` where it is placed together with others.
    """

    portfolio_id: UUID
    request: OrderRequest
    asset: Asset
    price: Decimal
    replaces: Order | None = None
    in_basket: bool = False

    @property
    def filled_quantity(self) -> Decimal:
        """What of the request was traded before."""
        return ZERO if self.replaces is None else self.replaces.filled_quantity

    @property
    def is_triggered(self) -> bool:
        return self.replaces is not None and self.replaces.triggered_at is not None


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of the account without the order and with it; `limit` is None where nothing limits it.

    `unit` is a currency code, or empty for a plain number.
    """

    name: str
    before: Decimal
    after: Decimal
    limit: Decimal | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PreTradeAnswer:
    """`denial` is the refusal that the order gets, None where it passes; margin and risk figures either way."""

    denial: QuantmeshError | None = None
    changes: Sequence[FigureChange] = ()
