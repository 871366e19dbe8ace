"""CSV files of transactions: what is forgiven, and what is reported with its line."""

from decimal import Decimal

import pytest

from quantmesh.portfolio.core.errors import UnreadableImport
from quantmesh.portfolio.core.import_csv import ROW_LIMIT, RejectedRow, Row, check_header, read_rows
from quantmesh.portfolio.core.model import PositionSide, TransactionType

HEADER = "type,symbol,quantity,price,amount,fee,currency,executed_at,note"
DEPOSIT = "deposit,,,,100.50,,USD,2020-01-02T15:00:00Z,"
BUY = "buy,AAPL,10,73.35,,1.00,USD,2020-01-03T15:00:00Z,first"


def read(content: bytes) -> tuple[list[Row], list[RejectedRow]]:
    found = read_rows(content)
    return found.rows, found.rejected


def rejections(*lines: str) -> list[RejectedRow]:
    rows, rejected = read("\n".join([HEADER, *lines]).encode())
    assert rows == []
    return rejected


def test_rows_become_transactions_with_their_lines() -> None:
    rows, rejected = read("\n".join([HEADER, DEPOSIT, BUY]).encode())
    assert rejected == []
    assert [(row.line, row.input.type) for row in rows] == [(2, TransactionType.DEPOSIT), (3, TransactionType.BUY)]
    assert (rows[1].input.price, rows[1].input.fee, rows[1].input.note) == (Decimal("73.35"), Decimal(1), "first")


def test_an_option_s_side_is_a_column() -> None:
    header = "type,symbol,quantity,price,side,executed_at"
    opening = "option_open,AAPL200221P00080000,1,5.00,{},2020-01-03T15:00:00Z"
    rows, rejected = read("\n".join([header, opening.format("Short"), opening.format("")]).encode())
    assert rejected == []
    assert [row.input.side for row in rows] == [PositionSide.SHORT, None]
    _, rejected = read("\n".join([header, opening.format("sideways")]).encode())
    assert [(row.line, row.field, row.reason) for row in rejected] == [(2, "side", "'sideways' is none of long, short")]


def test_a_file_reverses_nothing() -> None:
    (refused,) = rejections("reversal,AAPL,,,,,,2020-01-03T15:00:00Z,")
    assert (refused.field, "reverse the transaction" in refused.reason) == ("type", True)
    (unknown,) = rejections("gift,AAPL,,,,,,2020-01-03T15:00:00Z,")
    assert "option_expiry" in unknown.reason
    assert "reversal" not in unknown.reason


def test_column_order_byte_order_mark_line_ends_and_blank_lines_do_not_matter() -> None:
    text = "\ufeffExecuted_At, amount ,TYPE,currency\r\n\r\n2020-01-02T15:00:00+01:00, 5 ,Deposit,USD\r\n,,,\r\n"
    rows, rejected = read(text.encode())
    assert rejected == []
    assert [(row.line, row.input.amount, row.input.executed_at.hour) for row in rows] == [(3, Decimal(5), 14)]


def test_a_line_number_counts_the_lines_of_quoted_cells() -> None:
    _, rejected = read(f'{HEADER}\ndeposit,,,,1,,USD,2020-01-02T15:00:00Z,"two\nlines"\nnonsense{"," * 8}'.encode())
    assert [(row.line, row.field) for row in rejected] == [(2, "note"), (4, "type"), (4, "executed_at")]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (DEPOSIT.replace("deposit", "gift"), "type", "'gift' is none of deposit, withdrawal"),
        (DEPOSIT.replace("deposit", ""), "type", "is missing"),
        (DEPOSIT.replace("100.50", "1e5"), "amount", "'1e5' is not a plain decimal"),
        (DEPOSIT.replace("100.50", "NaN"), "amount", "'NaN' is not a plain decimal"),
        (DEPOSIT.replace("100.50", "-5"), "amount", "-5 must be more than zero"),
        (DEPOSIT.replace("100.50", ""), "amount", "is required for a deposit"),
        (DEPOSIT.replace("USD", "ZZZ"), "currency", "'ZZZ' is not an ISO 4217 code"),
        (DEPOSIT.replace("T15:00:00Z", ""), "executed_at", "not an instant such as"),
        (DEPOSIT.replace("T15:00:00Z", "T15:00:00"), "executed_at", "not an instant such as"),
        (DEPOSIT.replace("2020-01-02", "2020-02-30"), "executed_at", "not a date and time of the calendar"),
        (DEPOSIT.replace("deposit,", "deposit,AAPL"), "symbol", "is not taken by a deposit"),
        (DEPOSIT + ",extra", "", "has 10 cells where the header has 9"),
        ("deposit", "", "has 1 cells where the header has 9"),
    ],
)
def test_a_bad_row_says_line_field_and_reason(line: str, field: str, reason: str) -> None:
    found = rejections(line)
    assert [(row.line, row.field) for row in found] == [(2, field)]
    assert reason in found[0].reason


def test_every_wrong_cell_of_a_row_is_reported() -> None:
    found = rejections("buy,AAPL,ten,,,x,USD,yesterday,")
    assert {row.field for row in found} == {"quantity", "fee", "executed_at"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"type,amount\n", "the column 'executed_at' is missing"),
        (b"type,executed_at,colour\n", "unknown column 'colour'"),
        (b"type,executed_at,type\n", "a column is there twice"),
        (b"type,executed_at\xff\n", "byte 16 is not UTF-8"),
        (b'type,executed_at\n"open', "it is not CSV from line 2 on: unexpected end of data"),
        (b'type,executed_at\n\n"two\nlines",b\n"closed"late,b\n', "it is not CSV from line 5 on"),
        (b"type,executed_at\na," + b"b" * 140_000, "it is not CSV from line 2 on: field larger"),
        (b"type,executed_at\n" + b"a,b\n" * (ROW_LIMIT + 1), f"more than {ROW_LIMIT} rows"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImport, match=reason):
        read_rows(content)


@pytest.mark.parametrize("content", [b"", b"type,amount\n", b"type,executed_at\xff\n"])
def test_what_is_wrong_with_the_whole_file_shows_before_its_rows_are_read(content: bytes) -> None:
    with pytest.raises(UnreadableImport):
        check_header(content)
