"""An Arrow IPC stream that arrives in pieces, cut into the messages that it is made of.

Layout: "Encapsulated message format" of Arrow's columnar format: a continuation marker, the length of the metadata, the
metadata (a flatbuffer of Message.fbs) and the body, whose length is in the metadata.
"""

import struct
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from quantmesh.pricing.core.errors import InvalidColumns

_MARKER = b"\xff\xff\xff\xff"
_PREFIX = 8
END_OF_STREAM = _MARKER + b"\0\0\0\0"
# A batch of 65,536 rows has 4 MB; what is larger by far is no batch of options.
_LARGEST_METADATA = 1 << 20
_LARGEST_BODY = 1 << 27
# Positions of the fields in the table Message: version, header_type, header, bodyLength.
_HEADER_TYPE = 1
_BODY_LENGTH = 3


class Kind(IntEnum):
    """Message.fbs, union MessageHeader; and the end of the stream, which has none."""

    END = -1
    SCHEMA = 1
    DICTIONARY = 2
    RECORDS = 3


class Frame(NamedTuple):
    """A whole message, still in the pieces that it came in."""

    kind: int
    parts: list[memoryview]


class Framer:
    """Feed pieces, get whole messages; nothing is copied. `ended` once the end marker has been seen."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._size = 0
        self._next: tuple[int, int] | None = None
        self.ended = False

    @property
    def broken_off(self) -> bool:
        """Whether what came so far ends in the middle of a message."""
        return self._size > 0 and not self.ended

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The messages that `piece` completes. Raises InvalidColumns for what is no Arrow IPC stream."""
        self._pieces.append(memoryview(piece))
        self._size += len(piece)
        while not self.ended:
            if self._next is None:
                self._next = self._read_prefix()
            if self._next is None or self._size < self._next[1]:
                return
            kind, size = self._next
            self._next = None
            if kind == Kind.END:
                self.ended = True
            else:
                yield Frame(kind, self._take(size))

    def _read_prefix(self) -> tuple[int, int] | None:
        """Kind and length of the next message, or None while too little of it is there."""
        if self._size < _PREFIX:
            return None
        prefix = self._peek(_PREFIX)
        if prefix[:4] != _MARKER:
            raise InvalidColumns("arrow", "not an Arrow IPC stream, whose messages begin with ff ff ff ff")
        metadata_length: int = struct.unpack_from("<i", prefix, 4)[0]
        if metadata_length == 0:
            return Kind.END, _PREFIX
        if not 0 < metadata_length <= _LARGEST_METADATA:
            raise InvalidColumns("arrow", f"a message's metadata has {metadata_length} bytes")
        head = _PREFIX + metadata_length
        if self._size < head:
            return None
        kind, body_length = _read_metadata(self._peek(head)[_PREFIX:])
        if not 0 <= body_length <= _LARGEST_BODY:
            raise InvalidColumns("arrow", f"a message's body has {body_length} bytes; put 65,536 rows in a batch")
        return kind, head + body_length

    def _peek(self, size: int) -> bytes:
        head = bytearray()
        for piece in self._pieces:
            head += piece[: size - len(head)]
            if len(head) == size:
                break
        return bytes(head)

    def _take(self, size: int) -> list[memoryview]:
        self._size -= size
        taken: list[memoryview] = []
        while size:
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            taken.append(piece)
            size -= len(piece)
        return taken


def _read_metadata(metadata: bytes) -> tuple[int, int]:
    """The header's kind and the body's length, out of the root table of a flatbuffer."""
    try:
        table: int = struct.unpack_from("<I", metadata, 0)[0]
        offsets: int = table - struct.unpack_from("<i", metadata, table)[0]
        size: int = struct.unpack_from("<H", metadata, offsets)[0]

        def place(field: int) -> int | None:
            position = 4 + 2 * field
            offset: int = struct.unpack_from("<H", metadata, offsets + position)[0] if position < size else 0
            return table + offset if offset else None

        kind, body = place(_HEADER_TYPE), place(_BODY_LENGTH)
        return (
            struct.unpack_from("<B", metadata, kind)[0] if kind is not None else 0,
            struct.unpack_from("<q", metadata, body)[0] if body is not None else 0,
        )
    except struct.error as error:
        raise InvalidColumns("arrow", "a message's metadata cannot be read") from error
