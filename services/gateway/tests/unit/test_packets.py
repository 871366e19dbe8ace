"""Which writes of an answer leave together."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from quantmesh.gateway.http.packets import GatheredTransport


class FakeTransport:
    """Keeps what was sent, an entry per packet."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.packets.append(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        if self.closed:
            # As uvloop does.
            msg = "the handler is closed"
            raise RuntimeError(msg)
        self.packets.append(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, _: str) -> None: ...


def gathered() -> tuple[GatheredTransport, FakeTransport]:
    below = FakeTransport()
    return GatheredTransport(cast("Any", below), asyncio.get_running_loop()), below


async def test_the_head_and_the_body_of_an_answer_are_one_packet() -> None:
    transport, below = gathered()
    transport.write(b"head ")
    transport.write(b"body")
    assert below.packets == [b"head body"]
    await asyncio.sleep(0)
    assert below.packets == [b"head body"]


async def test_a_write_that_nothing_follows_leaves_at_the_end_of_the_turn() -> None:
    transport, below = gathered()
    transport.write(b"100 Continue")
    assert below.packets == []
    await asyncio.sleep(0)
    assert below.packets == [b"100 Continue"]


async def test_a_long_body_is_not_gathered_up() -> None:
    transport, below = gathered()
    for number in range(5):
        transport.write(b"%d" % number)
    await asyncio.sleep(0)
    assert below.packets == [b"01", b"23", b"4"]


async def test_closing_sends_what_was_written() -> None:
    transport, below = gathered()
    transport.write(b"400 Bad Request")
    transport.close()
    assert (below.packets, below.closed) == ([b"400 Bad Request"], True)


async def test_nothing_is_sent_to_a_client_that_went_away() -> None:
    transport, below = gathered()
    transport.write(b"head")
    below.close()
    await asyncio.sleep(0)
    assert below.packets == []


async def test_who_leaves_between_the_head_and_the_body_is_no_error() -> None:
    transport, below = gathered()
    transport.write(b"head")
    below.close()
    transport.write(b"body")
    assert below.packets == []
