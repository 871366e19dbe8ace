from quantmesh.quant.optimize._previous import Weights, equal_weight, maximum_sharpe, minimum_variance, risk_parity

__all__ = ["Weights", "equal_weight", "maximum_sharpe", "minimum_variance", "risk_parity"]
