"""What an imported row is known by when it comes again."""

from quantmesh.portfolio.core.fingerprints import FINGERPRINT_BYTES, row_fingerprints
from quantmesh.portfolio.core.import_csv import read_rows

HEADER = "type,symbol,quantity,price,fee,executed_at,note"
BUY = "buy,AAPL,10,73.35,1.00,2020-01-02T15:00:00Z,first"


def fingerprints(*lines: str, header: str = HEADER, currency: str = "USD") -> list[bytes]:
    read = read_rows("\n".join([header, *lines]).encode())
    assert read.rejected == []
    return [each.own for each in row_fingerprints((row.input, currency) for row in read.rows)]


def test_how_a_row_is_written_does_not_matter() -> None:
    same = [
        fingerprints(BUY),
        fingerprints("Buy,AAPL,10.000,73.350,1,2020-01-02T16:00:00.000+01:00, first "),
        fingerprints(
            "first,AAPL,2020-01-02T15:00:00Z,buy,10,1,73.35", header="note,symbol,executed_at,type,quantity,fee,price"
        ),
    ]
    assert same[0] == same[1] == same[2]
    assert len(same[0][0]) == FINGERPRINT_BYTES
    without = "buy,AAPL,10,73.35,{},2020-01-02T15:00:00Z,first"
    assert fingerprints(without.format("")) == fingerprints(without.format("0.00"))


def test_every_field_counts() -> None:
    others = [
        BUY.replace("buy", "sell"),
        BUY.replace("AAPL", "MSFT"),
        BUY.replace(",10,", ",11,"),
        BUY.replace("73.35", "73.36"),
        BUY.replace("1.00", "1.01"),
        BUY.replace("15:00:00", "15:00:01"),
        BUY.replace("first", "second"),
        BUY.replace(",10,73.35,", ",1,073.35,"),
    ]
    found = [fingerprints(BUY), fingerprints(BUY, currency="EUR"), *map(fingerprints, others)]
    assert len({each[0] for each in found}) == len(found)


def test_equal_rows_of_a_file_are_told_apart_by_their_order_alone() -> None:
    other = BUY.replace("first", "other")
    twice = fingerprints(BUY, other, BUY)
    assert len(set(twice)) == 3
    assert fingerprints(BUY)[0] == twice[0]
    assert fingerprints(other, BUY, BUY) == [twice[1], twice[0], twice[2]]


def test_numbers_of_the_same_digits_differ() -> None:
    deposit = "type,amount,executed_at"
    found = {fingerprints(f"deposit,{amount},2020-01-02T15:00:00Z", header=deposit)[0] for amount in ("1", "10", "0.1")}
    assert len(found) == 3


def test_a_number_and_a_missing_one_differ() -> None:
    without = "buy,AAPL,10,73.35,{},2020-01-02T15:00:00Z,first"
    assert fingerprints(without.format("")) != fingerprints(without.format("1"))


def test_a_row_is_known_by_what_it_was_always_known_by() -> None:
    # Files that were imported before rows had a side have to be recognised.
    assert fingerprints(BUY)[0].hex() == "c79cca6166b013cd3cafddebcc33d6dc"


def test_the_two_sides_of_an_option_are_two_rows() -> None:
    header = "type,symbol,quantity,price,side,executed_at"
    opening = "option_open,AAPL200221P00080000,1,5.00,{},2020-01-03T15:00:00Z"
    sides = [fingerprints(opening.format(side), header=header)[0] for side in ("", "long", "short")]
    assert len(set(sides)) == 3
