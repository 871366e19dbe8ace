"""What a book loses in an episode of the past, under shocks, and in the likeliest move that loses so much (RSK-3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from quantmesh.quant import stress
from quantmesh.quant.stress import ReverseStress, Shock, Stress
from quantmesh.risk.core.domain import enough_observations, movement_of, quant_domain
from quantmesh.risk.core.episodes import Episode
from quantmesh.risk.core.errors import OutOfDomain, require_symbol
from quantmesh.risk.core.estimators import ESTIMATORS, Estimator
from quantmesh.risk.core.model import Book, Floats, History
from quantmesh.risk.core.priced_book import priced
from quantmesh.risk.core.work import check_estimation

# A search over the moves of that many underlyings, with that many options, takes about two seconds.
_MOST_SEARCHED_UNDERLYINGS = 20
_MOST_SEARCHED_OPTIONS = 50
_OF_SHOCKS = ("spot_moves", "spot_shifts", "volatility_moves", "volatility_shifts")


@dataclass(frozen=True, slots=True)
class EpisodeStress:
    """`spot_moves` are those up to the last day, in the order of the history's symbols."""

    episode: Episode
    first_day: date
    last_day: date
    last: Stress
    worst_day: date
    worst: Stress
    spot_moves: Floats


def episode_stress(book: Book, history: History, rate: float, episode: Episode, window: History) -> EpisodeStress:
    """Today's book under the moves of the window, in which its options do not age. Raises EpisodeNotCovered."""
    episode.require(window)
    with quant_domain():
        found = stress.historical(priced(book, history, rate), window.returns)
    return EpisodeStress(
        episode=episode,
        first_day=window.days[0],
        last_day=window.days[-1],
        last=found.last,
        worst_day=window.days[found.worst_day + 1],
        worst=found.worst,
        spot_moves=window.closes[-1] / window.closes[0] - 1.0,
    )


def custom_stress(
    book: Book, history: History, rate: float, shocks: Mapping[str, Shock], rate_shift: float, elapsed_years: float
) -> Stress:
    for symbol, shock in shocks.items():
        require_symbol(symbol, history.symbols, "shocks")
        spot = float(history.last[history.symbols.index(symbol)])
        if shock.spot_move + shock.spot_shift / spot < -1.0:
            raise OutOfDomain(f"shocks.{symbol}", shock.spot_move, "such that the spot stays at 0 or above")
        if shock.volatility_move < -1.0:
            raise OutOfDomain(f"shocks.{symbol}.volatility_move", shock.volatility_move, "at least -1")
    with quant_domain(rate_shifts="rate_shift", **dict.fromkeys(_OF_SHOCKS, "shocks")):
        return stress.custom(priced(book, history, rate), shocks, rate_shift=rate_shift, elapsed_years=elapsed_years)


def reverse_stress(
    book: Book, history: History, rate: float, loss: float, estimator: Estimator, observations: int
) -> ReverseStress:
    """Under the covariance of the last `observations` daily returns."""
    symbols = len(history.symbols)
    options = sum(position.option is not None for position in book.positions)
    if options and (symbols > _MOST_SEARCHED_UNDERLYINGS or options > _MOST_SEARCHED_OPTIONS):
        raise OutOfDomain(
            "reverse",
            f"about {options} options on {symbols} underlyings",
            f"about {_MOST_SEARCHED_OPTIONS} options at most, on {_MOST_SEARCHED_UNDERLYINGS} underlyings",
        )
    check_estimation(estimator, symbols, observations, "reverse.observations")
    returns = history.require(observations).returns[-observations:]
    with (
        quant_domain(loss="reverse.loss", covariance="reverse.covariance"),
        movement_of(history.symbols),
        enough_observations("reverse.observations", observations),
    ):
        return stress.reverse(priced(book, history, rate), ESTIMATORS[estimator](returns), loss)
