"""How much work an answer may take: about two seconds of it."""

from quantmesh.risk.core.errors import OutOfDomain
from quantmesh.risk.core.estimators import Estimator
from quantmesh.risk.core.model import Book

# Prices in all scenarios, of American options among them.
_MOST_PRICES = 5_000_000
_MOST_AMERICAN_PRICES = 1_000_000
# Numbers that models of changing correlation are fitted to.
_MOST_CORRELATED = 20_000


def most_scenarios(book: Book) -> tuple[int, str]:
    """In how many all positions may be priced anew, and of what book that is so."""
    size = len(book.positions)
    americans = sum(each.option is not None and each.option.style == "american" for each in book.positions)
    most = min(_MOST_PRICES // size, _MOST_AMERICAN_PRICES // max(americans, 1))
    return most, f"{size} positions, {americans} of them American options"


def check_estimation(estimator: Estimator, symbols: int, observations: int, field: str = "observations") -> None:
    """Raises OutOfDomain for `field`."""
    if estimator == "garch_dcc" and symbols * observations > _MOST_CORRELATED:
        raise OutOfDomain(field, observations, f"at most {_MOST_CORRELATED // symbols} to fit {symbols} symbols")
