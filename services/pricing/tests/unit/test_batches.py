"""Batches that take long, and whose callers do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from quantmesh.pricing.adapters.arrow_frames import END_OF_STREAM
from quantmesh.pricing.adapters.batches import Batches
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.models import find_model
from quantmesh.quant import american

SLOW = find_model("black_scholes", "american", "high_precision")
CONSTANTS = {"option_type": "put", "spot": "100", "time_to_expiry": "0.5", "rate": "0.05", "volatility": "0.2"}


async def pieces(strikes: list[float]) -> AsyncIterator[bytes]:
    batch = pa.record_batch({"strike": pa.array(strikes, pa.float64())}).replace_schema_metadata(CONSTANTS)
    yield batch.schema.serialize().to_pybytes() + batch.serialize().to_pybytes() + END_OF_STREAM


async def prices(batches: Batches, strikes: list[float]) -> list[float]:
    answer = b"".join([piece async for piece in batches.price(pieces(strikes), SLOW, "none")])
    with pa.ipc.open_stream(answer) as stream:
        found: list[float] = stream.read_all()["price"].to_pylist()
    return found


async def test_what_nobody_waits_for_any_more_holds_up_nobody() -> None:
    batches = Batches(threads=1)
    abandoned = asyncio.create_task(prices(batches, np.linspace(80.0, 120.0, 200_000).tolist()))
    await asyncio.sleep(0.2)
    abandoned.cancel()
    with suppress(asyncio.CancelledError):
        await abandoned
    async with asyncio.timeout(60.0):
        assert len(await prices(batches, [100.0])) == 1
    batches.close()


async def test_slow_prices_come_whole_and_in_order() -> None:
    batches = Batches(threads=1)
    strikes = np.linspace(80.0, 120.0, 600)
    expected = american.price(-1, 100.0, strikes, 0.5, 0.05, 0.0, 0.2, accuracy="high_precision")
    np.testing.assert_array_equal(await prices(batches, strikes.tolist()), expected)
    with pytest.raises(InvalidArgument, match=r"strike\[550\]"):
        await prices(batches, [*strikes[:550].tolist(), -1.0])
    batches.close()
