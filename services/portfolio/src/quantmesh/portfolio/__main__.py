"""Serve, migrate, or do long imports: `python -m quantmesh.portfolio [migrate | worker]`."""

from decimal import Decimal

from pydantic import Field

from quantmesh.api.common.v1.job_pb2_grpc import add_JobServiceServicer_to_server
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1.account_pb2_grpc import add_AccountServiceServicer_to_server
from quantmesh.api.portfolio.v1.halts_pb2_grpc import add_HaltServiceServicer_to_server
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import add_PortfolioServiceServicer_to_server
from quantmesh.chassis.jobs import JobRpc, JobWorker
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.portfolio.adapters.accounts import Accounts
from quantmesh.portfolio.adapters.import_job import ImportJob
from quantmesh.portfolio.adapters.peers import MarketPeer
from quantmesh.portfolio.adapters.risk_alerts import RiskAlerts
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.rpc.accounts import AccountRpc
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store.imports import IMPORT_JOB
from quantmesh.portfolio.core.orders import ExecutionCosts


class PortfolioSettings(ServiceSettings):
    """The costs of the paper venue; the least fee is in the instrument's currency."""

    portfolio_fee_basis_points: Decimal = Field(default=Decimal(1), ge=0, le=1000)
    portfolio_minimum_fee: Decimal = Field(default=Decimal(0), ge=0, le=1000)
    portfolio_slippage_basis_points: Decimal = Field(default=Decimal(1), ge=0, le=1000)


async def wire(service: Service[PortfolioSettings]) -> None:
    settings = service.settings
    market = _market(service)
    costs = ExecutionCosts(
        fee_basis_points=settings.portfolio_fee_basis_points,
        minimum_fee=settings.portfolio_minimum_fee,
        slippage_basis_points=settings.portfolio_slippage_basis_points,
    )
    rpc = PortfolioRpc(service.database, market, service.clock, costs)
    service.add_servicer(add_PortfolioServiceServicer_to_server, rpc)
    service.add_servicer(add_HaltServiceServicer_to_server, HaltRpc(service.database, market, service.clock))
    service.add_servicer(add_AccountServiceServicer_to_server, AccountRpc(Accounts(service.database, market)))
    service.add_servicer(add_JobServiceServicer_to_server, JobRpc(service.database))
    service.publish_events()
    for consumer in RiskAlerts(service.clock).consumers():
        service.add_consumer(consumer)
    if settings.serves_jobs:
        _work(service, market)


async def wire_worker(service: Service[PortfolioSettings]) -> None:
    _work(service, _market(service))


def _market(service: Service[PortfolioSettings]) -> MarketPeer:
    return MarketPeer(service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"]))


def _work(service: Service[PortfolioSettings], market: MarketPeer) -> None:
    imports = ImportJob(service.database, market, service.clock)
    service.add_task("jobs", JobWorker(service.database, {IMPORT_JOB: imports.run}).run)
    service.add_task("snapshots", SnapshotMaker(service.database).run)


if __name__ == "__main__":
    serve("portfolio", PortfolioSettings, wire, wire_worker=wire_worker)
