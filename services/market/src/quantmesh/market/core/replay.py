"""Market time of the replayed feed: past sessions one after the other, nights and weekends left out.

A position is a session and the market seconds since its open. At the close the next session opens at once;
after the last one the feed has ended.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from quantmesh.market.core.calendars import Calendar
from quantmesh.market.core.errors import InvalidRequest

FULL_SESSION_SECONDS = 390 * 60


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Later ones compare as greater. After the end, `session` is the last one, at its close."""

    ended: bool
    session: date
    seconds: float = 0.0


class ReplayPlan:
    """`rate` market seconds pass in one second; an early close makes its session shorter, not faster."""

    def __init__(self, calendar: Calendar, first: date, last: date, seconds_per_session: float) -> None:
        self._calendar = calendar
        self.sessions: Sequence[date] = calendar.sessions(first, last)
        if not self.sessions:
            field, wanted = "QUANTMESH_MARKET_REPLAY_START", f"a day up to {last}, where the data ends"
            raise InvalidRequest(field, f"{first} leaves no session to replay; it is {wanted}")
        self.rate = FULL_SESSION_SECONDS / seconds_per_session

    @property
    def start(self) -> Position:
        return Position(ended=False, session=self.sessions[0])

    def advance(self, position: Position, seconds: float) -> Position:
        """After `seconds` of system time; stops at the close of the session, so that no close is skipped."""
        moved = position.seconds + seconds * self.rate
        return Position(position.ended, position.session, min(moved, self.length(position.session)))

    def at_close(self, position: Position) -> bool:
        return position.seconds >= self.length(position.session)

    def next_session(self, position: Position) -> Position:
        """The open of the session after, or the end."""
        index = bisect_left(self.sessions, position.session) + 1
        if index < len(self.sessions):
            return Position(ended=False, session=self.sessions[index])
        return Position(ended=True, session=position.session, seconds=self.length(position.session))

    def market_time(self, position: Position) -> datetime:
        return self._calendar.open(position.session) + timedelta(seconds=position.seconds)

    def closes_at(self, session: date) -> datetime:
        return self._calendar.close(session)

    def length(self, session: date) -> float:
        """From open to close, in market seconds."""
        return (self._calendar.close(session) - self._calendar.open(session)).total_seconds()

    def last_closed(self, position: Position) -> date | None:
        """The last session whose bar is known."""
        return self._calendar.last_closed(self.market_time(position))
