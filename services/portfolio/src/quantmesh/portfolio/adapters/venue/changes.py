"""Which orders the book has to read again, and from when on it may."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from quantmesh.portfolio.core.venue.model import Proposal


class Changes:
    """Orders of which something was heard, each to be read once nobody has it in hand.

    Whoever has an order in hand may still put it into the book as it was before: what is heard meanwhile is looked up
    behind him. Until `begin` that is whoever loads the book, with all orders. After a fault, which ends the term,
    nothing is let go.
    """

    def __init__(self) -> None:
        self._changed: set[UUID] = set()
        self._in_hand: Counter[UUID] = Counter()
        self._all_in_hand = True
        self._news = asyncio.Event()

    def begin(self) -> None:
        self._all_in_hand = False
        self._news.set()

    def add(self, order_ids: Iterable[UUID]) -> None:
        self._changed.update(order_ids)
        self._news.set()

    def discard(self, order_id: UUID) -> None:
        self._changed.discard(order_id)

    def is_in_hand(self, order_id: UUID) -> bool:
        return self._all_in_hand or order_id in self._in_hand

    @property
    def ready(self) -> set[UUID]:
        return set() if self._all_in_hand else self._changed - self._in_hand.keys()

    async def next(self) -> set[UUID]:
        """Those that may be read, in hand from now on until they are `let_go`."""
        while not (ready := self.ready):
            self._news.clear()
            await self._news.wait()
        self._changed -= ready
        self._in_hand.update(ready)
        return ready

    def in_turn(self, proposals: Sequence[Proposal]) -> Iterator[Proposal]:
        """Each one's order is in hand until all that is proposed for it has been dealt with."""
        proposed = [proposal.order.id for proposal in proposals]
        # Who has one in hand already may put it as it is now, and its proposal is of what it was.
        self._changed.update(self._in_hand.keys() & proposed)
        self._in_hand.update(proposed)
        for proposal in proposals:
            yield proposal
            self.let_go([proposal.order.id])

    def let_go(self, order_ids: Iterable[UUID]) -> None:
        for order_id in order_ids:
            self._in_hand[order_id] -= 1
            if not self._in_hand[order_id]:
                del self._in_hand[order_id]
                if order_id in self._changed:
                    self._news.set()
