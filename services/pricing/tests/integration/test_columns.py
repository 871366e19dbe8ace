"""Columns both ways over a real stream."""

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.quant import black_scholes, sabr

from .conftest import Pricing, cut, read, sent, written

ROWS = 150_000


def options(rows: int = ROWS) -> dict[str, Any]:
    generator = np.random.default_rng(11)
    return {
        "option_type": np.where(generator.random(rows) < 0.5, "call", "put"),
        "spot": generator.uniform(50, 150, rows),
        "strike": generator.uniform(50, 150, rows),
        "time_to_expiry": generator.uniform(0.05, 2, rows),
        "rate": generator.uniform(-0.01, 0.05, rows),
        "dividend_yield": generator.uniform(0, 0.03, rows),
        "volatility": generator.uniform(0.05, 0.8, rows),
    }


async def test_prices_come_back_in_order_batch_by_batch(pricing: Pricing) -> None:
    columns = options()
    answer = await pricing.batch(written(columns))
    assert answer.column_names == ["price", "delta", "gamma", "vega", "theta", "rho"]
    expected = black_scholes.price_and_greeks(*columns.values())
    for name, values in zip(answer.column_names, expected, strict=True):
        np.testing.assert_array_equal(answer[name].to_numpy(), values)
    assert [len(chunk) for chunk in answer["price"].chunks] == [65_536, 65_536, ROWS - 131_072]


async def test_columns_of_sabr_need_no_shift(pricing: Pricing) -> None:
    columns: dict[str, Any] = {"forward": [0.02, 0.03], "strike": [0.025, 0.028]}
    law = {"alpha": 0.04, "beta": 0.5, "rho": -0.3, "nu": 0.4}
    constants = {"option_type": "call", "time_to_expiry": "2", "rate": "0.01"}
    stream = written(columns, constants | {name: str(value) for name, value in law.items()})
    request = pb.PriceBatchRequest(options=pb.BatchOptions(model=pb.MODEL_SABR, greeks=True), arrow=stream)
    answer = read([piece.arrow async for piece in pricing.peer.stream(pricing.stub.PriceBatch, sent([request]))])
    expected = sabr.price_and_greeks("call", **columns, time_to_expiry=2.0, rate=0.01, **law)
    for name, values in expected._asdict().items():
        np.testing.assert_array_equal(answer[name].to_numpy(), values)


async def test_greeks_to_the_third_order_are_columns_of_their_own(pricing: Pricing) -> None:
    columns = options(40)
    request = pb.PriceBatchRequest(options=pb.BatchOptions(higher_orders=True), arrow=written(columns))
    answer = read([piece.arrow async for piece in pricing.peer.stream(pricing.stub.PriceBatch, sent([request]))])
    expected = black_scholes.greeks(*columns.values(), higher_orders=True)
    assert answer.column_names == ["price", *expected._fields]
    for name, values in expected._asdict().items():
        np.testing.assert_array_equal(answer[name].to_numpy(), values)
    heston = pb.PriceBatchRequest(options=pb.BatchOptions(model=pb.MODEL_HESTON, higher_orders=True))
    with pytest.raises(RuleBroken, match="greeks must be of the first order for heston"):
        await anext(pricing.peer.stream(pricing.stub.PriceBatch, sent([heston])))


@pytest.mark.parametrize("piece", [1, 7, 100_003])
async def test_pieces_may_be_cut_anywhere(pricing: Pricing, piece: int) -> None:
    columns = options(30)
    answer = await pricing.batch(written(columns, rows=10), piece=piece, greeks=False)
    assert answer.column_names == ["price"]
    np.testing.assert_array_equal(answer["price"].to_numpy(), black_scholes.price(*columns.values()))


