from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quantmesh.market.core.calendars import AroundTheClock
from quantmesh.market.core.errors import InvalidCsv
from quantmesh.market.core.model import Bar, Rejection
from quantmesh.market.core.parse_bars import ParsedBars, RawBar, parse_bars, read_csv, rows_by_symbol

HEADER = b"symbol,date,open,high,low,close,volume\n"
CALENDAR = AroundTheClock()


def parse(line: str, closed_at: datetime | None = None) -> ParsedBars:
    rows = [row for row in read_csv(HEADER + line.encode()) if isinstance(row, RawBar)]
    return parse_bars(rows, CALENDAR, closed_at)


def test_reads_prices_exactly() -> None:
    parsed = parse("BTC-USD,2020-01-01,7160.69,7237.73,7150,7174.33000001,3445.10")
    assert not parsed.rejections
    assert parsed.bars == [
        Bar(
            date(2020, 1, 1),
            datetime(2020, 1, 2, tzinfo=UTC),
            Decimal("7174.33000001"),
            Decimal("7160.69"),
            Decimal("7237.73"),
            Decimal(7150),
            Decimal("3445.10"),
        )
    ]


def test_a_close_alone_is_a_bar() -> None:
    (bar,) = parse("X,2020-01-01,,,,5,").bars
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (None, None, None, Decimal(5), None)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("X,2020-01-01,,,,,", "close"),
        ("X,2020-01-01,,,,0,", "close"),
        ("X,2020-01-01,,,,-5,", "close"),
        ("X,2020-01-01,,,,NaN,", "close"),
        ("X,2020-01-01,,,,Infinity,", "close"),
        ("X,2020-01-01,,,,1e5,", "close"),
        ("X,2020-01-01,,,,123456789012345678901,", "close"),
        ("X,2020-01-01,,,,1.0000000000000000001,", "close"),
        ("X,2020-01-01,,,,5,-1", "volume"),
        ("X,2020-01-01,5,,,5,", "high"),
        ("X,2020-01-01,,6,4,5,", "open"),
        ("X,2020-01-01,5,4.9,4,5,", "high"),
        ("X,2020-01-01,5,6,5.5,5,", "low"),
        ("X,,,,,5,", "date"),
        ("X,01/02/2020,,,,5,", "date"),
        ("X,2020-02-30,,,,5,", "date"),
        ("X,1979-12-31,,,,5,", "date"),
    ],
)
def test_refuses_a_bad_row_and_names_line_and_field(row: str, field: str) -> None:
    parsed = parse(row)
    assert not parsed.bars
    (rejection,) = parsed.rejections
    assert (rejection.line, rejection.field, rejection.symbol) == (2, field, "X")
    assert rejection.reason


def test_refuses_a_bar_of_a_session_that_has_not_closed() -> None:
    known = datetime(2020, 1, 2, tzinfo=UTC)
    assert parse("X,2020-01-01,,,,5,", known).bars
    (rejection,) = parse("X,2020-01-02,,,,5,", known).rejections
    assert "closes at 2020-01-03T00:00Z" in rejection.reason


def test_repeated_rows_count_once_and_contradicting_ones_are_refused() -> None:
    parsed = parse("X,2020-01-02,,,,5,\nX,2020-01-01,,,,4,\nX,2020-01-02,,,,5.0,\nX,2020-01-02,,,,6,")
    assert [(bar.day.day, str(bar.close)) for bar in parsed.bars] == [(1, "4"), (2, "5")]
    (rejection,) = parsed.rejections
    assert (rejection.line, rejection.field) == (5, "date")
    assert "line 2" in rejection.reason


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark() -> None:
    (row,) = read_csv(b"\xef\xbb\xbfClose,Date,Symbol\r\n5,2020-01-01,X\r\n")
    assert row == RawBar(2, "X", "2020-01-01", "", "", "", "5", "")


def test_a_row_of_another_width_is_refused_and_the_rest_is_read() -> None:
    rows = list(read_csv(HEADER + b"X,2020-01-01\n\nX,2020-01-02,,,,5,\n"))
    assert rows[0] == Rejection(2, "row", "has 2 fields where the header has 7")
    assert isinstance(rows[1], RawBar)
    assert rows[1].line == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks 'symbol', 'date', 'close'"),
        (b"symbol,date,price\n", "lacks 'close'"),
        (b"symbol,date,close,adj\n", "unknown 'adj'"),
        (b"symbol,date,close,close\n", "repeats 'close'"),
        (HEADER + b'"X,2020-01-01,,,,5,', "line 2"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(InvalidCsv) as caught:
        list(read_csv(content))
    assert said in caught.value.detail
    assert caught.value.violations[0].field == "csv"


def test_groups_rows_by_symbol_in_order() -> None:
    rows = [row for row in read_csv(b"symbol,date,close\nA,1,1\nB,1,1\nA,2,1\n") if isinstance(row, RawBar)]
    assert {symbol: [row.line for row in group] for symbol, group in rows_by_symbol(rows).items()} == {
        "A": [2, 4],
        "B": [3],
    }
