"""Clients that repeat, give up, and ask twice at once; and what they were told."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database_errors import ConcurrentUpdate
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.idempotency import TwinRunning

from .commands import Account, Command, Wishes
from .followers import Follower
from .history import Violation
from .replica import Watcher
from .scheduler import Actor, Died, Scheduler, State, current_actor

Done = TypeVar("Done")
_ATTEMPTS = 12
_IS_GIVEN_UP = 0.15
_IS_ASKED_AGAIN = 0.25
_HAS_TWIN = 0.15
_IS_MISUSED = 0.15
_LOOKS = 0.25
_IS_CHANGED = 0.5
_IS_TAKEN_BACK = 0.2
_IS_SPLIT = 0.5
_SCOPES = frozenset({"portfolio:read", "portfolio:write", "orders:write", "halts:manage"})
_NOBODY: Any = None
# Or the service asks to come again.
OUTCOME_IS_UNKNOWN = (Died, Unavailable, TwinRunning, ConcurrentUpdate)


@dataclass
class Claim:
    """What clients know of a command: an answer, or that it may or may not have happened.

    Its key is lost to it where another request had its effect under it.
    """

    command: Command
    answer: bytes | None = None
    may_have_happened: bool = False
    is_lost: bool = False

    def lost(self) -> None:
        if self.answer is not None:
            raise Violation(f"{self.command.key} had its effect, and another request under it too")
        self.is_lost = True

    def told(self, answer: bytes) -> None:
        if self.is_lost:
            raise Violation(f"another request had its effect under {self.command.key}, and this one too")
        if self.answer is not None and self.answer != answer:
            msg = f"{self.command.key} was answered in two ways: {self.answer!r} and {answer!r}"
            raise Violation(msg)
        self.answer = answer


class Outcome(Enum):
    ANSWERED = "answered"
    REFUSED = "refused"
    # It may have happened, or the service asks to come again.
    UNKNOWN = "unknown"


class Replica:
    """One process of the service: the calls in it die together."""

    def __init__(self, name: str, build: Callable[[], Sequence[object]]) -> None:
        self.name = name
        self._build = build
        self._servicers = build()
        self.calls: dict[asyncio.Task[Message], Actor] = {}
        # What is done for several calls.
        self.workers: set[Actor] = set()
        self.given_up: set[asyncio.Task[Message]] = set()

    async def call(self, owner_id: UUID, key: str, method: str, request: Message) -> Message:
        """As its gRPC server would. Raises Died where nothing can be known of the outcome."""
        actor = current_actor()
        call: asyncio.Task[Message] = asyncio.create_task(self.handle(owner_id, key, method, request))
        self.calls[call] = actor
        try:
            return await call
        except (Exception, asyncio.CancelledError) as error:
            if call in self.given_up:
                raise Died from error
            raise
        finally:
            self.calls.pop(call, None)
            self.given_up.discard(call)
            actor.is_doomed = False

    async def work(self, work: Callable[[], Awaitable[Done]]) -> Done:
        worker = current_actor()
        self.workers.add(worker)
        try:
            return await work()
        finally:
            self.workers.discard(worker)

    def has(self, actor: Actor) -> bool:
        return actor in self.workers or actor in self.calls.values()

    async def die(self, scheduler: Scheduler, watcher: Watcher) -> None:
        dying = [*self.calls.values(), *sorted(self.workers, key=lambda actor: actor.name)]
        self.given_up.update(self.calls)
        await watcher.end([actor.backend for actor in dying if actor.backend is not None])
        scheduler.locks_released()
        for actor in dying:
            # Those that were waiting for a lock may have noticed already.
            if self.has(actor):
                scheduler.end(actor)
        self._servicers = self._build()

    def disconnect(self, call: "asyncio.Task[Message]") -> None:
        """The client went away: the server cancels the handler, which may have done its work."""
        self.given_up.add(call)
        self.calls[call].state = State.RUNNING
        call.cancel()

    async def handle(self, owner_id: UUID, key: str, method: str, request: Message) -> Message:
        caller = Caller(str(owner_id), _SCOPES, frozenset({"investor"}), "free", "", "", 0.0, owner_id)
        set_call(CallContext(caller=caller, idempotency_key=key))
        servicer = next(servicer for servicer in self._servicers if hasattr(servicer, method))
        answer: Message = await getattr(servicer, method)(request, _NOBODY)
        return answer


@dataclass
class Client:
    """Wants some things done on one account, in a row; `accounts` are all of its owner."""

    name: str
    account: Account
    draw: random.Random
    wishes: Wishes
    scheduler: Scheduler
    replicas: list[Replica]
    claims: dict[str, Claim]
    commands: int
    accounts: Sequence[Account]
    follower: Follower
    mine: list[Command] = field(default_factory=list)

    async def live(self) -> None:
        for number in range(self.commands):
            await self.scheduler.pause("next wish")
            if self.mine and self.draw.random() < _IS_ASKED_AGAIN:
                await self.insist(self.draw.choice(self.mine))
            elif self.draw.random() < _LOOKS:
                await self.follower.look(self.draw, self.ask)
            elif (orders := self._orders()) and self.draw.random() < _IS_CHANGED:
                await self.change(self.draw.choice(orders).id)
            else:
                command = self._wish(f"{self.name}-{number}")
                self.mine.append(command)
                self.claims[command.key] = Claim(command)
                if self.draw.random() < _HAS_TWIN:
                    self.scheduler.add(f"{self.name} twin {number}", partial(self.insist, command))
                if command.method == "RecordTransaction" and self.draw.random() < _IS_MISUSED:
                    self.scheduler.add(f"{self.name} misuse {number}", partial(self.misuse, command))
                await self.insist(command)

    def _wish(self, key: str) -> Command:
        """Something new, or that what was recorded be taken back: perhaps for the second time, or needed since; or that
        an instrument be split on which an order rested when it was placed.
        """
        recorded = [
            partial(self.wishes.reversal, key, pb.RecordTransactionResponse.FromString(answer).transaction.id)
            for answer in self._answers("RecordTransaction")
        ] + [
            partial(self.wishes.reversal_of_import, key, pb.ImportTransactionsResponse.FromString(answer).import_id)
            for answer in self._answers("ImportTransactions")
        ]
        if recorded and self.draw.random() < _IS_TAKEN_BACK:
            return self.draw.choice(recorded)()
        resting = [order.symbol for order in self._orders() if order.status == pb.ORDER_STATUS_ACCEPTED]
        if resting and self.draw.random() < _IS_SPLIT:
            return self.wishes.split(key, self.draw.choice(resting))
        return self.wishes.command(key)

    async def insist(self, command: Command) -> None:
        """Until the outcome is known, or patience ends."""
        draw = current_actor().random
        for _ in range(_ATTEMPTS):
            outcome = await self._attempt(command)
            if outcome is not Outcome.UNKNOWN or draw.random() < _IS_GIVEN_UP:
                return
            await self.scheduler.pause("repetition")

    async def misuse(self, command: Command) -> None:
        """Ask for something else under the same key, perhaps in another account."""
        wishes = replace(self.wishes, account=self.draw.choice(self.accounts))
        other = wishes.deposit(command.key, "1.23")
        claim, replica = self.claims[command.key], current_actor().random.choice(self.replicas)
        claim.may_have_happened = True
        try:
            await replica.call(other.account.owner_id, other.key, other.method, other.request)
        except (Died, QuantmeshError) as told:
            self.scheduler.history.tell(f"{current_actor().name}: {type(told).__name__}")
        except Exception as error:
            raise Violation(f"{current_actor().name}: an internal error, {error!r}") from error
        else:
            claim.lost()

    async def change(self, order_id: str) -> None:
        """Cancel an order or ask for another quantity or price of it, as if it were still as it was last seen."""
        found = await self.ask("GetOrder", pb.GetOrderRequest(id=order_id))
        if not isinstance(found, pb.GetOrderResponse):
            return
        await self.scheduler.pause("change of an order")
        if self.draw.random() < 0.5:
            await self.ask("CancelOrder", pb.CancelOrderRequest(id=order_id))
        else:
            request = pb.ReplaceOrderRequest(id=order_id, expected_version=found.order.version)
            if found.order.HasField("limit_price") and self.draw.random() < 0.5:
                request.limit_price.value = self.wishes.near(found.order.symbol)
            else:
                request.quantity.value = str(self.draw.randrange(1, 8))
            await self.ask("ReplaceOrder", request)

    def _orders(self) -> list[pb.Order]:
        """As they were placed."""
        return [pb.PlaceOrderResponse.FromString(answer).order for answer in self._answers("PlaceOrder")]

    def _answers(self, method: str) -> list[bytes]:
        answers = (self.claims[command.key].answer for command in self.mine if command.method == method)
        return [answer for answer in answers if answer is not None]

    async def _attempt(self, command: Command) -> Outcome:
        claim = self.claims[command.key]
        replica = current_actor().random.choice(self.replicas)
        line = f"{current_actor().name}: {command.key} {command.method} at {replica.name}"
        try:
            answer = await replica.call(command.account.owner_id, command.key, command.method, command.request)
        except OUTCOME_IS_UNKNOWN as unknown:
            claim.may_have_happened |= isinstance(unknown, Died | Unavailable)
            self.scheduler.history.tell(f"{line}: {type(unknown).__name__}")
            return Outcome.UNKNOWN
        except QuantmeshError as refusal:
            self.scheduler.history.tell(f"{line}: {type(refusal).__name__}")
            return Outcome.REFUSED
        except Exception as error:
            raise Violation(f"{line}: an internal error, {error!r}") from error
        claim.told(answer.SerializeToString(deterministic=True))
        self.scheduler.history.tell(f"{line}: {type(answer).__name__}")
        return Outcome.ANSWERED

    async def ask(self, method: str, request: Message) -> Message | None:
        replica = self.draw.choice(self.replicas)
        try:
            answer = await replica.call(self.account.owner_id, "", method, request)
        except (Died, QuantmeshError) as told:
            self.scheduler.history.tell(f"{self.name}: {method} at {replica.name}: {type(told).__name__}")
            return None
        except Exception as error:
            raise Violation(f"{self.name}: {method} at {replica.name}: {error!r}") from error
        return answer
