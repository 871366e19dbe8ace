"""One key, one effect: the owning service keeps the answer in the transaction of the effect (decisions.md 10)."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.chassis.context import current_call, mark_replayed
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, InvalidInput, Violation
from quantmesh.chassis.sql import Row, Session, text

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
_SWEEP = text("DELETE FROM idempotency WHERE created_at < now() - make_interval(days => :days)")


class KeyMissing(InvalidInput):
    problem = "idempotency-key-required"


class KeyInvalid(InvalidInput):
    problem = "idempotency-key-invalid"


class KeyReused(InvalidInput):
    problem = "idempotency-key-reused"


class TwinRunning(Conflict):
    problem = "idempotency-twin-running"


class Seal(Protocol):
    """For answers that hold secrets, which are not kept in clear. `place` is what one answer belongs to."""

    def close(self, answer: bytes, place: str) -> bytes: ...

    def open(self, sealed: bytes, place: str) -> bytes: ...


async def once(
    session: Session,
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
    key = current_call().idempotency_key
    if not key:
        if required:
            raise KeyMissing(
                "Send an Idempotency-Key with this request, so that a repetition does nothing twice.",
                violations=[Violation("idempotency-key", "missing")],
            )
        return await run()
    place = _place(owner_id, scope, key)
    request_hash = _hash(request)
    name = f"{scope} {owner_id} {key}"
    locked = await session.scalar(_LOCK, {"name": name})
    # After the lock, to see what its last holder committed; and without it too: another repetition may hold it.
    found = (await session.execute(_FIND, place)).one_or_none()
    if found is not None:
        _check_same(found, key, request_hash)
        kept = bytes(found.answer)
        return answer.FromString(kept if seal is None else seal.open(kept, name))
    if not locked:
        msg = f"The first request with the idempotency key {key!r} is still being worked on."
        raise TwinRunning(msg, retry_after_seconds=0.2)
    response = await run()
    kept = response.SerializeToString(deterministic=True)
    sealed = kept if seal is None else seal.close(kept, name)
    await session.execute(_KEEP, {**place, "request_hash": request_hash, "answer": sealed})
    return response


async def recall(
    session: Session, owner_id: UUID, *, scope: str, request: Message, answer: type[Answer]
) -> Answer | None:
    """What the first call with the same key answered; None where there was none, or no key.

    For a service that has to ask others before its effect: a repetition needs nobody. Raises KeyReused.
    """
    key = current_call().idempotency_key
    if not key:
        return None
    found = (await session.execute(_FIND, _place(owner_id, scope, key))).one_or_none()
    if found is None:
        return None
    _check_same(found, key, _hash(request))
    return answer.FromString(bytes(found.answer))


async def sweep(database: Database) -> None:
    """Forget the keys of more than seven days ago."""
    async with database.system_transaction() as session:
        await session.execute(_SWEEP, {"days": KEPT_DAYS})


def _check_same(found: Row, key: str, request_hash: bytes) -> None:
    """The first answer follows; raises KeyReused where another request comes with its key."""
    if bytes(found.request_hash) != request_hash:
        msg = f"The idempotency key {key!r} was used before, with another request; take a new key."
        raise KeyReused(msg, violations=[Violation("idempotency-key", "already used with another request")])
    mark_replayed()


def _hash(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def _place(owner_id: UUID, scope: str, key: str) -> dict[str, object]:
    _check_key(key)
    return {"owner_id": owner_id, "scope": scope, "key": key}


def _check_key(key: str) -> None:
    if len(key) > MAXIMUM_KEY_LENGTH or not key.isascii() or not key.isprintable():
        msg = f"The idempotency key must be 1 to {MAXIMUM_KEY_LENGTH} printable ASCII characters, such as a UUID."
        raise KeyInvalid(msg, violations=[Violation("idempotency-key", "too long, or not printable ASCII")])
