"""What an imported row is known by, so that the same file twice records nothing twice."""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import blake2b

from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.times import to_microseconds

FINGERPRINT_BYTES = 16


def row_fingerprints(rows: Iterable[tuple[TransactionInput, str]]) -> Iterator[bytes]:
    """One per input and its currency: a hash of what the row says, however it was written, and of its occurrence.

    Two rows of a file that say the same are two transactions: the second is the second occurrence, here and whenever
    the file, or a longer one that begins with it, comes again.
    """
    occurrences: Counter[str] = Counter()
    for asked, currency in rows:
        said = _said(asked, currency)
        occurrences[said] += 1
        yield blake2b(f"{occurrences[said]}\0{said}".encode(), digest_size=FINGERPRINT_BYTES).digest()


def _said(asked: TransactionInput, currency: str) -> str:
    # What only some rows say stands at the end, so that all others are known by what they always were.
    side = () if asked.side is None else (asked.side.value,)
    return "\0".join(
        (
            asked.type.value,
            to_microseconds(asked.executed_at),
            asked.symbol,
            currency,
            # No fee and a fee of nothing are the same.
            *map(_plain, (asked.quantity, asked.price, asked.amount, asked.fee or None, asked.split_ratio)),
            asked.note,
            *side,
        )
    )


def _plain(number: Decimal | None) -> str:
    return "" if number is None else plain(number)
