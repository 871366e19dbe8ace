"""Market time as this process knows it: the position that the feed was last seen at."""

from datetime import date, datetime

from quantmesh.market.core.replay import Position, ReplayPlan

REWIND = "`python -m quantmesh.market rewind` starts it anew"


class FeedClock:
    """Moved by whoever plays the feed, or by looking at where another process plays it."""

    def __init__(self, plan: ReplayPlan, position: Position) -> None:
        self._plan = plan
        self._position = position
        self._paused = ""

    def show(self, position: Position) -> None:
        self._position = position
        self._paused = ""

    def pause(self, why: str) -> None:
        """Market time stands still, and with it the market."""
        self._paused = why

    def now(self) -> datetime:
        return self._plan.market_time(self._position)

    @property
    def is_open(self) -> bool:
        return not self._position.ended and not self._paused

    @property
    def detail(self) -> str:
        """Why the market is not open; empty while it is."""
        if self._position.ended:
            return f"The replay has reached the end of its data, {self._position.session}; {REWIND}."
        return self._paused

    @property
    def last_session(self) -> date | None:
        return self._plan.last_closed(self._position)

    @property
    def current_session(self) -> date | None:
        return None if self._position.ended else self._position.session

    @property
    def session_close(self) -> datetime | None:
        return None if self._position.ended else self._plan.closes_at(self._position.session)
