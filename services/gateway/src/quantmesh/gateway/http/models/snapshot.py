"""The state of an account at one number of its log."""

from typing import Annotated

from pydantic import Field

from quantmesh.gateway.http.models.base import DecimalText, MoneyShown, Shown
from quantmesh.gateway.http.models.orders import OrderShown


class HeldShown(Shown):
    symbol: str
    quantity: DecimalText


class ReservedShown(Shown):
    commodity: Annotated[str, Field(description="A currency code, or a symbol.")]
    amount: DecimalText


class SnapshotShown(Shown):
    portfolio_id: str
    seq: Annotated[int, Field(description="Apply the events after it, and nothing is missed or counted twice.")]
    cash: list[MoneyShown]
    reserved: Annotated[list[ReservedShown], Field(description="What open orders keep of cash and positions.")]
    positions: list[HeldShown]
    open_orders: list[OrderShown]
