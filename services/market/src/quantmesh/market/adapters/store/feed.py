"""Where the replayed feed stands, and who plays it."""

from dataclasses import dataclass
from datetime import datetime

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Row, Session, text
from quantmesh.market.adapters.store.bars import announce_bars
from quantmesh.market.adapters.store.ticks import forget_ticks_from
from quantmesh.market.core.replay import Position, ReplayPlan

_BEGIN = text(
    """
    INSERT INTO feed (name, epoch, session, seconds, ended, holder, held_until)
    VALUES (:name, 1, :session, :seconds, false, '', now()) ON CONFLICT (name) DO NOTHING
    """
)
_READ = text("SELECT epoch, session, seconds, ended FROM feed WHERE name = :name")
_LOCK = text("SELECT epoch, session, seconds, ended FROM feed WHERE name = :name FOR UPDATE")
# A lease on the database's clock: the one who holds it plays, the others look on.
_TAKE = text(
    """
    UPDATE feed SET holder = :holder, held_until = now() + make_interval(secs => :lease_seconds)
    WHERE name = :name AND (holder = :holder OR held_until < now())
    RETURNING epoch, session, seconds, ended
    """
)
# No row: somebody else plays, or the feed was rewound.
_KEEP = text(
    """
    UPDATE feed SET session = :session, seconds = :seconds, ended = :ended,
                    held_until = now() + make_interval(secs => :lease_seconds)
    WHERE name = :name AND holder = :holder AND epoch = :epoch
    RETURNING epoch
    """
)
_TELL = text("UPDATE feed SET told = :market_time WHERE name = :name RETURNING old.told")
_REWIND = text(
    """
    UPDATE feed SET epoch = epoch + 1, session = :session, seconds = :seconds, ended = false,
                    told = greatest(told, :left)
    WHERE name = :name
    """
)


@dataclass(frozen=True, slots=True)
class FeedState:
    epoch: int
    position: Position


class FeedStore:
    def __init__(self, database: Database, name: str, holder: str, lease_seconds: float = 3.0) -> None:
        self._database = database
        self._name = name
        self._mine = {"name": name, "holder": holder, "lease_seconds": lease_seconds}

    async def begin(self, start: Position) -> FeedState:
        """The state that is there; `start` where there is none yet."""
        parameters = {"name": self._name, "session": start.session, "seconds": start.seconds}
        async with self._database.system_transaction() as session:
            await session.execute(_BEGIN, parameters)
        return await self.read()

    async def read(self) -> FeedState:
        async with self._database.system_transaction() as session:
            row = (await session.execute(_READ, {"name": self._name})).one()
        return _state_of(row)

    async def take(self) -> FeedState | None:
        """The state to go on from, for whom it is the turn; None while another holds it."""
        async with self._database.system_transaction() as session:
            row = (await session.execute(_TAKE, self._mine)).one_or_none()
        return None if row is None else _state_of(row)

    async def keep(self, state: FeedState) -> bool:
        """Before the feed moves up to `state`; false where it must not move, because the turn is over."""
        async with self._database.system_transaction() as session:
            return (await session.execute(_KEEP, self._state(state))).one_or_none() is not None

    async def close_session(self, state: FeedState, next_at: datetime) -> list[str] | None:
        """Move on to `state`, which is `next_at`, and announce the bars that are known by then; their symbols, or None
        where the turn is over."""
        async with self._database.system_transaction() as session:
            if (await session.execute(_KEEP, self._state(state))).one_or_none() is None:
                return None
            return await self._tell(session, next_at)

    async def tell(self, market_time: datetime) -> None:
        """Announce the bars that market time has passed, or gone back by, since it was last told: whoever keeps answers
        that hold them, or lack them, is told of every move, whichever process saw it and whether one did."""
        async with self._database.system_transaction() as session:
            await self._tell(session, market_time)

    async def rewind(self, plan: ReplayPlan) -> None:
        """Back to the start of `plan`; the ticks from there on are forgotten.

        Told by who plays next, once market time went back: told before, answers of the time that it left would be kept
        again.
        """
        start = plan.start
        async with self._database.system_transaction() as session:
            row = (await session.execute(_LOCK, {"name": self._name})).one_or_none()
            if row is None:
                return
            # A session's close is seen some moments before it is told.
            left = plan.market_time(_state_of(row).position)
            parameters = {"name": self._name, "session": start.session, "seconds": start.seconds, "left": left}
            await session.execute(_REWIND, parameters)
            await forget_ticks_from(session, plan.market_time(start))

    async def _tell(self, session: Session, market_time: datetime) -> list[str]:
        told: datetime | None = await session.scalar(_TELL, {"name": self._name, "market_time": market_time})
        return [] if told is None else await announce_bars(session, *sorted((told, market_time)))

    def _state(self, state: FeedState) -> dict[str, object]:
        position = state.position
        return self._mine | {
            "epoch": state.epoch,
            "session": position.session,
            "seconds": position.seconds,
            "ended": position.ended,
        }


def _state_of(row: Row) -> FeedState:
    return FeedState(row.epoch, Position(row.ended, row.session, row.seconds))
