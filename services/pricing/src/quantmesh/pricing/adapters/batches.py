"""One batch call: frames in, answers out, in order, with the arithmetic in threads."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from quantmesh.pricing.adapters import metrics
from quantmesh.pricing.adapters.arrow_columns import (
    BATCH_ROWS,
    IMPLIED_SCHEMA,
    ColumnReader,
    implied_batch,
    price_batch,
    price_schema,
    reasons_of,
    slices,
)
from quantmesh.pricing.adapters.arrow_frames import END_OF_STREAM, Framer, Kind
from quantmesh.pricing.core.errors import InvalidArgument, InvalidColumns
from quantmesh.pricing.core.imply_volatility import inverse_of
from quantmesh.pricing.core.model import GreekOrders, OptionColumns
from quantmesh.pricing.core.models import PricingModel
from quantmesh.pricing.core.price_columns import imply_columns, price_columns
from quantmesh.quant.errors import DomainError

# Of models that take milliseconds a row: whether anybody still waits is asked every second or two.
_SLOW_ROWS = 256
# One batch is priced while the next one arrives.
_IN_FLIGHT = 2
_MOST_ROWS = 4_000_000
# What is held of an answer: 8 bytes each.
_MOST_NUMBERS = 24_000_000
# Small enough that a hop passes one on while the next arrives.
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Call:
    """How the options of one call are answered, `rows_at_once`; `ended` is set once nobody waits for it any more."""

    answer: Callable[[OptionColumns], pa.RecordBatch]
    rows_at_once: int
    ended: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, answer: Callable[[OptionColumns], pa.RecordBatch], *, is_slow: bool) -> "_Call":
        return cls(answer, _SLOW_ROWS if is_slow else BATCH_ROWS)


class Batches:
    """Shared by all calls; `threads` bounds how many batches are priced at a time."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batch")

    def price(self, pieces: AsyncIterator[bytes], model: PricingModel, orders: GreekOrders) -> AsyncIterator[bytes]:
        """Raises UnsupportedGreeks."""
        schema = price_schema(model.outputs(orders))
        call = _Call.of(
            lambda columns: price_batch(schema, price_columns(model, columns, orders)), is_slow=model.is_slow
        )
        return self._run(pieces, model.arguments, schema, call)

    def imply(self, pieces: AsyncIterator[bytes], model: PricingModel) -> AsyncIterator[bytes]:
        """Raises NoInverse."""
        inverse = inverse_of(model)
        reasons = reasons_of(inverse)
        call = _Call.of(
            lambda columns: implied_batch(imply_columns(inverse, columns), reasons), is_slow=inverse.is_slow
        )
        return self._run(pieces, (*model.contract, "price"), IMPLIED_SCHEMA, call)

    def close(self) -> None:
        self._pool.shutdown()

    async def _run(
        self, pieces: AsyncIterator[bytes], arguments: Sequence[str], schema: pa.Schema, call: _Call
    ) -> AsyncIterator[bytes]:
        """The answer's messages, all of them after the last piece.

        A bad row anywhere thus refuses the whole call, and a client that reads only once it has sent everything, as
        HTTP clients do, cannot come to a standstill with an answer that waits to be read.
        """
        most_rows = min(_MOST_ROWS, _MOST_NUMBERS // len(schema))
        held = [schema.serialize().to_pybytes()]
        rows = 0
        try:
            async for batch_rows, messages in self._answers(pieces, arguments, call):
                rows += batch_rows
                if rows > most_rows:
                    raise InvalidColumns("arrow", f"more than {most_rows:,} rows; send them in several calls")
                held += messages
        finally:
            call.ended.set()
        metrics.BATCH_ROWS.inc(rows)
        for message in held:
            for start in range(0, len(message), _PIECE_BYTES):
                yield message[start : start + _PIECE_BYTES]
        yield END_OF_STREAM

    async def _answers(
        self, pieces: AsyncIterator[bytes], arguments: Sequence[str], call: _Call
    ) -> AsyncIterator[tuple[int, list[bytes]]]:
        """Rows and messages per record batch, in order."""
        loop = asyncio.get_running_loop()
        framer = Framer()
        # The messages that each batch is read behind: the schema, then dictionaries as they come.
        before: list[memoryview] = []
        reader: ColumnReader | None = None
        pending: deque[asyncio.Future[tuple[int, list[bytes]]]] = deque()
        rows = 0
        async for piece in pieces:
            for kind, parts in framer.feed(piece):
                if kind != Kind.RECORDS:
                    before.extend(parts)
                    continue
                if reader is None:
                    reader = ColumnReader(_read_schema(before), arguments)
                pending.append(loop.run_in_executor(self._pool, _answer, reader, [*before, *parts], call))
                if len(pending) >= _IN_FLIGHT:
                    answered = await _placed(pending.popleft(), rows)
                    rows += answered[0]
                    yield answered
        if framer.broken_off or not before:
            raise InvalidColumns("arrow", "the stream ends before its end marker" if before else "no schema was sent")
        if reader is None:
            ColumnReader(_read_schema(before), arguments)
        while pending:
            answered = await _placed(pending.popleft(), rows)
            rows += answered[0]
            yield answered


async def _placed(answered: asyncio.Future[tuple[int, list[bytes]]], rows_before: int) -> tuple[int, list[bytes]]:
    """The answer; a bad row is counted from the start of the stream."""
    try:
        return await answered
    except DomainError as error:
        raise InvalidArgument.of_column(error, rows_before) from error


def _read_schema(messages: list[memoryview]) -> pa.Schema:
    try:
        return pa.ipc.read_schema(pa.py_buffer(b"".join(messages)))
    except (pa.ArrowException, OSError) as error:
        raise InvalidColumns("arrow", f"the schema cannot be read: {error}") from error


def _answer(reader: ColumnReader, messages: list[memoryview], call: _Call) -> tuple[int, list[bytes]]:
    """Rows, and the messages of the answer; in a thread, which ends with its rows at hand once the call has."""
    try:
        with pa.ipc.open_stream(b"".join(messages)) as stream:
            batch = stream.read_next_batch()
        batch.validate()
    except (pa.ArrowException, StopIteration, OSError) as error:
        raise InvalidColumns("arrow", f"a record batch cannot be read: {error}") from error
    answers: list[bytes] = []
    rows = 0
    for part in slices(batch):
        answered = []
        for piece in slices(part, call.rows_at_once):
            if call.ended.is_set():
                return rows, answers
            try:
                answered.append(call.answer(reader.read(piece)))
            except DomainError as error:
                raise _moved(error, rows) from error
            rows += piece.num_rows
        # Concatenating copies, also a single one.
        whole = answered[0] if len(answered) == 1 else pa.concat_batches(answered)
        answers.append(whole.serialize().to_pybytes())
    return rows, answers


def _moved(error: DomainError, rows: int) -> DomainError:
    index = None if error.index is None else error.index + rows
    return DomainError(error.argument, error.value, error.requirement, index)
