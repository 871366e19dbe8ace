"""A file leaves to sales that were recorded for later the lots that they name."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.lots import LotFold, SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotChoice, LotMethod
from quantmesh.portfolio.core.ports import View

from .importing import Account, Row, as_they_happened
from .samples import CALL, asked, buy, day, sell


@dataclass(frozen=True)
class Naming:
    """A trade of the lots at two places among those that are open then, or of one; so many units of each."""

    symbol: str
    first: int
    second: int
    quantity: int
    at: int


async def name_lots(account: Account, naming: Naming) -> None:
    movements = await account.ledger.movements(account.id, View(as_of=day(naming.at)), [naming.symbol])
    folded = fold_lots(movements, LotMethod.SPECIFIC)
    lots = folded[naming.symbol].lots if naming.symbol in folded else ()
    named = {lots[place % len(lots)] for place in (naming.first, naming.second) if lots}
    choices = [
        LotChoice(lot.transaction_id, min(abs(lot.quantity), Decimal(naming.quantity)))
        for lot in named
        if lot.transaction_id is not None
    ]
    if choices:
        kind = "option_close" if naming.symbol == CALL else "sell" if lots[0].quantity > 0 else "buy"
        total = str(sum(choice.quantity for choice in choices))
        await account.record(
            asked(kind, day(naming.at), symbol=naming.symbol, quantity=total, price="5", lots=tuple(choices))
        )


async def begun(recorded: Sequence[Row | Naming], *, margin: bool) -> Account:
    account = Account(LotMethod.SPECIFIC, margin=margin)
    await account.record(asked("deposit", amount="100000000"))
    for each in recorded:
        await (name_lots(account, each) if isinstance(each, Naming) else account.record(each.input()))
    return account


def rows(kinds: Sequence[str], most: int) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        st.sampled_from(kinds),
        st.just("AAPL"),
        quantity=st.integers(1, most),
        price=st.integers(1, 9),
        at=st.integers(0, 9),
    )


def of_option(kinds: Sequence[str]) -> st.SearchStrategy[Row]:
    return st.builds(
        Row, st.sampled_from(kinds), st.just(CALL), quantity=st.integers(1, 4), price=st.just(3), at=st.integers(0, 9)
    )


_TRADES = rows(["buy", "buy", "sell"], 9)
_NAMINGS = st.builds(
    Naming,
    st.sampled_from(["AAPL", "AAPL", CALL]),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(1, 9),
    st.integers(0, 9),
)
_OPENINGS = of_option(["option_open", "option_open short"])
_ROWS = st.one_of(
    _TRADES, rows(["split 2", "split 0.5", "split 0.3"], 1), _OPENINGS, of_option(["option_close", "option_exercise"])
)


@settings(deadline=None, max_examples=200)
@given(
    recorded=st.lists(st.one_of(_TRADES, _TRADES, _OPENINGS, _NAMINGS, _NAMINGS), max_size=9),
    file=st.lists(_ROWS, min_size=1, max_size=9),
    margin=st.booleans(),
)
@example(
    # What is bought before a short sale makes less of its lot, which a purchase has named.
    recorded=[Row("sell", "AAPL", 5, 3, 4), Naming("AAPL", 0, 0, 5, 6)],
    file=[Row("buy", "AAPL", 1, 3, 1)],
    margin=True,
)
@example(
    # A lot that is halved.
    recorded=[Row("buy", "AAPL", 9, 3, 0), Row("buy", "AAPL", 9, 3, 1), Naming("AAPL", 0, 0, 6, 6)],
    file=[Row("split 0.5", "AAPL", 1, 3, 2), Row("split 0.3", "AAPL", 1, 3, 7)],
    margin=False,
)
@example(
    # Older units that the file brings are sold in place of those that are named.
    recorded=[Row("buy", "AAPL", 5, 3, 3), Row("sell", "AAPL", 1, 3, 5), Naming("AAPL", 0, 0, 4, 8)],
    file=[Row("buy", "AAPL", 2, 3, 1), Row("sell", "AAPL", 2, 3, 6), Row("sell", "AAPL", 1, 3, 7)],
    margin=False,
)
def test_a_file_leaves_named_lots_as_its_rows_do_one_by_one(
    recorded: list[Row | Naming], file: list[Row], *, margin: bool
) -> None:
    async def compare() -> None:
        imported, single = await begun(recorded, margin=margin), await begun(recorded, margin=margin)
        promised = await imported.import_rows(file, dry_run=True)
        outcome = await imported.import_rows(file)
        refused = {line for line, row in as_they_happened(file) if not await single.record(row.input())}
        assert {row.line for row in outcome.rejected} == refused
        assert promised.rejected == outcome.rejected
        # Strictly folded: all that was named is still there.
        assert await imported.state() == await single.state()

    asyncio.run(compare())


async def named(*choices: tuple[int, str], at: int = 9) -> Account:
    """Ten units bought on each of three days, of which a later sale names some."""
    account = Account(LotMethod.SPECIFIC, margin=False)
    await account.record(asked("deposit", amount="100000"))
    for number in (2, 4, 6):
        await account.record(buy("10", "3", day(number)))
    bought = [item.id for item in account.ledger.journal[1:]]
    lots = tuple(LotChoice(bought[place], Decimal(quantity)) for place, quantity in choices)
    assert await account.record(sell(str(sum(lot.quantity for lot in lots)), "3", day(at), lots=lots))
    return account


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_row_that_takes_a_lot_which_was_named_says_how_much_is_left(dry_run: bool) -> None:
    account = await named((1, "8"))
    file = [Row("sell", "AAPL", 7, 3, 7), Row("sell", "AAPL", 6, 3, 8), Row("sell", "AAPL", 5, 3, 8)]
    outcome = await account.import_rows(file, dry_run=dry_run)
    assert [row.line for row in outcome.accepted] == [2, 4]
    (rejected,) = outcome.rejected
    assert (rejected.line, rejected.field) == (3, "quantity")
    lot = account.ledger.journal[2].id
    assert rejected.reason == (
        f"the lot of AAPL that transaction {lot} opened has not what is sold of it on 2020-01-11T15:00:00Z unless at"
        " most 5 is taken before; or reverse that first, and record it again after the import"
    )


async def test_a_split_that_leaves_too_little_of_a_named_lot_names_its_ratio() -> None:
    account = await named((1, "8"))
    outcome = await account.import_rows([Row("split 0.5", "AAPL", 0, 0, 7)])
    assert [(row.line, row.field) for row in outcome.rejected] == [(2, "split_ratio")]
    assert "has not what is sold of it on 2020-01-11T15:00:00Z after this split" in outcome.rejected[0].reason
    assert len((await account.import_rows([Row("split 0.5", "AAPL", 0, 0, 10)])).accepted) == 1


async def test_what_is_dated_after_the_sale_takes_what_it_left() -> None:
    account = await named((0, "10"), (2, "3"))
    outcome = await account.import_rows([Row("sell", "AAPL", 1, 3, 8), Row("sell", "AAPL", 17, 3, 9)])
    assert ([row.line for row in outcome.rejected], [row.line for row in outcome.accepted]) == ([2], [3])


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many movements each fold goes through from now on."""
    seen: list[int] = []
    apply = LotFold.apply

    def count(fold: LotFold, movements: Iterable[SecurityMovement]) -> list[str]:
        told = list(movements)
        seen.append(len(told))
        return apply(fold, told)

    monkeypatch.setattr(LotFold, "apply", count)
    return seen


