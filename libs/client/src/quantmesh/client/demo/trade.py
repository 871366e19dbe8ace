"""Step 6: a market order on the replayed feed, seen on the stream beside live quotes."""

from decimal import Decimal

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
        order = mesh.portfolios.trade(stage.portfolio_id, SYMBOL, "buy", QUANTITY)
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
    made = tables.table("channel", "seq", "market time", "event", "", right=["seq"])
    for event in seen:
        channel = "portfolio" if event.channel == account else event.channel
        made.add_row(channel, str(event.seq), f"{event.time:%Y-%m-%d %H:%M:%S}", event.type, _summary(event))
    stage.console.print(made)


def _summary(event: Event) -> str:
    names = ("symbol", "status", "side", "quantity", "price", "bid", "ask", "source")
    return " ".join(str(event.data[name]) for name in names if event.data.get(name))
