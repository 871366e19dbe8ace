"""What was believed and was not so is asked for a while: to be wrong costs a rollback, and with it all of a
connection's plans."""

from collections import OrderedDict
from collections.abc import Hashable

_ASKED_TIMES = 64
_MOST_KEPT = 10_000


class Doubts:
    """Those that nobody asks about go first."""

    def __init__(self) -> None:
        self._left: OrderedDict[Hashable, int] = OrderedDict()

    def about(self, what: Hashable) -> bool:
        """Whether this one shall ask, too."""
        left = self._left.pop(what, 0)
        if left > 1:
            self._left[what] = left - 1
        return left > 0

    def rise(self, what: Hashable) -> None:
        self._left[what] = _ASKED_TIMES
        self._left.move_to_end(what)
        if len(self._left) > _MOST_KEPT:
            self._left.popitem(last=False)
