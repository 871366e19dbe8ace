"""All SQL of the service, over one open transaction of one owner."""

from quantmesh.portfolio.adapters.store.accounts import AccountStore
from quantmesh.portfolio.adapters.store.appending import AppendStore
from quantmesh.portfolio.adapters.store.corrections import CorrectionStore
from quantmesh.portfolio.adapters.store.daily import DailyStore
from quantmesh.portfolio.adapters.store.halts import HaltReads
from quantmesh.portfolio.adapters.store.imports import ImportStore
from quantmesh.portfolio.adapters.store.journal import JournalStore
from quantmesh.portfolio.adapters.store.liquidity import LiquidityStore
from quantmesh.portfolio.adapters.store.orders import OrderStore
from quantmesh.portfolio.adapters.store.portfolios import PortfolioStore
from quantmesh.portfolio.adapters.store.snapshots import SnapshotStore
from quantmesh.portfolio.adapters.store.transactions import TransactionStore


class Store(
    PortfolioStore,
    JournalStore,
    SnapshotStore,
    DailyStore,
    AppendStore,
    CorrectionStore,
    ImportStore,
    TransactionStore,
    OrderStore,
    LiquidityStore,
    HaltReads,
    AccountStore,
):
    """Implements the core's Ledger port, and the reads that the entry points page through."""
