"""What an imported row is known by, so that the same file twice records nothing twice."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.times import to_microseconds

FINGERPRINT_BYTES = 16


class Fingerprint(NamedTuple):
    """Of a row, and of the first row of its file that says the same."""

    own: bytes
    first: bytes


def row_fingerprints(rows: Iterable[tuple[TransactionInput, str]]) -> Iterator[Fingerprint]:
    """One per input and its currency: a hash of what the row says, however it was written, and of its occurrence.

    Two rows of a file that say the same are two transactions: the second is the second occurrence, here and whenever
    the file, or a longer one that begins with it, comes again.
    """
    occurrences: Counter[str] = Counter()
    firsts: dict[str, bytes] = {}
    for asked, currency in rows:
        said = _said(asked, currency)
        occurrences[said] += 1
        own = _fingerprint(said, occurrences[said])
        yield Fingerprint(own, firsts.setdefault(said, own))


def equal_rows(asked: TransactionInput, currency: str) -> Iterator[bytes]:
    """What rows are known by that all say this, the first occurrence first; without end."""
    said = _said(asked, currency)
    return (_fingerprint(said, occurrence) for occurrence in count(1))


class Unused:
    """The fingerprints of rows that are refused: what is recorded of equal rows are the first occurrences.

    Else a file without its refused rows would count one of the others as an earlier occurrence, which nobody knows.
    """

    def __init__(self) -> None:
        self._free: defaultdict[bytes, deque[bytes]] = defaultdict(deque)

    def add(self, refused: Fingerprint) -> None:
        self._free[refused.first].append(refused.own)

    def instead_of(self, accepted: Fingerprint) -> Fingerprint:
        """That of the earliest equal row that was refused, whose place is taken; else its own."""
        free = self._free.get(accepted.first)
        if not free:
            return accepted
        free.append(accepted.own)
        return accepted._replace(own=free.popleft())


def _fingerprint(said: str, occurrence: int) -> bytes:
    return blake2b(f"{occurrence}\0{said}".encode(), digest_size=FINGERPRINT_BYTES).digest()


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
