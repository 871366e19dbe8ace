"""How writers wake whoever carries on their work in this process."""

import asyncio

_APART_SECONDS = 0.05


class Wakening(asyncio.Event):
    """An event that can be set "soon" as well: at once after a quiet moment, else so that all in 50 ms are one.

    A turn of the relay costs about as much for one event as for ten. What somebody waits for wakes it whenever it comes
    (`set`), what nobody waits for at most twenty times a second.
    """

    def __init__(self, apart_seconds: float = _APART_SECONDS) -> None:
        super().__init__()
        self._apart_seconds = apart_seconds
        self._not_before = 0.0
        self._planned = False

    def set_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._planned:
            return
        if loop.time() >= self._not_before:
            self._wake(loop)
        else:
            self._planned = True
            loop.call_at(self._not_before, self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        self._planned = False
        self._not_before = loop.time() + self._apart_seconds
        self.set()
