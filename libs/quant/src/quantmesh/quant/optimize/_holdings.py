from quantmesh.quant.optimize._constraints import Limits


def require_feasible_holdings(limits: Limits) -> None:
    pass
