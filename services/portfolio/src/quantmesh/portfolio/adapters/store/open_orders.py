"""The open orders of all owners, as the venue's book needs them; read as the system role."""

from collections.abc import Collection
from uuid import UUID

from quantmesh.chassis.sql import Row, Session, text
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.venue.model import RestingOrder

_IS_OPEN = """
    FROM placed_order AS o
    JOIN portfolio ON portfolio.id = o.portfolio_id AND portfolio.deleted_at IS NULL
    WHERE o.status IN ('accepted', 'partially_filled')
"""
_SELECT = f"""
    SELECT o.id, o.portfolio_id, o.owner_id, o.symbol, o.side, o.quantity - o.filled_quantity AS open_quantity,
           o.limit_price, CASE WHEN o.triggered_at IS NULL THEN o.stop_price END AS stop_price,
           o.priority_at, o.expires_at, o.version
    {_IS_OPEN}
"""
_ALL = text(_SELECT)
_SOME = text(f"{_SELECT} AND o.id = ANY(:ids)")
# Of owners whom auth lets trade no more: of all, and of those of whom it said so lately, which takes no look at others.
_BARRED, _BARRED_LATELY = (
    text(
        f"""
        {_SELECT} AND o.owner_id IN (SELECT owner_id FROM owner_kyc WHERE status = ANY(:statuses) {lately})
        """  # noqa: S608  our own statement
    )
    for lately in ("", "AND heard_at > now() - interval '1 minute'")
)
_VERSIONS = text(f"SELECT o.id, o.version {_IS_OPEN}")


async def open_orders(session: Session, ids: Collection[UUID] | None = None) -> list[RestingOrder]:
    """All of them, or those of `ids` that are open still."""
    found = await session.execute(_ALL) if ids is None else await session.execute(_SOME, {"ids": list(ids)})
    return [_resting(row) for row in found]


async def barred_orders(session: Session, statuses: Collection[str], *, lately: bool) -> list[RestingOrder]:
    """The open ones of owners whose KYC has one of `statuses`, or has had it for less than a minute."""
    found = await session.execute(_BARRED_LATELY if lately else _BARRED, {"statuses": list(statuses)})
    return [_resting(row) for row in found]


async def open_versions(session: Session) -> dict[UUID, int]:
    return {row.id: row.version for row in await session.execute(_VERSIONS)}


def _resting(row: Row) -> RestingOrder:
    return RestingOrder(
        id=row.id,
        portfolio_id=row.portfolio_id,
        owner_id=row.owner_id,
        symbol=row.symbol,
        side=OrderSide(row.side),
        open_quantity=row.open_quantity,
        limit_price=row.limit_price,
        stop_price=row.stop_price,
        priority_at=row.priority_at,
        expires_at=row.expires_at,
        version=row.version,
    )
