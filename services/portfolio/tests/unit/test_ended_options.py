"""An option's end stays one, whatever is dated before it or taken back: it never opens the other side."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.errors import InsufficientHolding
from quantmesh.portfolio.core.ledger_errors import BeforeExercise
from quantmesh.portfolio.core.model import LotMethod, PositionSide, Transaction, TransactionInput
from quantmesh.portfolio.core.posting_rules import SECURITIES, entry_of
from quantmesh.portfolio.core.record_transactions import record_transaction
from quantmesh.portfolio.core.reverse_transactions import reverse_import, reverse_transaction

from .importing import COLUMNS, NOW, Account
from .samples import CALL, INDEX_CALL, OPTIONS, asked, contracts, day

EXPIRY = 30
ENDS = {"option_close", "option_exercise", "option_assignment", "option_expiry"}


async def margin_account() -> Account:
    account = Account(LotMethod.FIFO, margin=True)
    await account.record(asked("deposit", amount="100000000"))
    return account


async def record(account: Account, wanted: TransactionInput) -> Transaction:
    done = await record_transaction(account.ledger, account.id, wanted, "USD", NOW, uuid4)
    return done.transaction


async def take_back(account: Account, transaction_id: UUID) -> None:
    with account.ledger.transaction():
        await reverse_transaction(account.ledger, account.id, transaction_id, "", NOW, uuid4)


def trade(kind: str, symbol: str, quantity: int, at: int, *, short: bool = False) -> TransactionInput:
    """With all that its kind asks for; an expiry is on the day that it has."""
    terms: dict[str, Any] = {}
    if kind in {"option_exercise", "option_assignment"}:
        terms = {"price": "30"} if symbol == INDEX_CALL else {}
    elif kind != "option_expiry":
        terms = {"price": "2"}
    if kind == "option_open" and short:
        terms["side"] = PositionSide.SHORT
    return contracts(kind, symbol, str(quantity), day(EXPIRY if kind == "option_expiry" else at), **terms)


def standing(journal: Sequence[Transaction]) -> list[Transaction]:
    undone = {item.reverses for item in journal}
    return [item for item in journal if item.reverses is None and item.id not in undone]


def what_ends_find(journal: Sequence[Transaction]) -> list[tuple[Decimal, Decimal]]:
    """Of each end that stands: what was held of its option before it, and what it took of that."""
    held: dict[str, Decimal] = {}
    found = []
    for item in sorted(standing(journal), key=lambda item: (item.entry.input.executed_at, item.seq)):
        for side in item.entry.postings:
            if side.account == "assets:securities" and side.commodity in OPTIONS:
                if item.entry.input.type in ENDS:
                    found.append((held.get(side.commodity, Decimal(0)), -side.amount))
                held[side.commodity] = held.get(side.commodity, Decimal(0)) + side.amount
    return found


_TRADES = st.builds(
    trade,
    st.sampled_from(["option_open", "option_open", "buy", "sell", *sorted(ENDS)]),
    st.sampled_from([CALL, INDEX_CALL]),
    quantity=st.integers(1, 3),
    at=st.integers(0, 5),
    short=st.booleans(),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(_TRADES, st.integers(0, 9)), min_size=3, max_size=12))
@example([trade("option_open", CALL, 2, 0), trade("option_expiry", CALL, 2, 0), trade("option_close", CALL, 1, 1)])
@example([trade("option_open", CALL, 1, 0, short=True), trade("option_expiry", CALL, 1, 0), 0])
def test_every_end_finds_what_it_ended_whatever_comes_late_or_goes(steps: list[TransactionInput | int]) -> None:
    """A number takes back one of those that stand."""

    async def run() -> list[tuple[Decimal, Decimal]]:
        account = await margin_account()
        for step in steps:
            if isinstance(step, TransactionInput):
                await account.record(step)
            elif options := standing(account.ledger.journal)[1:]:
                await account.take_back(options[step % len(options)].id)
        return what_ends_find(account.ledger.journal)

    for before, taken in asyncio.run(run()):
        assert before * taken > 0
        assert abs(before) >= abs(taken)


@pytest.mark.parametrize("short", [False, True])
async def test_a_late_close_takes_nothing_from_an_expiry_and_says_what_to_do(*, short: bool) -> None:
    account = await margin_account()
    await record(account, trade("option_open", CALL, 3, 0, short=short))
    await record(account, trade("option_expiry", CALL, 2, 0))
    await record(account, trade("option_close", CALL, 1, 1))
    with pytest.raises(
        InsufficientHolding,
        match=f"takes 1 {CALL}, but the option_expiry on 2020-02-01T15:00:00Z leaves only 0 .* reverse that first",
    ):
        await record(account, trade("option_close", CALL, 1, 1))


async def test_a_late_sale_takes_nothing_from_an_expiry_either() -> None:
    account = await margin_account()
    await record(account, trade("option_open", CALL, 1, 0))
    await record(account, trade("option_expiry", CALL, 1, 0))
    with pytest.raises(InsufficientHolding, match="option_expiry"):
        await record(account, trade("sell", CALL, 1, 1))
    # More of what was held then is no harm, nor is what is dated after it.
    await record(account, trade("buy", CALL, 1, 1))


async def test_what_an_option_was_ended_of_is_taken_back_after_its_end() -> None:
    account = await margin_account()
    opened = await record(account, trade("option_open", INDEX_CALL, 1, 0))
    ended = await record(account, trade("option_exercise", INDEX_CALL, 1, 2))
    with pytest.raises(InsufficientHolding, match="the option_exercise on 2020-01-04T15:00:00Z leaves only 0") as no:
        await take_back(account, opened.id)
    assert [violation.field for violation in no.value.violations] == ["transaction_id"]
    await take_back(account, ended.id)
    await take_back(account, opened.id)
    assert what_ends_find(account.ledger.journal) == []


async def test_a_file_is_taken_back_with_its_own_ends() -> None:
    account = await margin_account()
    rows = [("option_open", "2", day(0)), ("option_expiry", "", day(EXPIRY))]
    lines = [
        ",".join(
            {"type": kind, "symbol": CALL, "quantity": "2", "price": price, "executed_at": at.isoformat()}.get(name, "")
            for name in COLUMNS
        )
        for kind, price, at in rows
    ]
    file = await account.import_lines([",".join(COLUMNS), *lines])
    assert len(file.accepted) == 2
    assert file.import_id is not None
    await reverse_import(account.ledger, account.id, file.import_id, "", NOW, uuid4)
    assert what_ends_find(account.ledger.journal) == []


async def test_an_exercise_by_delivery_is_reversed_first_as_well() -> None:
    account = await margin_account()
    opened = await record(account, trade("option_open", CALL, 1, 0))
    await account.record(trade("option_exercise", CALL, 1, 2))
    with pytest.raises(BeforeExercise):
        await take_back(account, opened.id)


async def test_what_had_gone_wrong_before_can_still_be_put_right() -> None:
    account = await margin_account()
    await record(account, trade("option_open", CALL, 1, 0))
    await record(account, trade("option_expiry", CALL, 1, 0))
    asked_late = trade("option_close", CALL, 1, 1)
    portfolio, at = await account.ledger.advance(account.id, 1, NOW)
    late = Transaction(uuid4(), account.id, portfolio.seq, entry_of(asked_late, "USD", Decimal(1)), at)
    await account.ledger.append([late], {(SECURITIES, CALL): Decimal(-1)})
    assert what_ends_find(account.ledger.journal)[-1] == (Decimal(0), Decimal(1))
    await take_back(account, late.id)
    assert what_ends_find(account.ledger.journal) == [(Decimal(1), Decimal(1))]
