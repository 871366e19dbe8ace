"""Serve, or migrate: `python -m quantmesh.risk [migrate]`."""

import asyncio
from datetime import timedelta

from pydantic import Field

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import account_pb2, portfolio_pb2
from quantmesh.api.risk.v1.backtest_pb2_grpc import add_BacktestServiceServicer_to_server
from quantmesh.api.risk.v1.exposure_pb2_grpc import add_ExposureServiceServicer_to_server
from quantmesh.api.risk.v1.limits_pb2_grpc import add_LimitServiceServicer_to_server
from quantmesh.api.risk.v1.margin_pb2_grpc import add_MarginServiceServicer_to_server
from quantmesh.api.risk.v1.risk_pb2_grpc import add_RiskServiceServicer_to_server
from quantmesh.api.risk.v1.stress_pb2_grpc import add_StressServiceServicer_to_server
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.quant import kernels
from quantmesh.risk.adapters.limits.histories import Histories
from quantmesh.risk.adapters.limits.measuring import Measuring
from quantmesh.risk.adapters.limits.watch import LimitWatch
from quantmesh.risk.adapters.peers import MarketPeer, PortfolioPeer
from quantmesh.risk.adapters.rpc import RiskRpc
from quantmesh.risk.adapters.rpc.backtest import BacktestRpc
from quantmesh.risk.adapters.rpc.exposure import ExposureRpc
from quantmesh.risk.adapters.rpc.limits import LimitRpc
from quantmesh.risk.adapters.rpc.margin import MarginRpc
from quantmesh.risk.adapters.rpc.stress import StressRpc
from quantmesh.risk.core.limits.rehearsal import rehearse


class RiskSettings(ServiceSettings):
    """How often the limits of a portfolio are measured at least, in seconds of system time."""

    risk_limit_seconds: float = Field(default=5.0, ge=0.1, le=3600)


async def wire(service: Service[RiskSettings]) -> None:
    market = MarketPeer(service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"]))
    portfolios = PortfolioPeer(
        service.peer(
            "portfolio",
            portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"],
            account_pb2.DESCRIPTOR.services_by_name["AccountService"],
        )
    )
    service.add_task("kernels", load_kernels)
    service.add_servicer(add_RiskServiceServicer_to_server, RiskRpc(market, portfolios))
    service.add_servicer(add_StressServiceServicer_to_server, StressRpc(market, portfolios))
    service.add_servicer(add_MarginServiceServicer_to_server, MarginRpc(market, portfolios))
    service.add_servicer(add_BacktestServiceServicer_to_server, BacktestRpc(market, portfolios))
    service.add_servicer(add_ExposureServiceServicer_to_server, ExposureRpc(market, portfolios))
    measuring = Measuring(Histories(market))
    limits = LimitRpc(service.database, measuring, market, portfolios, service.clock)
    service.add_servicer(add_LimitServiceServicer_to_server, limits)
    every = timedelta(seconds=service.settings.risk_limit_seconds)
    watch = LimitWatch(service.database, measuring, portfolios, service.clock, every)
    service.add_work("limits", watch.run)
    service.add_consumer(watch.consumer())
    service.publish_events()


async def load_kernels() -> None:
    """Compile, or take from the cache, what answers need, so that none of them waits for it."""
    for family in ("black_scholes", "revaluation", "garch", "optimize"):
        await asyncio.to_thread(kernels.load, family)
    await asyncio.to_thread(rehearse)


if __name__ == "__main__":
    serve("risk", RiskSettings, wire)
