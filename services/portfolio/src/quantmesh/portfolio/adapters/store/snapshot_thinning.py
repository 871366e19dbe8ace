"""Snapshots that nobody begins from any more go, and so does what lies beside them alone; across tenants."""

from datetime import timedelta
from uuid import UUID

from quantmesh.chassis.sql import Session, text
from quantmesh.portfolio.core.snapshots import worth_keeping

# What a read that began with a snapshot still needs of it stays for longer than any read lasts.
_DROPPED_STAYS = timedelta(minutes=10)
# Those that follow from nothing, and what followed from them.
_OUTDATED = text(
    """
    SELECT number FROM ledger_snapshot
    WHERE portfolio_id = :portfolio_id AND fold = :fold AND dropped_at IS NULL AND number < (
        SELECT max(number) FROM ledger_snapshot WHERE portfolio_id = :portfolio_id AND fold = :fold AND after_seq = 0
    )
    ORDER BY number
    """
)
_DROP = text(
    """
    UPDATE ledger_snapshot SET dropped_at = now()
    WHERE portfolio_id = :portfolio_id AND dropped_at IS NULL AND (fold <> :fold OR number = ANY(:outdated))
    """
)
_FORGET = text(
    """
    DELETE FROM ledger_snapshot
    WHERE portfolio_id = :portfolio_id AND dropped_at < now() - CAST(:stays AS interval)
    RETURNING number
    """
)
_FORGET_ROWS = tuple(
    text(
        f"""
        DELETE FROM {table} AS p
        WHERE portfolio_id = :portfolio_id AND until_number < 9223372036854775807 AND NOT EXISTS (
            SELECT FROM ledger_snapshot AS s
            WHERE s.portfolio_id = p.portfolio_id AND s.number >= p.from_number AND s.number < p.until_number
        )
        """  # noqa: S608  the tables are our own
    )
    for table in ("snapshot_position", "held_quarter", "daily_flow")
)


async def thin(session: Session, portfolio_id: UUID, fold: str) -> None:
    """What other rules made, and most of what was made anew, is dropped; nobody begins from it, and it goes."""
    keys = {"portfolio_id": portfolio_id, "fold": fold}
    outdated = await session.scalars(_OUTDATED, keys)
    dropped = sorted(set(outdated) - worth_keeping(outdated))
    await session.execute(_DROP, keys | {"outdated": dropped})
    if await session.scalars(_FORGET, keys | {"stays": _DROPPED_STAYS}):
        for statement in _FORGET_ROWS:
            await session.execute(statement, keys)
