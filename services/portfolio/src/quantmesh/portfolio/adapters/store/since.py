"""What a view has beside a snapshot: one fragment of SQL, and its parameters."""

from typing import Any
from uuid import UUID

from quantmesh.portfolio.adapters.store.views import bounds, instant
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import Snapshot, all_after

# Each transaction with its postings, looked up by key: OFFSET 0 keeps the planner from flattening this. Right after an
# import its statistics know nothing of the portfolio, and it would compare every transaction with every posting.
WITH_POSTINGS = """
    CROSS JOIN LATERAL (
        SELECT account, commodity, amount
        FROM posting
        WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
        OFFSET 0
    ) AS p"""
# What a snapshot does not hold: recorded since, where something was late, or executed since. Both are fenced as well,
# each for its own index.
SINCE = """(
        SELECT late.*
        FROM unnest(CAST(:late_after AS bigint[]), CAST(:late_until AS bigint[])) AS stretch (after, until)
        CROSS JOIN LATERAL (
            SELECT * FROM transaction
            WHERE portfolio_id = :portfolio_id AND seq > stretch.after AND seq <= stretch.until
            OFFSET 0
        ) AS late
        WHERE executed_at <= CAST(:folded_until AS timestamptz)
        UNION ALL
        SELECT * FROM (
            SELECT * FROM transaction
            WHERE portfolio_id = :portfolio_id AND executed_at > CAST(:folded_until AS timestamptz)
              AND executed_at <= CAST(:as_of AS timestamptz)
            OFFSET 0
        ) AS executed_since
    ) AS t"""
POSTED_SINCE = f"{SINCE} {WITH_POSTINGS}"


def bounds_since(portfolio_id: UUID, view: View, since: Snapshot | None) -> dict[str, Any]:
    """Without a snapshot everything has been recorded since number 0, and nothing executed since."""
    late_after, late_until = zip(*(all_after(0) if since is None else since.late), strict=True)
    return bounds(portfolio_id, view) | {
        "late_after": list(late_after),
        "late_until": list(late_until),
        "folded_until": instant(None if since is None else since.executed_until),
    }
