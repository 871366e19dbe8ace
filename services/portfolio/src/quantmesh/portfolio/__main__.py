"""Serve, migrate, do long work, or verify ledgers: `python -m quantmesh.portfolio [migrate | worker | verify]`."""

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from uuid import UUID

from pydantic import Field

from quantmesh.api.auth.v1 import compliance_pb2
from quantmesh.api.common.v1.job_pb2_grpc import add_JobServiceServicer_to_server
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1.account_pb2_grpc import add_AccountServiceServicer_to_server
from quantmesh.api.portfolio.v1.halts_pb2_grpc import add_HaltServiceServicer_to_server
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import add_PortfolioServiceServicer_to_server
from quantmesh.api.portfolio.v1.rebalance_pb2_grpc import add_RebalanceServiceServicer_to_server
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.jobs import MOST_OPEN, JobRpc, JobWorker
from quantmesh.chassis.service import Service, serve
from quantmesh.portfolio.adapters import quotes
from quantmesh.portfolio.adapters.accounts import Accounts
from quantmesh.portfolio.adapters.early_copies import EarlyCopies
from quantmesh.portfolio.adapters.import_job import ImportJob, ReversalJob
from quantmesh.portfolio.adapters.kyc import barring, kyc_decisions, remember_told
from quantmesh.portfolio.adapters.live_quotes import LiveQuotes
from quantmesh.portfolio.adapters.option_expiry import OptionExpiry
from quantmesh.portfolio.adapters.peers import MarketPeer
from quantmesh.portfolio.adapters.pre_trade import PreTradePeers, PreTradeRules
from quantmesh.portfolio.adapters.risk_alerts import RiskAlerts
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.rpc.accounts import AccountRpc
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.adapters.rpc.rebalance import RebalanceRpc
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store.imports import IMPORT_JOB, JOB_SCOPES, REVERSAL_JOB
from quantmesh.portfolio.adapters.venue.breakers import Breakers
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.adapters.venue.runner import VenueRunner
from quantmesh.portfolio.adapters.venue.settings import VenueSettings
from quantmesh.portfolio.adapters.verifier import Verifier
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.execution import ExecutionCosts

# Of one statement of a verification, which sums a whole journal.
_VERIFICATION_SECONDS = 600.0


class PortfolioSettings(VenueSettings):
    """The costs of the paper venue, the least fee in the instrument's currency; how often ledgers are verified; who may
    trade, and how long that may take to find out; how many jobs of one owner may be open."""

    portfolio_fee_basis_points: Decimal = Field(default=Decimal(1), ge=0, le=1000)
    portfolio_minimum_fee: Decimal = Field(default=Decimal(0), ge=0, le=1000)
    portfolio_slippage_basis_points: Decimal = Field(default=Decimal(1), ge=0, le=1000)
    portfolio_kyc_required: bool = False
    portfolio_pre_trade_seconds: float = Field(default=0.3, gt=0.0, le=10.0)
    portfolio_jobs_per_owner: int = Field(default=MOST_OPEN, ge=1, le=1000)
    portfolio_verify_hours: float = Field(default=24.0, gt=0.0, le=24.0 * 31)


async def wire(service: Service[PortfolioSettings]) -> None:
    settings = service.settings
    feed = LiveQuotes(service.clock)
    await service.bus.subscribe(quotes.SUBJECT, feed.handle)
    market = _market(service, feed)
    costs = ExecutionCosts(
        fee_basis_points=settings.portfolio_fee_basis_points,
        minimum_fee=settings.portfolio_minimum_fee,
        slippage_basis_points=settings.portfolio_slippage_basis_points,
    )
    accounts = Accounts(service.database, market)
    pre_trade = _pre_trade(service, accounts)
    early_copies = EarlyCopies(service.bus.publish)
    most_jobs = settings.portfolio_jobs_per_owner
    rpc = PortfolioRpc(service.database, market, service.clock, costs, pre_trade, early_copies, most_jobs)
    service.add_servicer(add_PortfolioServiceServicer_to_server, rpc)
    service.add_servicer(add_HaltServiceServicer_to_server, HaltRpc(service.database, market, service.clock))
    service.add_servicer(add_AccountServiceServicer_to_server, AccountRpc(accounts))
    rebalance = RebalanceRpc(service.database, market, service.clock, costs, pre_trade)
    service.add_servicer(add_RebalanceServiceServicer_to_server, rebalance)
    service.add_servicer(add_JobServiceServicer_to_server, JobRpc(service.database, JOB_SCOPES))
    breakers = Breakers(service.database, market, service.clock, settings.band, settings.index)
    barred = barring(approval_is_required=settings.portfolio_kyc_required)
    desk = OrderDesk(service.database, market, service.clock, costs, early_copies, barred)
    service.add_work("venue", VenueRunner(service.bus, desk, breakers).run)
    service.publish_events()
    for consumer in RiskAlerts(service.clock).consumers():
        service.add_consumer(consumer)
    service.add_consumer(kyc_decisions())
    if settings.serves_jobs:
        _work(service, market)


async def wire_worker(service: Service[PortfolioSettings]) -> None:
    _work(service, _market(service))


def _market(service: Service[PortfolioSettings], feed: LiveQuotes | None = None) -> MarketPeer:
    return MarketPeer(service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"]), feed)


def _pre_trade(service: Service[PortfolioSettings], accounts: Accounts) -> PreTradePeers:
    settings = service.settings
    auth = service.peer("auth", compliance_pb2.DESCRIPTOR.services_by_name["ComplianceService"])
    rules = PreTradeRules(settings.portfolio_kyc_required, settings.portfolio_pre_trade_seconds)
    return PreTradePeers(auth, service.peer("risk"), accounts, rules, partial(remember_told, service.database))


def _work(service: Service[PortfolioSettings], market: MarketPeer) -> None:
    imports = ImportJob(service.database, market, service.clock)
    reversals = ReversalJob(service.database, service.clock)
    service.add_work("jobs", JobWorker(service.database, {IMPORT_JOB: imports.run, REVERSAL_JOB: reversals.run}).run)
    service.add_work("snapshots", SnapshotMaker(service.database).run)
    service.add_work("option expiry", OptionExpiry(service.database, market, service.clock).run)
    every_seconds = 3600.0 * service.settings.portfolio_verify_hours
    service.add_work("verification", lambda: Verifier(service.database).run(every_seconds))


async def verify(settings: PortfolioSettings, arguments: Sequence[str]) -> int:
    """Rebuild every ledger, or one, and compare; 1 where one differs from what its journal says."""
    parser = argparse.ArgumentParser(prog="quantmesh ledger verify")
    parser.add_argument("--portfolio", type=UUID, metavar="ID", help="this one alone")
    portfolio_id = parser.parse_args(arguments).portfolio
    if settings.database_url is None:
        sys.exit("portfolio needs QUANTMESH_DATABASE_URL, which is not set.")
    url = settings.database_url.get_secret_value()
    database = Database(url, "portfolio", statement_timeout_seconds=_VERIFICATION_SECONDS)
    breaks = 0
    try:
        async for broken in Verifier(database).verify(portfolio_id, lambda line: print(line, file=sys.stderr)):
            breaks += 1
            sys.stdout.write(f"{broken}\n")
    except (PortfolioNotFound, Unavailable) as error:
        sys.exit(error.detail)
    finally:
        await database.close()
    sys.stdout.write("" if breaks else "Every ledger is what its journal says.\n")
    return 1 if breaks else 0


if __name__ == "__main__":
    serve("portfolio", PortfolioSettings, wire, wire_worker=wire_worker, commands={"verify": verify})
