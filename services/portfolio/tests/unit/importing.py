"""Files of rows for an account in memory, and the same rows recorded one by one."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.portfolio.core.import_transactions import ImportOutcome, import_transactions, read_import
from quantmesh.portfolio.core.lots import fold_lots
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.model import Entry, LotMethod, PositionSide, TransactionInput
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.record_transactions import record_transaction, resolve
from quantmesh.portfolio.core.reverse_transactions import reverse_import, reverse_transaction

from .memory_ledger import MemoryLedger
from .samples import OPTIONS, asked, day

REFUSED = (RuleBroken, InvalidInput)
NOW = day(100)
COLUMNS = ("type", "symbol", "quantity", "price", "side", "split_ratio", "executed_at")


class OptionsMarket:
    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        return {
            symbol: Asset(symbol, "USD", Adjustment.RAW, Decimal("0.01"), Decimal(1), True, OPTIONS.get(symbol))
            for symbol in symbols
        }

    async def now(self, at_least: datetime) -> datetime:
        return NOW


# As much of the port as these use cases ask for.
MARKET: Any = OptionsMarket()


@dataclass(frozen=True)
class Row:
    """`at` is a day, so that some rows are of one instant; a kind may have a side, or a split's ratio."""

    kind: str
    symbol: str
    quantity: int
    price: int
    at: int

    @property
    def fields(self) -> dict[str, str]:
        kind, _, side = self.kind.partition(" ")
        if kind == "split":
            return {"type": kind, "symbol": self.symbol, "split_ratio": side}
        priced = kind not in {"option_exercise", "option_assignment"}
        fields = {"type": kind, "symbol": self.symbol, "quantity": str(self.quantity)}
        return fields | ({"price": str(self.price)} if priced else {}) | ({"side": side} if side else {})

    def line(self) -> str:
        cells = self.fields | {"executed_at": day(self.at).isoformat()}
        return ",".join(cells.get(column, "") for column in COLUMNS)

    def input(self) -> TransactionInput:
        fields: dict[str, Any] = self.fields
        side = fields.pop("side", None)
        return asked(fields.pop("type"), day(self.at), side=side and PositionSide(side), **fields)


def as_they_happened(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """With their lines; those of one instant from the end of a file that comes newest first, else from its start."""
    numbered = list(enumerate(rows, start=2))
    days = [row.at for row in rows]
    if days[0] > days[-1] and days == sorted(days, reverse=True):
        numbered.reverse()
    return sorted(numbered, key=lambda each: each[1].at)


class Account:
    """As much of a portfolio as these use cases ask for."""

    def __init__(self, method: LotMethod, *, margin: bool) -> None:
        self.ledger: Any = MemoryLedger(method, margin_enabled=margin)
        self.id = self.ledger.head.id
        self._numbers = count(2)

    async def record(self, wanted: TransactionInput) -> bool:
        """Whether it was."""
        asked_for, currency = await resolve(MARKET, wanted)
        return await self._do(record_transaction(self.ledger, self.id, asked_for, currency, NOW, self._new_id))

    async def take_back(self, transaction_id: UUID) -> bool:
        return await self._do(reverse_transaction(self.ledger, self.id, transaction_id, "", NOW, self._new_id))

    async def import_rows(self, rows: Sequence[Row], *, dry_run: bool = False) -> ImportOutcome:
        return await self.import_lines([",".join(COLUMNS), *(row.line() for row in rows)], dry_run=dry_run)

    async def import_lines(self, lines: Sequence[str], *, dry_run: bool = False) -> ImportOutcome:
        read = await read_import(MARKET, self.ledger.head, "\n".join(lines).encode())
        return await import_transactions(self.ledger, self.id, read, NOW, self._new_id, dry_run=dry_run)

    async def take_import_back(self, import_id: UUID) -> None:
        await reverse_import(self.ledger, self.id, import_id, "", NOW, self._new_id)

    def entries(self) -> list[Entry]:
        return [item.entry for item in self.ledger.journal]

    async def state(self) -> tuple[Any, Any]:
        """What is held, and in which lots at which cost."""
        movements = await self.ledger.movements(self.id, View())
        folded = fold_lots(movements, self.ledger.head.lot_method, strict=True)
        lots = {symbol: [(lot.quantity, lot.cost) for lot in each.lots] for symbol, each in folded.items() if each.lots}
        return {holding: amount for holding, amount in self.ledger.holdings.items() if amount}, lots

    async def _do(self, step: Awaitable[object]) -> bool:
        try:
            with self.ledger.transaction():
                await step
        except REFUSED:
            return False
        return True

    def _new_id(self) -> UUID:
        return UUID(int=next(self._numbers))
