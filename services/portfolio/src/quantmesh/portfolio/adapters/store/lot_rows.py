"""An instrument's lots as text in a row of a snapshot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import chain, starmap
from typing import Any
from uuid import UUID

import orjson

from quantmesh.portfolio.core.lots import FoldedLots, Lot
from quantmesh.portfolio.core.snapshots import LotsBetween


def folded_text(folded: FoldedLots) -> str:
    cells = [
        str(folded.realized),
        folded.moved_at.isoformat(),
        [_written(lot) for lot in folded.lots],
        str(folded.paid),
    ]
    return orjson.dumps(cells).decode()


def between_text(folded: FoldedLots, between: Sequence[Lot]) -> str | None:
    """Empty where all lots are in `folded`; None where those between were laid apart before, and are as they were."""
    if between:
        return orjson.dumps([_written(lot) for lot in between]).decode()
    return None if any(isinstance(lot, LotsBetween) for lot in folded.lots) else ""


def read_folded(symbol: str, currency: str, folded: str, between: str) -> FoldedLots:
    """With the lots between the ends, where their text is there, in the place of their sum."""
    realized, moved_at, written, paid = orjson.loads(folded)
    lots = tuple(starmap(_read, written))
    found = FoldedLots(symbol, currency, lots, Decimal(realized), datetime.fromisoformat(moved_at), Decimal(paid))
    if not between:
        return found
    apart = [*starmap(_read, orjson.loads(between))]
    return replace(found, lots=tuple(chain(*(apart if isinstance(lot, LotsBetween) else (lot,) for lot in lots))))


def _written(lot: Lot) -> list[Any]:
    cells = [str(lot.quantity), str(lot.cost), lot.opened_at, lot.transaction_id]
    return [*cells, True] if isinstance(lot, LotsBetween) else cells


def _read(quantity: str, cost: str, opened_at: str, opener: str | None, many: bool = False) -> Lot:
    kind = LotsBetween if many else Lot
    return kind(
        Decimal(quantity), Decimal(cost), datetime.fromisoformat(opened_at), None if opener is None else UUID(opener)
    )
