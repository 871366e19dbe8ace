"""Serve: `python -m quantmesh.risk`."""

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.api.risk.v1.risk_pb2_grpc import add_RiskServiceServicer_to_server
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.risk.adapters.peers import MarketPeer, PortfolioPeer
from quantmesh.risk.adapters.rpc import RiskRpc


async def wire(service: Service[ServiceSettings]) -> None:
    market = service.peer("market", market_pb2.DESCRIPTOR.services_by_name["MarketService"])
    portfolio = service.peer("portfolio", portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"])
    service.add_servicer(add_RiskServiceServicer_to_server, RiskRpc(MarketPeer(market), PortfolioPeer(portfolio)))


if __name__ == "__main__":
    serve("risk", ServiceSettings, wire)
