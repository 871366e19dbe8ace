"""A view's bounds as parameters; no bound is later than everything, so that each is a plain range of an index."""

from datetime import datetime
from typing import Any
from uuid import UUID

from quantmesh.portfolio.core.ports import View

# What rows `t` of transactions a view shows.
SEEN = """
    t.portfolio_id = :portfolio_id AND t.seq <= :seq
    AND t.executed_at <= CAST(:as_of AS timestamptz) AND t.recorded_at <= CAST(:known_at AS timestamptz)
"""
_LAST_SEQ = 2**63 - 1


def bounds(portfolio_id: UUID, view: View) -> dict[str, Any]:
    return {
        "portfolio_id": portfolio_id,
        "as_of": instant(view.as_of),
        "known_at": instant(view.known_at),
        "seq": _LAST_SEQ if view.seq is None else view.seq,
    }


def instant(moment: datetime | None) -> str:
    return "infinity" if moment is None else moment.isoformat()
