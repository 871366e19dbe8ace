"""gRPC in: translate, call the use case, translate back."""

from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceServicer
from quantmesh.portfolio.adapters.rpc.orders import OrderMethods
from quantmesh.portfolio.adapters.rpc.portfolios import PortfolioMethods
from quantmesh.portfolio.adapters.rpc.reads import ReadMethods
from quantmesh.portfolio.adapters.rpc.snapshot import SnapshotMethods
from quantmesh.portfolio.adapters.rpc.transactions import TransactionMethods


class PortfolioRpc(
    PortfolioMethods, TransactionMethods, ReadMethods, SnapshotMethods, OrderMethods, PortfolioServiceServicer
):
    """All methods of PortfolioService."""