async def test_a_batch_too_large_for_a_message_is_answered_in_parts(pricing: Pricing) -> None:
    columns = options(100_000)
    answer = await pricing.batch(written(columns, rows=100_000))
    assert len(answer) == 100_000
    np.testing.assert_allclose(
        answer["price"].to_numpy(), black_scholes.price(*columns.values()), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(
    "option_type",
    [
        pa.array(["call", "put", "put"]),
        pa.array(["call", "put", "put"]).dictionary_encode(),
        pa.array(["call", "put", "put"], pa.large_utf8()),
        pa.array([1, -1, -1], pa.int8()),
    ],
)
async def test_option_types_in_every_form(pricing: Pricing, option_type: pa.Array) -> None:
    columns = {"option_type": option_type, "spot": pa.array([90.0, 100.0, 110.0])}
    constants = {"strike": "100", "time_to_expiry": "0.5", "rate": "0.02", "volatility": "0.25", "pandas": "{}"}
    answer = await pricing.batch(written(columns, constants))
    expected = black_scholes.price(["call", "put", "put"], [90.0, 100.0, 110.0], 100, 0.5, 0.02, 0, 0.25)
    np.testing.assert_allclose(answer["price"].to_numpy(), expected, rtol=1e-14)


async def test_other_numbers_are_converted(pricing: Pricing) -> None:
    columns = {"spot": pa.array([100], pa.int32()), "volatility": pa.array([0.25], pa.float32())}
    constants = {"option_type": "call", "strike": "100", "time_to_expiry": "1"}
    answer = await pricing.batch(written(columns, constants))
    assert answer["price"].to_pylist() == pytest.approx(
        [black_scholes.price("call", 100, 100, 1, 0, 0, 0.25)], rel=1e-14
    )


async def test_an_infinite_greek_is_null(pricing: Pricing) -> None:
    constants = {"option_type": "call", "spot": "100", "strike": "100", "volatility": "0.2"}
    answer = await pricing.batch(written({"time_to_expiry": [0.0, 1.0]}, constants))
    assert answer["gamma"].to_pylist()[0] is None
    assert answer["gamma"].to_pylist()[1] == pytest.approx(black_scholes.greeks("call", 100, 100, 1, 0, 0, 0.2).gamma)


async def test_the_first_bad_row_is_named_by_its_place_in_the_whole_stream(pricing: Pricing) -> None:
    columns = options()
    columns["volatility"][140_001] = -0.5
    with pytest.raises(InvalidInput, match=r"volatility\[140001\] must be .* got -0\.5"):
        await pricing.batch(written(columns))
    with pytest.raises(InvalidInput, match=r"volatility\[140001\]"):
        await pricing.batch(written(columns, rows=ROWS))
    nothing = written(
        {"spot": pa.array([100.0, None])},
        {"option_type": "call", "strike": "1", "time_to_expiry": "1", "volatility": "1"},
    )
    with pytest.raises(InvalidInput, match=r"spot\[1\] must be"):
        await pricing.batch(nothing)


async def test_nothing_is_answered_before_every_row_is_found_good(pricing: Pricing) -> None:
    columns = options()
    columns["spot"][ROWS - 1] = -1.0
    requests = [pb.PriceBatchRequest(arrow=part) for part in cut(written(columns), 1 << 20)]
    answers = pricing.peer.stream(pricing.stub.PriceBatch, sent(requests))
    with pytest.raises(InvalidInput, match=rf"spot\[{ROWS - 1}\]"):
        await anext(answers)


async def test_implied_volatilities_with_a_reason_for_each_row_that_has_none(pricing: Pricing) -> None:
    columns = options(1000)
    columns["price"] = np.asarray(black_scholes.price(*columns.values()))
    true = columns.pop("volatility")
    columns["price"][17] = 1e6
    columns["spot"][400] = -3.0
    answer = await pricing.imply(written(columns, rows=300))
    volatilities, errors = answer["implied_volatility"].to_pylist(), answer["error"].to_pylist()
    assert {row: error for row, error in enumerate(errors) if error is not None} == {
        17: "price must be below the discounted spot (call) or strike (put)",
        400: "spot must be a number from 1e-100 to 1e100",
    }
    assert [row for row, volatility in enumerate(volatilities) if volatility is None] == [17, 400]
    close = [row for row in range(1000) if row not in {17, 400}]
    found = np.array([volatilities[row] for row in close])
    contract = [columns[name][close] for name in list(options(1))[:-1]]
    again = black_scholes.price(*[*contract, found])
    np.testing.assert_allclose(again, columns["price"][close], rtol=1e-12, atol=1e-12)
    assert np.median(np.abs(found / true[close] - 1)) < 1e-13


async def test_no_rows_are_no_error(pricing: Pricing) -> None:
    empty = {name: values[:0] for name, values in options(1).items()}
    assert len(await pricing.batch(written(empty))) == 0


GOOD: dict[str, Any] = {
    "option_type": ["call"],
    "spot": [100.0],
    "strike": [100.0],
    "time_to_expiry": [1.0],
    "volatility": [0.2],
}


@pytest.mark.parametrize(
    ("columns", "constants", "message"),
    [
        (GOOD | {"colour": [1.0]}, {}, "colour: no such column"),
        ({name: value for name, value in GOOD.items() if name != "strike"}, {}, "strike: missing"),
        (GOOD, {"strike": "100"}, "strike: both a column and a constant"),
        (GOOD | {"spot": ["x"]}, {}, "spot: of type string"),
        (GOOD | {"option_type": [1.5]}, {}, "option_type: of type double"),
        (GOOD | {"option_type": ["chooser"]}, {}, r"option_type\[0\] must be \"call\""),
        (GOOD, {"rate": "a lot"}, "rate must be a number, got 'a lot'"),
        (GOOD, {"rate": "nan"}, r"rate\[0\] must be a finite rate"),
    ],
)
async def test_columns_that_make_no_options_are_refused(
    pricing: Pricing, columns: dict[str, Any], constants: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        await pricing.batch(written(columns, constants))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"this is no Arrow stream at all", "not an Arrow IPC stream"),
        (b"\xff\xff\xff\xff\x10\0\0\0" + b"\x77" * 16, "metadata"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", "metadata has"),
        (written(GOOD)[:-40], "ends before its end marker"),
        (b"", "no schema"),
    ],
)
async def test_what_is_no_arrow_stream_is_refused(pricing: Pricing, stream: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        await pricing.batch(stream)


async def test_a_flipped_byte_anywhere_is_an_answer_or_a_refusal_but_no_failure(pricing: Pricing) -> None:
    stream = bytearray(written(GOOD))
    for place in range(0, len(stream), 13):
        flipped = bytes(stream[:place]) + bytes([stream[place] ^ 0x55]) + bytes(stream[place + 1 :])
        with contextlib.suppress(InvalidInput):
            await pricing.batch(flipped)


async def test_a_batch_for_no_model_is_refused_before_its_columns(pricing: Pricing) -> None:
    request = pb.PriceBatchRequest(options=pb.BatchOptions(model=pb.MODEL_HESTON, style=pb.EXERCISE_STYLE_AMERICAN))
    with pytest.raises(RuleBroken, match="no model heston for american"):
        [answer async for answer in pricing.peer.stream(pricing.stub.PriceBatch, sent([request]))]
