"""The ledger as tests of snapshots look at it: without any, counted, and folded."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.fold_ledger import fold_ledger, fold_lots_of, fold_open_lots
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import LedgerState, Snapshot

from .fakes import Service, User


class WithoutSnapshots(Store):
    """Folds the whole journal, always."""

    async def snapshot(
        self, portfolio_id: UUID, view: View, fold: str, before: datetime | None = None
    ) -> Snapshot | None:
        return None


class Counting(Store):
    """Knows how many movements were read from the journal."""

    read = 0

    async def movements(
        self, portfolio_id: UUID, view: View, symbols: Collection[str] = (), since: Snapshot | None = None
    ) -> list[SecurityMovement]:
        found = list(await super().movements(portfolio_id, view, symbols, since))
        self.read += len(found)
        return found


async def folded(
    service: Service, user: User, portfolio_id: str, method: LotMethod, view: View, store: type[Store] = Store
) -> LedgerState:
    async with service.database.transaction(user.owner_id) as session:
        return await fold_ledger(store(session, user.owner_id), UUID(portfolio_id), method, view)


async def reads_the_same(service: Service, user: User, portfolio_id: str, method: LotMethod, view: View) -> LedgerState:
    """With snapshots, whose state this gives, and without."""
    quick = await folded(service, user, portfolio_id, method, view)
    slow = await folded(service, user, portfolio_id, method, view, WithoutSnapshots)
    assert (quick.positions, quick.cash) == (slow.positions, slow.cash), view
    async with service.database.transaction(user.owner_id) as session:
        store = Store(session, user.owner_id)
        _, lots = await fold_open_lots(store, UUID(portfolio_id), method, view)
        by_name = {
            symbol: await fold_lots_of(store, UUID(portfolio_id), method, view, symbol) for symbol in slow.folded
        }
    open_lots = {position.symbol: slow.folded[position.symbol].lots for position in slow.positions}
    assert {symbol: each.lots for symbol, each in lots.items()} == open_lots, view
    assert by_name == slow.folded, view
    return quick


async def grow(user: User, portfolio_id: str, count: int) -> None:
    await user.deposit(portfolio_id)
    rows = [
        f"buy,{symbol},1,10,2020-02-{day:02}T15:00:00Z" for day in range(1, count + 1) for symbol in ("AAPL", "MSFT")
    ]
    await user.import_csv(portfolio_id, "type,symbol,quantity,price,executed_at\n" + "\n".join(rows))
