"""What a client follows on the stream: a topic, an account's log, or a job."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson

from quantmesh.api.common.v1.job_pb2 import Job
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.adapters.account_logs import PAGE, AccountLogs, frame
from quantmesh.gateway.core.stream.account_log import Arrival, LogPlace
from quantmesh.gateway.core.stream.frames import Frame, event_frame
from quantmesh.gateway.core.stream.places import Places
from quantmesh.gateway.core.stream.topic import Topic
from quantmesh.gateway.translation.jobs import FINAL, job

log = get_logger(__name__)

_JOB_POLL_SECONDS = 0.5
# Events that the broker lost are noticed by reading the log now and then.
_LOG_CHECK_SECONDS = 15.0
_LOG_RETRY_SECONDS = 1.0


class Client(Protocol):
    """One connection, as its subscriptions see it."""

    @property
    def holder(self) -> str: ...

    @property
    def has_room(self) -> bool: ...

    def put(self, frame: Frame) -> None: ...

    def put_latest(self, channel: str, frame: Frame) -> None: ...

    def act(self) -> None:
        """Calls made from here on are made as this client."""

    async def wait_for_room(self) -> None: ...

    def give_up(self, channel: str, error: QuantmeshError) -> None:
        """What was followed has ended by itself: the client is told, and may subscribe again."""


class Subscription(Protocol):
    @property
    def next_seq(self) -> int:
        """The number of the event to come."""

    async def open(self, after_seq: int | None) -> int:
        """Begin; answers the number of the first event to come."""

    async def close(self) -> None: ...


class TopicSubscription:
    def __init__(self, client: Client, topic: Topic) -> None:
        self._client = client
        self._topic = topic

    async def open(self, after_seq: int | None) -> int:
        return self._topic.join(self._client, after_seq)

    @property
    def next_seq(self) -> int:
        return self._topic.seq + 1

    async def close(self) -> None:
        self._topic.leave(self._client)


class _Worked:
    """A subscription with a task of its own, of which one holder has only so many."""

    def __init__(self, client: Client, followed: Places, channel: str) -> None:
        self._client = client
        self._followed = followed
        self._channel = channel
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Raises TooManyFollowed."""
        holder = self._client.holder
        self._followed.take(holder)

        async def run() -> None:
            try:
                await work()
            except QuantmeshError as error:
                self._client.give_up(self._channel, error)
            except Exception as error:
                log.error("bug", route="stream", channel=self._channel, exc_info=error)
                self._client.give_up(self._channel, QuantmeshError("internal"))

        self._task = asyncio.create_task(run())
        self._task.add_done_callback(lambda _: self._followed.leave(holder))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class PortfolioSubscription(_Worked):
    """Every event of the account once and in order: from the broker while they follow on, else from the log."""

    def __init__(self, client: Client, followed: Places, logs: AccountLogs, portfolio_id: str) -> None:
        super().__init__(client, followed, f"portfolio.{portfolio_id}")
        self._logs = logs
        self._portfolio_id = portfolio_id
        self._place = LogPlace(0)
        # Until the log was read what comes is only noted.
        self._place.catching_up = True
        self._behind = asyncio.Event()

    async def open(self, after_seq: int | None) -> int:
        """Raises NotFound for a portfolio that is not the client's."""
        try:
            await self._logs.follow(self._portfolio_id, self._on_live)
            page = await self._logs.read(self._portfolio_id, after_seq or 0, 1)
            self.start(self._keep_level)
        except BaseException:
            self._logs.unfollow(self._portfolio_id, self._on_live)
            raise
        first = page.last_seq if after_seq is None else min(after_seq, page.last_seq)
        self._place.seq = first
        if not self._is_level(page.last_seq):
            self._fall_behind()
        return first + 1

    @property
    def next_seq(self) -> int:
        return self._place.seq + 1

    async def close(self) -> None:
        self._logs.unfollow(self._portfolio_id, self._on_live)
        await super().close()

    def _on_live(self, seq: int, worded: Frame, *, is_early: bool) -> None:
        room = self._client.has_room
        if is_early:
            if self._place.arrived_early(seq, room=room):
                self._client.put(worded)
            return
        arrival = self._place.arrived(seq, room=room)
        if arrival is Arrival.NEXT:
            self._client.put(worded)
        elif arrival is Arrival.AHEAD:
            self._fall_behind()

    def _fall_behind(self) -> None:
        self._place.catching_up = True
        self._behind.set()

    def _is_level(self, last_seq: int) -> bool:
        """No await between the check and the flag: a live event cannot slip in between."""
        is_level = self._place.is_level(last_seq)
        if is_level:
            self._place.catching_up = False
            self._behind.clear()
        return is_level

    async def _keep_level(self) -> None:
        """Ends with an error alone: the portfolio is gone, or the token is no longer good for it."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_LOG_CHECK_SECONDS):
                        await self._behind.wait()
                except TimeoutError:
                    self._fall_behind()
                try:
                    await self._catch_up()
                except Unavailable:
                    await asyncio.sleep(_LOG_RETRY_SECONDS)
        finally:
            self._logs.unfollow(self._portfolio_id, self._on_live)

    async def _catch_up(self) -> None:
        while True:
            await self._client.wait_for_room()
            self._client.act()
            page = await self._logs.read(self._portfolio_id, self._place.seq, PAGE)
            for event in page.events:
                if not self._client.has_room:
                    await self._client.wait_for_room()
                if self._place.read(event.seq):
                    self._client.put(frame(event))
            if self._is_level(page.last_seq):
                return
            if not page.events:
                # The broker is ahead of what this read saw.
                await asyncio.sleep(0.02)


class JobSubscription(_Worked):
    """A job's progress, asked for twice a second until it ends; the present state is event 1."""

    def __init__(self, client: Client, followed: Places, read: Callable[[str], Awaitable[Job]], job_id: str) -> None:
        super().__init__(client, followed, f"jobs.{job_id}")
        self._read = read
        self._job_id = job_id
        self._seq = 0
        self._last = b""

    async def open(self, after_seq: int | None) -> int:  # noqa: ARG002  a job has no past to resume
        message = await self._read(self._job_id)
        if job(message)["status"] not in FINAL:
            self.start(self._poll)
        self._show(message)
        return 1

    @property
    def next_seq(self) -> int:
        return self._seq + 1

    def _show(self, message: Job) -> bool:
        """Send it where it is news; answers whether it is final."""
        shown = job(message)
        body = orjson.dumps(shown)
        if body != self._last:
            self._last = body
            self._seq += 1
            time = shown["updated_at"] or shown["created_at"] or ""
            self._client.put(event_frame(self._channel, self._seq, time, f"job.{shown['status']}", body.decode()))
        return shown["status"] in FINAL

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_JOB_POLL_SECONDS)
            await self._client.wait_for_room()
            self._client.act()
            try:
                if self._show(await self._read(self._job_id)):
                    return
            except Unavailable:
                await asyncio.sleep(_LOG_RETRY_SECONDS)
