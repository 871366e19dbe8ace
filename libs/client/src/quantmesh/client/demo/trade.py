"""Step 6: a market order on the replayed feed, seen on the stream beside live quotes."""

from decimal import Decimal
from typing import Any

from quantmesh.client.cli import tables
from quantmesh.client.demo.stage import Stage
from quantmesh.client.errors import ClientError
from quantmesh.client.stream import Event

SYMBOL = "AAPL"
QUANTITY = Decimal(5)
_PATIENCE_SECONDS = 20.0
_QUOTES_SHOWN = 3


def trade(stage: Stage) -> None:
    stage.step(6, f"Buy {QUANTITY} {SYMBOL} on the live feed, and watch it arrive")
    account, quotes = f"portfolio.{stage.portfolio_id}", f"quotes.{SYMBOL}"
    mesh = stage.investor
    with mesh.stream() as stream:
        stream.subscribe([account, quotes])
        order = mesh.orders.trade(stage.portfolio_id, SYMBOL, "buy", QUANTITY)
        if order.transaction_id is None:
            raise ClientError(f"The order was {order.status}: {order.reason}")
        stage.say(
            f"Order {order.id} {order.status}: {order.filled_quantity or 0:f} {order.symbol}"
            f" at {tables.money(order.average_fill_price)}, fee {tables.money(order.fee)}."
        )
        stage.transaction_ids.append(order.transaction_id)
        seen: list[Event] = []
        for event in stream.events(timeout_seconds=_PATIENCE_SECONDS):
            seen.append(event)
            if _complete(seen, account, quotes, order.transaction_id):
                break
        else:
            raise ClientError(f"The events of order {order.id} did not arrive within {_PATIENCE_SECONDS:.0f} s.")
    _show(stage, seen, account)


def _complete(seen: list[Event], account: str, quotes: str, transaction_id: str) -> bool:
    recorded = any(event.channel == account and transaction_id in str(event.data) for event in seen)
    return recorded and sum(event.channel == quotes for event in seen) >= _QUOTES_SHOWN


def _show(stage: Stage, seen: list[Event], account: str) -> None:
    """All events of the account, and the first quotes."""
    made = tables.table("channel", "seq", "market", "event", "what", right=["seq"])
    quotes = 0
    for event in seen:
        if event.channel != account:
            quotes += 1
            if quotes > _QUOTES_SHOWN:
                continue
        channel = "portfolio" if event.channel == account else event.channel
        made.add_row(channel, str(event.seq), f"{event.time:%H:%M:%S}", event.type, _summary(event.data))
    stage.console.print(made)


def _summary(data: dict[str, Any]) -> str:
    if "bid" in data:
        return f"{data['price']}  {data['bid']}/{data['ask']}"
    price = data.get("price") or data.get("average_fill_price")
    return f"{data.get('side') or data.get('type')} {data.get('quantity')}" + (f" at {price}" if price else "")
