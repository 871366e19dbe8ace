"""Serve: `python -m quantmesh.risk`."""

import asyncio

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.risk.v1.backtest_pb2_grpc import add_BacktestServiceServicer_to_server
from quantmesh.api.risk.v1.exposure_pb2_grpc import add_ExposureServiceServicer_to_server
from quantmesh.api.risk.v1.margin_pb2_grpc import add_MarginServiceServicer_to_server
from quantmesh.api.risk.v1.risk_pb2_grpc import add_RiskServiceServicer_to_server
from quantmesh.api.risk.v1.stress_pb2_grpc import add_StressServiceServicer_to_server
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.quant import kernels
from quantmesh.risk.adapters.peers import MarketPeer, PortfolioPeer
from quantmesh.risk.adapters.rpc import RiskRpc
from quantmesh.risk.adapters.rpc.backtest import BacktestRpc
from quantmesh.risk.adapters.rpc.exposure import ExposureRpc
from quantmesh.risk.adapters.rpc.margin import MarginRpc
from quantmesh.risk.adapters.rpc.stress import StressRpc


async def wire(service: Service[ServiceSettings]) -> None:
    market = MarketPeer(service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"]))
    portfolios = PortfolioPeer(service.peer("portfolio", portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"]))
    service.add_task("kernels", load_kernels)
    service.add_servicer(add_RiskServiceServicer_to_server, RiskRpc(market, portfolios))
    service.add_servicer(add_StressServiceServicer_to_server, StressRpc(market, portfolios))
    service.add_servicer(add_MarginServiceServicer_to_server, MarginRpc(market, portfolios))
    service.add_servicer(add_BacktestServiceServicer_to_server, BacktestRpc(market, portfolios))
    service.add_servicer(add_ExposureServiceServicer_to_server, ExposureRpc(market, portfolios))


async def load_kernels() -> None:
    """Compile, or take from the cache, what answers need, so that none of them waits for it."""
    for family in ("black_scholes", "revaluation", "garch", "optimize"):
        await asyncio.to_thread(kernels.load, family)


if __name__ == "__main__":
    serve("risk", ServiceSettings, wire)
