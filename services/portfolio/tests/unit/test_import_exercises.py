"""A file that exercises options does what its rows do one by one, whatever hypothesis writes into it."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any, cast
from uuid import UUID

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.portfolio.core.import_transactions import ImportOutcome, import_transactions, read_import
from quantmesh.portfolio.core.lots import fold_lots
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.model import Entry, LotMethod, PositionSide, TransactionInput
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.record_transactions import record_transaction, resolve
from quantmesh.portfolio.core.reverse_transactions import reverse_import, reverse_transaction

from .memory_ledger import MemoryLedger
from .samples import CALL, OPTIONS, PUT, asked, day

REFUSED = (RuleBroken, InvalidInput)
NOW = day(100)
COLUMNS = ("type", "symbol", "quantity", "price", "side", "executed_at")


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
    """`at` is a day, so that some rows are of one instant."""

    kind: str
    symbol: str
    quantity: int
    price: int
    at: int

    @property
    def fields(self) -> dict[str, str]:
        kind, _, side = self.kind.partition(" ")
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


def rows_of(kinds: Sequence[str], symbols: Sequence[str], most: int) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        st.sampled_from(kinds),
        st.sampled_from(symbols),
        quantity=st.integers(1, most),
        price=st.integers(1, 9),
        at=st.integers(0, 5),
    )


_OPENINGS = rows_of(["option_open", "option_open short"], [CALL, PUT], 4)
_CHANGES = rows_of(["option_close", "option_exercise", "option_assignment", "buy", "sell"], [CALL, PUT], 4)
_TRADES = rows_of(["buy", "sell"], ["AAPL"], 200)
ROWS = st.lists(st.one_of(_OPENINGS, _CHANGES, _TRADES), min_size=1, max_size=12)


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
        file = "\n".join([",".join(COLUMNS), *(row.line() for row in rows)]).encode()
        read = await read_import(MARKET, self.ledger.head, file)
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


async def begun(method: LotMethod, recorded: Sequence[Row], wrong: Collection[int], *, margin: bool) -> Account:
    """With rows recorded, and those taken back whose place is in `wrong`."""
    account = Account(method, margin=margin)
    # Without margin so little that it binds, with it so much that it does not: files are not judged by it.
    await account.record(asked("deposit", amount="100000000" if margin else "25000"))
    for row in recorded:
        await account.record(row.input())
    for transaction_id in [item.id for place, item in enumerate(account.ledger.journal[1:]) if place in wrong]:
        await account.take_back(transaction_id)
    return account


@settings(deadline=None, max_examples=60)
@given(
    method=st.sampled_from(LotMethod),
    recorded=st.lists(st.one_of(_OPENINGS, _CHANGES, _TRADES), max_size=6),
    wrong=st.sets(st.integers(0, 5), max_size=2),
    rows=ROWS,
    margin=st.booleans(),
)
@example(
    # A written side that is assigned in part and bought through: what is exercised then was bought, and costs that.
    method=LotMethod.FIFO,
    recorded=[],
    wrong=set(),
    rows=[
        Row("option_open short", CALL, 4, 1, 0),
        Row("option_assignment", CALL, 1, 0, 0),
        Row("buy", CALL, 5, 3, 1),
        Row("option_exercise", CALL, 1, 0, 2),
    ],
    margin=True,
)
@example(
    # Lots of before the file and of the file, one of them taken back, newest row first.
    method=LotMethod.LIFO,
    recorded=[Row("option_open", CALL, 1, 2, 0), Row("option_open", CALL, 1, 5, 1), Row("buy", "AAPL", 50, 9, 1)],
    wrong={1},
    rows=[
        Row("sell", "AAPL", 200, 9, 4),
        Row("option_exercise", CALL, 2, 0, 3),
        Row("option_open", CALL, 1, 3, 2),
    ],
    margin=False,
)
def test_a_file_does_what_its_rows_do_one_by_one(
    method: LotMethod, recorded: list[Row], wrong: set[int], rows: list[Row], *, margin: bool
) -> None:
    async def compare() -> None:
        imported = await begun(method, recorded, wrong, margin=margin)
        single = await begun(method, recorded, wrong, margin=margin)
        before = await imported.state()
        promised = await imported.import_rows(rows, dry_run=True)
        assert await imported.state() == before
        outcome = await imported.import_rows(rows)
        in_order = sorted(enumerate(rows, start=2), key=lambda numbered: numbered[1].at)
        refused = {line for line, row in in_order if not await single.record(row.input())}
        assert {row.line for row in outcome.rejected} == refused
        assert [row.entry for row in promised.accepted] == [row.entry for row in outcome.accepted]
        assert promised.rejected == outcome.rejected
        assert imported.entries() == single.entries()
        assert await imported.state() == await single.state()

    asyncio.run(compare())


@settings(deadline=None, max_examples=30)
@given(method=st.sampled_from(LotMethod), rows=ROWS)
def test_a_file_that_is_taken_back_leaves_what_was_there(method: LotMethod, rows: list[Row]) -> None:
    async def there_and_back() -> None:
        account = await begun(method, (), (), margin=True)
        before = await account.state()
        outcome = await account.import_rows(rows)
        assume(outcome.accepted and outcome.import_id is not None)
        duplicates = (await account.import_rows([rows[row.line - 2] for row in outcome.accepted])).duplicates
        assert len(duplicates) == len(outcome.accepted)
        await account.take_import_back(cast("UUID", outcome.import_id))
        assert await account.state() == before

    asyncio.run(there_and_back())