async def test_many_rows_before_many_named_lots_are_judged_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """To fold what follows anew for each of them would go through forty thousand."""
    account = Account(LotMethod.SPECIFIC, margin=False)
    await account.record(asked("deposit", amount="100000000"))
    await account.import_rows([Row("buy", "AAPL", 10, 3, 50)] * 1000)
    file = [Row("buy" if number % 2 else "sell", "AAPL", 1, 3, number // 50) for number in range(2000)]
    for bought in account.ledger.journal[1::100]:
        lots = (LotChoice(bought.id, Decimal(9)),)
        assert await account.record(sell("9", "3", day(60), lots=lots))
    folded = counted(monkeypatch)
    outcome = await account.import_rows(file)
    assert len(outcome.accepted) > 1900
    assert sum(folded) < 4_000


async def test_a_file_of_many_splits_is_judged_by_the_lots_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """To fold all that came before anew for each of them would go through a hundred thousand."""
    account = await named((1, "8"))
    file = [Row("split 2" if number % 2 else "split 0.5", "AAPL", 0, 0, 8) for number in range(401)]
    bought = [Row("buy", "AAPL", 1, 3, 7)] * 200
    folded = counted(monkeypatch)
    outcome = await account.import_rows([*bought, *file])
    # The first one halves what is named; what is doubled may be halved again.
    assert [row.line for row in outcome.rejected] == [202]
    assert sum(folded) < 4_000
