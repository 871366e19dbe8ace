"""Exercises and assignments that deliver, out of a file: the entries that recording them one by one makes."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.import_job import INLINE_ROWS

from .fakes import Service, User
from .test_corrections import held, reverse_import
from .test_import_job import imported
from .test_lots_and_options import CALL, INDEX, PUT, account, lots_of, record, with_options
from .test_verification import differences

CsvRow = tuple[str, str, str, str, str, str, str, str]
COLUMNS = ("type", "symbol", "quantity", "price", "side", "fee", "executed_at", "note")
# Newest first, as brokers write them.
LIFE: list[CsvRow] = [
    ("sell", "IBM", "150", "104.00", "", "", "2020-06-03", "of both"),
    ("option_assignment", PUT, "1", "", "", "0.50", "2020-06-02", ""),
    ("option_exercise", CALL, "1", "", "", "", "2020-06-01", ""),
    ("option_close", PUT, "1", "4.00", "", "", "2020-05-04", ""),
    ("option_open", CALL, "1", "6.10", "", "", "2020-04-01", "more of it"),
    ("option_open", PUT, "2", "5.00", "short", "", "2020-03-03", ""),
    ("option_open", CALL, "2", "4.30", "", "1.30", "2020-03-02", ""),
]


@pytest.fixture(autouse=True)
def options(service: Service) -> None:
    with_options(service)


def fields_of(row: CsvRow) -> dict[str, str]:
    return {name: cell for name, cell in zip(COLUMNS, row, strict=True) if cell}


def csv(rows: Sequence[CsvRow]) -> str:
    lines = (",".join((*row[:6], f"{row[6]}T15:00:00Z", row[7])) for row in rows)
    return "\n".join([",".join(COLUMNS), *lines, ""])


async def record_row(user: User, portfolio_id: str, row: CsvRow) -> None:
    fields: dict[str, Any] = fields_of(row)
    if "side" in fields:
        fields["side"] = pb.POSITION_SIDE_SHORT
    await user.record(portfolio_id, at=fields.pop("executed_at"), **fields)


async def entries(user: User, portfolio_id: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (
            entry.executed_at.ToJsonString(),
            [(side.account, side.commodity, side.amount.value) for side in entry.postings],
        )
        for entry in await user.ledger(portfolio_id)
    ]


async def test_what_an_exercised_option_cost_is_in_the_shares_that_it_delivers(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True, lots=pb.LOT_METHOD_FIFO)
    answer = await user.import_csv(portfolio_id, csv(LIFE))
    assert (len(answer.accepted), list(answer.rejected)) == (len(LIFE), [])
    # 50,000 - 861.30 + 1,000 - 610 - 400 - 10,000 for the call's shares - 10,000.50 for the put's + 15,600.
    assert await held(user, portfolio_id) == {"USD": "44728.20", CALL: "2", "IBM": "50"}
    # The put's shares cost 10,000 less the 500 that it was written for.
    assert await lots_of(user, portfolio_id, "IBM") == [("2020-06-02", "50", "4750.00")]
    assert await lots_of(user, portfolio_id, CALL) == [("2020-03-02", "1", "430.00"), ("2020-04-01", "1", "610.00")]
    (position,) = [each for each in (await user.positions(portfolio_id)).positions if each.symbol == "IBM"]
    # 15,600 less 10,430 for the call's shares and half of 9,500 for the put's.
    assert position.realized_pnl.value == "420.00"
    assert await differences(service) == []


@pytest.mark.parametrize("before", [0, 4])
async def test_a_file_makes_the_entries_that_recording_its_rows_makes(service: Service, before: int) -> None:
    """So many of the rows were recorded before the file came."""
    importer, imported_id = await account(service, margin=True)
    recorder, recorded_id = await account(service, margin=True)
    in_order = LIFE[::-1]
    for row in in_order[:before]:
        await record_row(importer, imported_id, row)
    await importer.import_csv(imported_id, csv(in_order[before:]))
    for row in in_order:
        await record_row(recorder, recorded_id, row)
    found = await entries(importer, imported_id)
    assert len(found) == 1 + len(LIFE)
    assert found == await entries(recorder, recorded_id)


async def test_a_dry_run_tells_of_exercises_what_the_run_does(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    promised = await user.import_csv(portfolio_id, csv(LIFE), dry_run=True)
    assert (await user.events(portfolio_id)).last_seq == 1
    done = await user.import_csv(portfolio_id, csv(LIFE))
    assert [row.cash_effect for row in promised.accepted] == [row.cash_effect for row in done.accepted]
    assert list(promised.rejected) == list(done.rejected) == []


async def test_exercises_of_a_file_that_comes_again_are_recorded_once(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    first = await user.import_csv(portfolio_id, csv(LIFE))
    again = await user.import_csv(portfolio_id, csv(LIFE))
    assert list(again.accepted) == list(again.rejected) == []
    assert [row.transaction_id for row in again.duplicates] == [row.id for row in first.accepted]


async def test_an_import_that_is_taken_back_takes_both_legs_of_its_exercises(service: Service) -> None:
    user, portfolio_id = await account(service, margin=True)
    opened = [row for row in LIFE if row[0] == "option_open"]
    await user.import_csv(portfolio_id, csv(opened))
    before = await held(user, portfolio_id)
    rest = await user.import_csv(portfolio_id, csv(LIFE))
    assert (len(rest.duplicates), len(rest.accepted)) == (len(opened), len(LIFE) - len(opened))
    await reverse_import(user, portfolio_id, rest.import_id)
    assert await held(user, portfolio_id) == before
    assert await differences(service) == []
    # Its rows are forgotten with it.
    assert len((await user.import_csv(portfolio_id, csv(LIFE))).accepted) == len(rest.accepted)


async def test_a_row_that_cannot_be_exercised_says_where_and_why(service: Service) -> None:
    user, portfolio_id = await account(service, cash="11000.00")
    bad: dict[CsvRow, tuple[int, str]] = {
        ("option_exercise", CALL, "3", "", "", "", "2020-06-01", ""): (3, f"needs 3 {CALL}, but only 2 is there"),
        ("option_exercise", CALL, "2", "", "", "", "2020-06-01", ""): (3, "needs 20000.00 USD, but only 10140.00"),
        ("option_exercise", CALL, "1", "100", "", "", "2020-06-01", ""): (4, "is not taken: .* at its strike"),
        ("option_exercise", CALL, "0.5", "", "", "", "2020-06-01", ""): (3, "counts contracts, which are whole"),
        ("option_exercise", CALL, "1", "", "", "", "2020-06-20", ""): (7, "is not exercised after that day"),
        ("option_exercise", CALL, "1", "", "long", "", "2020-06-01", ""): (5, "is not taken by an? option_exercise"),
        ("option_exercise", "IBM", "1", "", "", "", "2020-06-01", ""): (2, "IBM is not an option"),
        ("option_exercise", INDEX, "1", "", "", "", "2020-06-17", ""): (4, "is required: VIX's settlement price"),
        ("option_assignment", CALL, "1", "", "", "", "2020-06-01", ""): (3, f"needs 1 {CALL}, but only 0 is there"),
        ("option_exercise", CALL, "", "", "", "", "2020-06-01", ""): (3, "is required for an? option_exercise"),
    }
    good: CsvRow = ("option_open", CALL, "2", "4.30", "", "", "2020-03-02", "")
    answer = await user.import_csv(portfolio_id, csv([good, *bad]))
    assert len(answer.accepted) == 1
    assert [(row.line, row.column) for row in answer.rejected] == [
        (line, column) for line, (column, _) in enumerate(bad.values(), start=3)
    ]
    for row, (_, reason) in zip(answer.rejected, bad.values(), strict=True):
        assert re.search(reason, row.reason), row.reason


async def test_a_file_changes_nothing_that_an_exercise_was_made_of(service: Service) -> None:
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "2", price="4.30")
    await record(user, portfolio_id, "option_exercise", CALL, "1", at="2020-06-01")
    late: CsvRow = ("option_exercise", CALL, "1", "", "", "", "2020-05-29", "")
    answer = await user.import_csv(portfolio_id, csv([late]))
    assert [(row.line, row.column) for row in answer.rejected] == [(2, 7)]
    assert "which took the cost of what was held then" in answer.rejected[0].reason


async def test_a_long_file_of_exercises_is_a_job_that_takes_each_contract_s_own_cost(service: Service) -> None:
    """Opened at 1 to 9 and exercised one by one, oldest first: the shares cost what their contract did."""
    user, portfolio_id = await account(service, margin=True, lots=pb.LOT_METHOD_FIFO)
    count = INLINE_ROWS // 2 + 100
    prices = [1 + number % 9 for number in range(count)]
    rows: list[CsvRow] = [
        ("option_open", CALL, "1", str(price), "", "", "2020-03-02", f"{at}") for at, price in enumerate(prices)
    ]
    rows += [("option_exercise", CALL, "1", "", "", "", "2020-06-01", f"{at}") for at in range(count)]
    await user.deposit(portfolio_id, "100000000.00")
    report = await imported(service, user, portfolio_id, csv(rows))
    assert (report["accepted_rows"], report["rejected_rows"]) == (2 * count, 0)
    lots = await lots_of(user, portfolio_id, "IBM")
    assert [cost for _, _, cost in lots] == [f"{10_000 + 100 * price}.00" for price in prices]
    assert await differences(service, portfolio_id) == []
