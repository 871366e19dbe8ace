"""A file that exercises options does what its rows do one by one, whatever hypothesis writes into it."""

import asyncio
from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.model import LotMethod

from .importing import Account, Row, as_they_happened
from .samples import CALL, PUT, asked


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


async def begun(method: LotMethod, recorded: Sequence[Row], wrong: Collection[int], *, margin: bool) -> Account:
    """With rows recorded, and those taken back whose place is in `wrong`."""
    account = Account(method, margin=margin)
    # Without margin so little that it binds, with it so much that it does not: a file is judged by it as a whole.
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
        refused = {line for line, row in as_they_happened(rows) if not await single.record(row.input())}
        assert {row.line for row in outcome.rejected} == refused
        assert [row.entry for row in promised.accepted] == [row.entry for row in outcome.accepted]
        assert promised.rejected == outcome.rejected
        assert imported.entries() == single.entries()
        assert await imported.state() == await single.state()

    asyncio.run(compare())


@settings(deadline=None, max_examples=30)
@given(method=st.sampled_from(LotMethod), rows=ROWS)
# Of two equal rows the first is refused: what is recorded is known as the first occurrence all the same.
@example(
    method=LotMethod.FIFO,
    rows=[Row("option_close", CALL, 1, 3, 0), Row("option_open", CALL, 2, 2, 0), Row("option_close", CALL, 1, 3, 0)],
)
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


def test_a_file_without_its_refused_rows_records_none_of_the_others_again() -> None:
    sale, purchase = Row("sell", "AAPL", 5, 3, 0), Row("buy", "AAPL", 10, 2, 0)

    async def twice() -> None:
        account = await begun(LotMethod.FIFO, (), (), margin=False)
        assert [row.line for row in (await account.import_rows([sale, purchase, sale])).rejected] == [2]
        recorded = account.entries()
        assert [row.line for row in (await account.import_rows([purchase, sale])).duplicates] == [2, 3]
        assert account.entries() == recorded
        # One more that is equal is one more transaction.
        assert [row.line for row in (await account.import_rows([purchase, sale, sale])).accepted] == [4]

    asyncio.run(twice())


def test_of_one_instant_a_file_that_comes_newest_first_begins_with_its_last_row() -> None:
    def rows(*days: int) -> list[Row]:
        purchase, sale = Row("buy", "AAPL", 10, 2, days[0]), Row("sell", "AAPL", 10, 3, days[1])
        return [sale, purchase, Row("buy", "AAPL", 1, 2, days[2])]

    async def refused(file: list[Row]) -> list[int]:
        account = await begun(LotMethod.FIFO, (), (), margin=False)
        promised = [row.line for row in (await account.import_rows(file, dry_run=True)).rejected]
        outcome = await account.import_rows(file)
        assert [row.line for row in outcome.rejected] == promised
        # Once more is no other file.
        assert len((await account.import_rows(file)).duplicates) == len(outcome.accepted)
        return promised

    async def both() -> None:
        assert await refused(rows(2, 2, 1)) == []
        # What comes oldest first, or is of one instant, is as it says.
        assert await refused(rows(2, 2, 3)) == [2]
        assert await refused(rows(2, 2, 2)) == [2]

    asyncio.run(both())


def test_of_equal_rows_any_may_be_taken_back_and_a_file_without_it_records_nothing() -> None:
    purchase = Row("buy", "AAPL", 10, 2, 0)

    async def twice() -> None:
        for place in range(3):
            account = await begun(LotMethod.FIFO, (), (), margin=False)
            outcome = await account.import_rows([purchase] * 3)
            transactions = [row.transaction.id for row in outcome.accepted if row.transaction is not None]
            assert await account.take_back(transactions[place])
            again = await account.import_rows([purchase] * 2)
            assert [row.line for row in again.duplicates] == [2, 3]
            # With it the file records it once more.
            assert [row.line for row in (await account.import_rows([purchase] * 3)).accepted] == [4]

    asyncio.run(twice())
