"""How much work an answer may take: about two seconds of it."""

from quantmesh.risk.core.errors import OutOfDomain
from quantmesh.risk.core.estimators import Estimator

# Numbers that models of changing correlation are fitted to.
_MOST_CORRELATED = 20_000


def check_estimation(estimator: Estimator, symbols: int, observations: int, field: str = "observations") -> None:
    """Raises OutOfDomain for `field`."""
    if estimator == "garch_dcc" and symbols * observations > _MOST_CORRELATED:
        raise OutOfDomain(field, observations, f"at most {_MOST_CORRELATED // symbols} to fit {symbols} symbols")
