"""Portfolios, their lock, and their log."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, Row, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.errors import PortfolioNotFound, VersionMismatch
from quantmesh.portfolio.core.ledger_errors import MarginInUse, PortfolioNotEmpty
from quantmesh.portfolio.core.model import LotMethod, Portfolio
from quantmesh.portfolio.core.times import next_recording

COLUMNS = "id, name, base_currency, lot_method, created_at, version, seq, margin_enabled, recorded_at"
_CREATE = text(
    f"""
    INSERT INTO portfolio (id, owner_id, name, base_currency, lot_method, margin_enabled, created_at, recorded_at)
    VALUES (:id, :owner_id, :name, :base_currency, :lot_method, :margin_enabled, :created_at, :created_at)
    RETURNING {COLUMNS}
    """  # noqa: S608  our own column names
)
_FIND = text(f"SELECT {COLUMNS} FROM portfolio WHERE id = :id AND deleted_at IS NULL")  # noqa: S608  our own names
_LIST = text(
    f"""
    SELECT {COLUMNS} FROM portfolio
    WHERE deleted_at IS NULL AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id
    LIMIT :limit
    """  # noqa: S608  our own column names
)
# The lock under which everything else about the account is decided; greatest() keeps recording times in order of seq.
_ADVANCE = text(
    f"""
    UPDATE portfolio SET seq = seq + :events, recorded_at = greatest(recorded_at + interval '1 microsecond', :now)
    WHERE id = :id AND deleted_at IS NULL
    RETURNING {COLUMNS}
    """  # noqa: S608  our own column names
)
_LOCK = text(
    f"""
    SELECT {COLUMNS} FROM portfolio
    WHERE id = :id AND deleted_at IS NULL
    FOR NO KEY UPDATE
    """  # noqa: S608  our own column names
)
_TAKE_NUMBERS = text("UPDATE portfolio SET seq = :seq, recorded_at = :recorded_at WHERE id = :id")
_CHANGE = text(
    f"""
    UPDATE portfolio
    SET name = coalesce(CAST(:name AS text), name),
        margin_enabled = coalesce(CAST(:margin_enabled AS boolean), margin_enabled),
        deleted_at = CAST(:deleted_at AS timestamptz),
        version = version + 1
    WHERE id = :id AND deleted_at IS NULL AND (CAST(:expected AS bigint) IS NULL OR version = :expected)
    RETURNING {COLUMNS}
    """  # noqa: S608  our own column names
)
# What open orders reserve counts as owed where it is more than there is.
_DEBT = text(
    "SELECT commodity, amount - reserved AS amount FROM holding WHERE portfolio_id = :id AND amount < reserved LIMIT 1"
)
_OWES = text("SELECT EXISTS (SELECT FROM holding WHERE portfolio_id = :id AND amount < 0)")
_BALANCES = text(
    """
    SELECT account, commodity, amount FROM holding
    WHERE portfolio_id = :id AND amount <> 0
    ORDER BY account, commodity COLLATE "C"
    """
)
_OPEN_ORDERS = text(
    "SELECT count(*) FROM placed_order WHERE portfolio_id = :id AND status IN ('accepted', 'partially_filled')"
)
_EVENTS = text(
    """
    SELECT portfolio_id, seq, type, occurred_at, recorded_at, data FROM account_event
    WHERE portfolio_id = :id AND seq > :after AND seq <= :last
    ORDER BY seq
    LIMIT :limit
    """
)


def lock_question(portfolio_id: UUID) -> Asked:
    return _LOCK, {"id": portfolio_id}


class PortfolioStore(Owned):
    async def create(self, portfolio: Portfolio) -> Portfolio:
        created = await self._session.execute(
            _CREATE,
            {
                "id": portfolio.id,
                "owner_id": self._owner_id,
                "name": portfolio.name,
                "base_currency": portfolio.base_currency,
                "lot_method": portfolio.lot_method.value,
                "margin_enabled": portfolio.margin_enabled,
                "created_at": portfolio.created_at,
            },
        )
        return portfolio_of(created.one())

    async def portfolio(self, portfolio_id: UUID) -> Portfolio:
        return (await self.recorded(portfolio_id))[0]

    async def recorded(self, portfolio_id: UUID) -> tuple[Portfolio, datetime]:
        found = (await self._session.execute(_FIND, {"id": portfolio_id})).one_or_none()
        if found is None:
            raise PortfolioNotFound(portfolio_id)
        return portfolio_of(found), found.recorded_at

    async def portfolios(self, after: UUID | None, limit: int) -> list[Portfolio]:
        found = await self._session.execute(_LIST, {"after": after, "limit": limit})
        return [portfolio_of(row) for row in found]

    async def advance(self, portfolio_id: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        found = await self._session.execute(_ADVANCE, {"id": portfolio_id, "events": events, "now": now})
        row = found.one_or_none()
        if row is None:
            raise PortfolioNotFound(portfolio_id)
        return portfolio_of(row), row.recorded_at

    async def lock(self, portfolio_id: UUID, now: datetime) -> tuple[Portfolio, datetime]:
        portfolio, recorded_at = await self.locked(portfolio_id)
        return portfolio, next_recording(recorded_at, now)

    async def locked(self, portfolio_id: UUID) -> tuple[Portfolio, datetime]:
        """With the time of its last recording."""
        row = (await self._session.execute(*lock_question(portfolio_id))).one_or_none()
        if row is None:
            raise PortfolioNotFound(portfolio_id)
        return portfolio_of(row), row.recorded_at

    async def take_numbers(self, portfolio: Portfolio, events: int, recorded_at: datetime) -> None:
        taken = {"id": portfolio.id, "seq": portfolio.seq + events, "recorded_at": recorded_at}
        await self._session.send(_TAKE_NUMBERS, taken)

    async def update(
        self, portfolio_id: UUID, expected_version: int | None, *, name: str | None, margin_enabled: bool | None
    ) -> Portfolio:
        """What is None stays. Raises MarginInUse."""
        changed = await self._change(portfolio_id, expected_version, name=name, margin_enabled=margin_enabled)
        if margin_enabled is False:
            # The change above holds the lock under which everything is recorded.
            debt = (await self._session.execute(_DEBT, {"id": portfolio_id})).one_or_none()
            if debt is not None:
                raise MarginInUse(debt.commodity, debt.amount)
        return changed

    async def delete(self, portfolio_id: UUID, now: datetime, expected_version: int | None) -> None:
        """The portfolio is not found any more; its ledger rows stay. Raises PortfolioNotEmpty."""
        await self._change(portfolio_id, expected_version, deleted_at=now)
        # The change above holds the lock under which everything is recorded and every order is taken.
        held = {commodity: amount for (_, commodity), amount in (await self.balances(portfolio_id)).items()}
        open_orders = await self._session.scalar(_OPEN_ORDERS, {"id": portfolio_id})
        if held or open_orders:
            raise PortfolioNotEmpty(held, open_orders)

    async def owes(self, portfolio_id: UUID) -> bool:
        return bool(await self._session.scalar(_OWES, {"id": portfolio_id}))

    async def balances(self, portfolio_id: UUID) -> dict[Holding, Decimal]:
        """What the asset accounts hold now."""
        found = await self._session.execute(_BALANCES, {"id": portfolio_id})
        return {(row.account, row.commodity): row.amount for row in found}

    async def account_events(self, portfolio: Portfolio, after: int, limit: int) -> list[AccountEvent]:
        """Up to the number at which `portfolio` was read, so that both tell of the same state."""
        found = await self._session.execute(
            _EVENTS, {"id": portfolio.id, "after": after, "last": portfolio.seq, "limit": limit}
        )
        return [
            AccountEvent(row.portfolio_id, row.seq, row.type, row.occurred_at, row.recorded_at, row.data)
            for row in found
        ]

    async def _change(
        self,
        portfolio_id: UUID,
        expected_version: int | None,
        *,
        name: str | None = None,
        margin_enabled: bool | None = None,
        deleted_at: datetime | None = None,
    ) -> Portfolio:
        values = {"name": name, "margin_enabled": margin_enabled, "deleted_at": deleted_at}
        changed = await self._session.execute(_CHANGE, {"id": portfolio_id, "expected": expected_version, **values})
        row = changed.one_or_none()
        if row is not None:
            return portfolio_of(row)
        actual = await self.portfolio(portfolio_id)
        raise VersionMismatch(expected_version or 0, actual.version)


def portfolio_of(row: Row) -> Portfolio:
    return Portfolio(
        id=row.id,
        name=row.name,
        base_currency=row.base_currency,
        lot_method=LotMethod(row.lot_method),
        created_at=row.created_at,
        version=row.version,
        seq=row.seq,
        margin_enabled=row.margin_enabled,
    )
