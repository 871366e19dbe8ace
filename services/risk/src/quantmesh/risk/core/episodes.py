"""Days that markets remember, each from the close before the fall to the close where it ended."""

from dataclasses import dataclass
from datetime import date

from quantmesh.risk.core.errors import EpisodeNotCovered, UnknownChoice
from quantmesh.risk.core.model import History

# A first close may lie so far after the first day: markets close over weekends and holidays.
_LATEST_START_DAYS = 5


@dataclass(frozen=True, slots=True)
class Episode:
    """Moves count from the close of `first`."""

    name: str
    first: date
    last: date

    def require(self, window: History) -> History:
        """Raises EpisodeNotCovered where the closes begin later or do not reach the last day."""
        found = window.days[0]
        if (found - self.first).days > _LATEST_START_DAYS or (self.last - window.days[-1]).days > _LATEST_START_DAYS:
            raise EpisodeNotCovered(self.name, window.symbols, self.first, self.last, found, window.days[-1])
        return window


EPISODES = {
    episode.name: episode
    for episode in (
        Episode("kuwait_1990", date(1990, 7, 16), date(1990, 10, 11)),
        Episode("russia_ltcm_1998", date(1998, 7, 17), date(1998, 8, 31)),
        Episode("dot_com", date(2000, 3, 24), date(2002, 10, 9)),
        Episode("september_11", date(2001, 9, 10), date(2001, 9, 21)),
        Episode("lehman", date(2008, 9, 12), date(2008, 11, 20)),
        Episode("financial_crisis", date(2007, 10, 9), date(2009, 3, 9)),
        Episode("us_downgrade_2011", date(2011, 7, 22), date(2011, 8, 8)),
        Episode("china_2015", date(2015, 8, 17), date(2015, 8, 25)),
        Episode("volmageddon", date(2018, 1, 26), date(2018, 2, 8)),
        Episode("fourth_quarter_2018", date(2018, 9, 20), date(2018, 12, 24)),
        Episode("covid", date(2020, 2, 19), date(2020, 3, 23)),
        Episode("inflation_2022", date(2022, 1, 3), date(2022, 6, 16)),
    )
}


def episode_of(name: str, field: str) -> Episode:
    """Raises UnknownChoice with what there is."""
    if name not in EPISODES:
        raise UnknownChoice(field, f"is one of {', '.join(EPISODES)}")
    return EPISODES[name]
