"""What clients may want of the service, drawn at random: most of it sensible, some of it refused."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.rebalance_pb2 import BasketOrder, ExecuteRebalanceRequest
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.core.market import Quote

from .market import SYMBOLS

Weights = tuple[int, int, int, int, int, int]
# Of cash, trades, income and fees, orders, imports, baskets.
EVERYTHING: Weights = (4, 4, 1, 8, 2, 1)
RECORDINGS: Weights = (8, 8, 2, 1, 0, 0)
ORDERS: Weights = (1, 1, 0, 12, 0, 2)
TRADES: Weights = (3, 4, 1, 10, 0, 2)


@dataclass(frozen=True, slots=True)
class Account:
    owner_id: UUID
    portfolio_id: str
    margin_enabled: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One effect that is wished for once, however often it is asked for under its key."""

    account: Account
    key: str
    method: str
    request: Message


@dataclass
class Wishes:
    """A client's draws. Each transaction's note is its key, by which its effect is found."""

    draw: random.Random
    account: Account
    now: Callable[[], datetime]
    quotes: Callable[[], list[Quote]]
    weights: Weights = EVERYTHING

    def command(self, key: str) -> Command:
        kinds = [self._cash, self._trade, self._income, self._order, self._import, self._basket]
        method, request = self.draw.choices(kinds, self.weights)[0](key)
        return Command(self.account, key, method, request)

    def deposit(self, key: str, amount: str) -> Command:
        return Command(self.account, key, *self._record(key, pb.TRANSACTION_TYPE_DEPOSIT, amount=number(amount)))

    def withdrawal(self, key: str, amount: str) -> Command:
        return Command(
            self.account,
            key,
            *self._dated(key, pb.TRANSACTION_TYPE_WITHDRAWAL, self.now(), amount=number(amount)),
        )

    def trade(self, key: str, symbol: str, units: int) -> Command:
        """A sale where `units` is negative."""
        kind = pb.TRANSACTION_TYPE_BUY if units > 0 else pb.TRANSACTION_TYPE_SELL
        priced = {"symbol": symbol, "quantity": number(str(abs(units))), "price": number("100")}
        return Command(self.account, key, *self._dated(key, kind, self.now(), **priced))

    def split(self, key: str, symbol: str) -> Command:
        ratio = number(self.draw.choice(["2", "3", "0.5"]))
        return Command(
            self.account, key, *self._record(key, pb.TRANSACTION_TYPE_SPLIT, symbol=symbol, split_ratio=ratio)
        )

    def reversal(self, key: str, transaction_id: str) -> Command:
        request = pb.ReverseTransactionRequest(
            portfolio_id=self.account.portfolio_id, transaction_id=transaction_id, note=key
        )
        return Command(self.account, key, "ReverseTransaction", request)

    def reversal_of_import(self, key: str, import_id: str) -> Command:
        request = pb.ReverseImportRequest(portfolio_id=self.account.portfolio_id, import_id=import_id, note=key)
        return Command(self.account, key, "ReverseImport", request)

    def near(self, symbol: str) -> str:
        """A price around its quote."""
        (price,) = (quote.price for quote in self.quotes() if quote.symbol == symbol)
        return str(price + Decimal(self.draw.randrange(-60, 61)) / 100)

    def _cash(self, key: str) -> tuple[str, Message]:
        kind = self.draw.choice([pb.TRANSACTION_TYPE_DEPOSIT, pb.TRANSACTION_TYPE_WITHDRAWAL])
        return self._record(key, kind, amount=number(f"{self.draw.randrange(1, 60_000) / 100:.2f}"))

    def _income(self, key: str) -> tuple[str, Message]:
        kind = self.draw.choice([pb.TRANSACTION_TYPE_INTEREST, pb.TRANSACTION_TYPE_FEE])
        return self._record(key, kind, amount=number(f"{self.draw.randrange(1, 500) / 100:.2f}"))

    def _trade(self, key: str) -> tuple[str, Message]:
        kind = self.draw.choice([pb.TRANSACTION_TYPE_BUY, pb.TRANSACTION_TYPE_BUY, pb.TRANSACTION_TYPE_SELL])
        return self._record(
            key,
            kind,
            symbol=self.draw.choice(SYMBOLS),
            quantity=number(str(self.draw.randrange(1, 5))),
            price=number(f"{self.draw.randrange(80, 160)}"),
            fee=number(self.draw.choice(["0", "0.35"])),
        )

    def _order(self, key: str) -> tuple[str, Message]:
        """Of every type; prices lie around the quote, so that some wait and some do not."""
        quote = self.draw.choice(self.quotes())
        kinds = [pb.ORDER_TYPE_MARKET, pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT]
        kind = self.draw.choices(kinds, [2, 4, 1, 1])[0]
        takes = [pb.TIME_IN_FORCE_DAY, pb.TIME_IN_FORCE_GTC, pb.TIME_IN_FORCE_IOC, pb.TIME_IN_FORCE_FOK]
        has_stop = kind in {pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT}
        request = pb.PlaceOrderRequest(
            portfolio_id=self.account.portfolio_id,
            symbol=quote.symbol,
            side=self.draw.choice([pb.ORDER_SIDE_BUY, pb.ORDER_SIDE_BUY, pb.ORDER_SIDE_SELL]),
            type=kind,
            quantity=number(str(self.draw.randrange(1, 7))),
            time_in_force=self.draw.choice(takes[:2] if has_stop else takes),
            client_order_id=self.draw.choice(["", key]),
        )
        if kind in {pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_STOP_LIMIT}:
            request.limit_price.value = self.near(quote.symbol)
        if has_stop:
            request.stop_price.value = self.near(quote.symbol)
        return "PlaceOrder", request

    def _basket(self, key: str) -> tuple[str, Message]:
        orders = [
            BasketOrder(
                symbol=symbol,
                side=self.draw.choice([pb.ORDER_SIDE_BUY, pb.ORDER_SIDE_SELL]),
                quantity=number(str(self.draw.randrange(1, 4))),
            )
            for symbol in self.draw.sample(SYMBOLS, self.draw.randrange(1, len(SYMBOLS) + 1))
        ]
        request = ExecuteRebalanceRequest(portfolio_id=self.account.portfolio_id, orders=orders)
        return "ExecuteRebalance", request

    def _import(self, key: str) -> tuple[str, Message]:
        rows = "".join(
            f"deposit,{self.draw.randrange(1, 90)}.00,{(self.now() - timedelta(days=day)).isoformat()},{key}\n"
            for day in range(1, self.draw.randrange(2, 4))
        )
        content = f"type,amount,executed_at,note\n{rows}".encode()
        return "ImportTransactions", pb.ImportTransactionsRequest(portfolio_id=self.account.portfolio_id, csv=content)

    def _record(self, key: str, kind: pb.TransactionType.ValueType, **fields: object) -> tuple[str, Message]:
        ago = self.draw.choice([timedelta(0), timedelta(0), timedelta(hours=self.draw.randrange(1, 48))])
        return self._dated(key, kind, self.now() - ago, **fields)

    def _dated(
        self, key: str, kind: pb.TransactionType.ValueType, executed_at: datetime, **fields: object
    ) -> tuple[str, Message]:
        transaction = pb.TransactionInput(
            type=kind,
            executed_at=to_timestamp(executed_at),
            currency="USD",
            note=key,
            **fields,  # type: ignore[arg-type]  # each is a field of the message
        )
        return "RecordTransaction", pb.RecordTransactionRequest(
            portfolio_id=self.account.portfolio_id, transaction=transaction
        )


def number(text: str) -> DecimalMessage:
    return DecimalMessage(value=text)
