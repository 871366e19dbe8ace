"""One key, one effect: the owning service keeps the answer in the transaction of the effect (decisions.md 10)."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.chassis.context import current_call, mark_replayed
from quantmesh.chassis.errors import Conflict, InvalidInput, Violation
from quantmesh.chassis.sql import Asked, Executor, text

KEPT_DAYS = 7
MAXIMUM_KEY_LENGTH = 255

Answer = TypeVar("Answer", bound=Message)

# Held to the end of the transaction, by whatever way it ends: a crash leaves no key in limbo.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_FIND = text(
    "SELECT request_hash, answer FROM idempotency WHERE owner_id = :owner_id AND scope = :scope AND key = :key"
)
_KEEP = text(
    "INSERT INTO idempotency (owner_id, scope, key, request_hash, answer)"
    " VALUES (:owner_id, :scope, :key, :request_hash, :answer)"
)


class KeyMissing(InvalidInput):
    problem = "idempotency-key-required"


class KeyInvalid(InvalidInput):
    problem = "idempotency-key-invalid"


class KeyReused(InvalidInput):
    problem = "idempotency-key-reused"


class TwinRunning(Conflict):
    problem = "idempotency-twin-running"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key and the request that came with it. `name` is what a lock is taken on until the effect is committed."""

    owner_id: UUID
    scope: str
    key: str
    request_hash: bytes

    @property
    def name(self) -> str:
        return f"{self.scope} {self.owner_id} {self.key}"

    @property
    def place(self) -> dict[str, object]:
        return {"owner_id": self.owner_id, "scope": self.scope, "key": self.key}

    @property
    def questions(self) -> list[Asked]:
        """What `once_claimed` executes before anything else."""
        return [(_LOCK, {"name": self.name}), (_FIND, self.place)]

    def check(self, request_hash: bytes) -> None:
        """The first answer follows; raises KeyReused where it was another request that came first."""
        if bytes(request_hash) != self.request_hash:
            msg = f"The idempotency key {self.key!r} was used before, with another request; take a new key."
            raise KeyReused(msg, violations=[Violation("idempotency-key", "already used with another request")])

    def twin_running(self) -> TwinRunning:
        msg = f"The first request with the idempotency key {self.key!r} is still being worked on."
        return TwinRunning(msg, retry_after_seconds=0.2)


class Seal(Protocol):
    """For answers that hold secrets, which are not kept in clear. `place` is what one answer belongs to."""

    def close(self, answer: bytes, place: str) -> bytes: ...

    def open(self, sealed: bytes, place: str) -> bytes: ...


async def once(
    session: Executor,
    owner_id: UUID,
    *,
    scope: str,
    request: Message,
    answer: type[Answer],
    run: Callable[[], Awaitable[Answer]],
    required: bool = False,
    seal: Seal | None = None,
) -> Answer:
    """Run the effect in this transaction, or answer what the first call with the same key answered.

    The key comes from the call's metadata; without one the effect simply runs, unless it is `required`.
    Raises KeyReused where another request came with the key, TwinRunning while the first is not finished.
    """
    claim = claim_of(owner_id, scope, request)
    if claim is None:
        if required:
            raise missing()
        return await run()
    return await once_claimed(session, claim, answer=answer, run=run, seal=seal)


async def once_claimed(
    session: Executor,
    claim: Claim,
    *,
    answer: type[Answer],
    run: Callable[[], Awaitable[Answer]],
    seal: Seal | None = None,
) -> Answer:
    """`once` for who has the claim already, to ask its questions beforehand. Raises KeyReused, TwinRunning."""
    locked = await session.scalar(_LOCK, {"name": claim.name})
    # After the lock, to see what its last holder committed; and without it too: another repetition may hold it.
    found = (await session.execute(_FIND, claim.place)).one_or_none()
    if found is not None:
        claim.check(found.request_hash)
        mark_replayed()
        kept = bytes(found.answer)
        return answer.FromString(kept if seal is None else seal.open(kept, claim.name))
    if not locked:
        raise claim.twin_running()
    response = await run()
    kept = response.SerializeToString(deterministic=True)
    sealed = kept if seal is None else seal.close(kept, claim.name)
    await session.send(_KEEP, {**claim.place, "request_hash": claim.request_hash, "answer": sealed})
    return response


async def recall(
    session: Executor, owner_id: UUID, *, scope: str, request: Message, answer: type[Answer]
) -> Answer | None:
    """What the first call with the same key answered; None where there was none, or no key.

    For a service that has to ask others before its effect: a repetition needs nobody. Raises KeyReused.
    """
    claim = claim_of(owner_id, scope, request)
    if claim is None:
        return None
    found = (await session.execute(_FIND, claim.place)).one_or_none()
    if found is None:
        return None
    claim.check(found.request_hash)
    mark_replayed()
    return answer.FromString(bytes(found.answer))


def claim_of(owner_id: UUID, scope: str, request: Message) -> Claim | None:
    """With the key of the call's metadata; None where there is none. Raises KeyInvalid."""
    key = current_call().idempotency_key
    if not key:
        return None
    _check_key(key)
    return Claim(owner_id, scope, key, hashlib.sha256(request.SerializeToString(deterministic=True)).digest())


def missing() -> KeyMissing:
    return KeyMissing(
        "Send an Idempotency-Key with this request, so that a repetition does nothing twice.",
        violations=[Violation("idempotency-key", "missing")],
    )


def _check_key(key: str) -> None:
    if len(key) > MAXIMUM_KEY_LENGTH or not key.isascii() or not key.isprintable():
        msg = f"The idempotency key must be 1 to {MAXIMUM_KEY_LENGTH} printable ASCII characters, such as a UUID."
        raise KeyInvalid(msg, violations=[Violation("idempotency-key", "too long, or not printable ASCII")])
