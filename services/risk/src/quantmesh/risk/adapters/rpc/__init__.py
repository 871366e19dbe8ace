"""RiskService over gRPC; the arithmetic runs in a thread, so that calls beside it go on."""

from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceServicer
from quantmesh.risk.adapters.rpc.optimize import OptimizeMethods
from quantmesh.risk.adapters.rpc.value_at_risk import ValueAtRiskMethods


class RiskRpc(ValueAtRiskMethods, OptimizeMethods, RiskServiceServicer):
    """All methods of RiskService."""
