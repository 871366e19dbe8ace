"""Takes batches of ticks from core NATS into Postgres: decode, check, COPY, commit."""

from datetime import date, datetime, timedelta

from google.protobuf.message import DecodeError
from prometheus_client import Counter

from quantmesh.api.market.v1.market_pb2 import TickBatch as TickBatchMessage
from quantmesh.chassis.errors import Conflict, InvalidInput, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.market.adapters.store.ticks import TickStore, day_of
from quantmesh.market.adapters.translate import ticks_from
from quantmesh.market.core.get_closes import to_micros
from quantmesh.market.core.ports import Assets, MarketClock
from quantmesh.market.core.ticks import CheckedTicks, check_ticks

log = get_logger(__name__)

SUBJECT = "ticks.*"
# A feed played by another replica may be ahead of the position that this one has seen.
TOLERANCE = timedelta(minutes=5)
_TICKS = Counter("quantmesh_market_ticks_total", "Ticks by what became of them", ["outcome"])


class TickRecorder:
    """Every replica hears every batch; whoever commits its sequence first has stored it."""

    def __init__(self, store: TickStore, assets: Assets, clock: MarketClock, kept: timedelta) -> None:
        self._store = store
        self._assets = assets
        self._clock = clock
        self._kept = kept
        self._partitions: set[date] = set()

    async def handle(self, subject: str, payload: bytes) -> None:
        """For the event bus: nothing is raised for what one batch brings; ticks are not sent again."""
        try:
            await self.record(payload)
        except (DecodeError, InvalidInput) as error:
            log.warning("batch of ticks refused", subject=subject, error=str(error))
            _TICKS.labels("refused").inc()
        except (Unavailable, Conflict) as error:
            log.warning("batch of ticks lost", subject=subject, error=error.detail)
            _TICKS.labels("lost").inc()

    async def record(self, payload: bytes) -> CheckedTicks:
        """From the message to the commit. Raises DecodeError, InvalidTicks, and what the database raises."""
        batch = ticks_from(TickBatchMessage.FromString(payload))
        assets = await self._assets.find(list(batch.symbols))
        now = self._clock.now()
        ticks = check_ticks(
            batch,
            {symbol: asset.series for symbol, asset in assets.items()},
            to_micros(self._oldest(now)),
            to_micros(now + TOLERANCE),
        )
        await self._prepare(ticks)
        stored = await self._store.record(batch.feed, batch.sequence, ticks)
        _TICKS.labels("stored" if stored else "repeated").inc(len(ticks.series))
        if ticks.rejected:
            _TICKS.labels("rejected").inc(ticks.rejected)
        return ticks

    async def forget_old(self) -> None:
        """Retention: whole days, by dropping their partitions."""
        oldest = self._oldest(self._clock.now()).date()
        self._partitions = {day for day in self._partitions if day >= oldest}
        dropped = await self._store.drop_before(oldest)
        if dropped:
            log.info("old ticks dropped", days=dropped, before=str(oldest))

    def _oldest(self, now: datetime) -> datetime:
        return (now - self._kept).replace(hour=0, minute=0, second=0, microsecond=0)

    async def _prepare(self, ticks: CheckedTicks) -> None:
        if not len(ticks.time_micros):
            return
        first, last = day_of(int(ticks.time_micros.min())), day_of(int(ticks.time_micros.max()))
        days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
        missing = [day for day in days if day not in self._partitions]
        if missing:
            await self._store.create_partitions(missing)
            self._partitions.update(missing)
