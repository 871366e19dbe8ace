"""What was refused, once per row and reason, for a person to look at."""

from collections.abc import Sequence

from quantmesh.chassis.sql import Session, text
from quantmesh.market.core.model import Rejection

_ADD = text(
    "INSERT INTO quarantine (source, symbol, line, field, reason, found)"
    " VALUES (:source, :symbol, :line, :field, :reason, :found) ON CONFLICT DO NOTHING"
)


async def quarantine(session: Session, source: str, rejections: Sequence[Rejection]) -> None:
    if not rejections:
        return
    rows = [
        {
            "source": source,
            # Text that Postgres cannot hold.
            "symbol": rejection.symbol[:64].replace("\0", ""),
            "line": rejection.line,
            "field": rejection.field,
            "reason": rejection.reason,
            "found": rejection.found.replace("\0", ""),
        }
        for rejection in rejections
    ]
    await session.execute_many(_ADD, rows)
