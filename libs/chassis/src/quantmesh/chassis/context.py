"""What travels with a call through one service: who asked, under which id, until when."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from uuid import UUID

from quantmesh.chassis.errors import PermissionDenied, Unauthenticated


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified identity behind a token. `subject` is a user's id, or "svc:<name>" for a service."""

    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    tier: str
    session_id: str
    token: str
    expires_at: float
    owner_id: UUID | None

    @property
    def is_service(self) -> bool:
        return self.subject.startswith("svc:")

    @property
    def user_id(self) -> UUID:
        """The tenant; a service has one only where it acts for an owner."""
        if self.owner_id is None:
            msg = f"{self.subject} acts for no user here; a service names the owner in x-owner-id."
            raise PermissionDenied(msg)
        return self.owner_id


@dataclass(frozen=True, slots=True)
class CallContext:
    """`deadline` is on the monotonic clock; `traceparent` as W3C Trace Context has it."""

    request_id: str = ""
    caller: Caller | None = None
    deadline: float | None = None
    idempotency_key: str = ""
    traceparent: str = ""

    @property
    def trace_id(self) -> str:
        """32 digits in hex; empty outside any trace."""
        return self.traceparent[3:35]

    def remaining_seconds(self) -> float | None:
        return None if self.deadline is None else self.deadline - time.monotonic()

    def on_behalf_of(self, owner_id: UUID) -> "CallContext":
        """The same call, made for one owner by the service itself."""
        if self.caller is not None:
            msg = "A call that has a caller cannot be turned to act for another owner."
            raise PermissionDenied(msg)
        return replace(self, caller=service_caller(owner_id))


def service_caller(owner_id: UUID | None = None) -> Caller:
    """The service acting by itself; the channel puts its service token in place of the empty one."""
    return Caller(
        subject="svc:self",
        scopes=frozenset(),
        roles=frozenset(),
        tier="",
        session_id="",
        token="",
        expires_at=0.0,
        owner_id=owner_id,
    )


_EMPTY = CallContext()
_current: ContextVar[CallContext] = ContextVar("quantmesh_call", default=_EMPTY)


_replayed: ContextVar[bool] = ContextVar("quantmesh_replayed", default=False)


def mark_replayed() -> None:
    """The answer of this call is that of an earlier one with the same idempotency key; the server tells the client."""
    _replayed.set(True)


def was_replayed() -> bool:
    return _replayed.get()


def current_call() -> CallContext:
    return _current.get()


def set_call(context: CallContext) -> None:
    """For the edges of a service, where each call runs in a task (and so a context) of its own."""
    _current.set(context)


def current_caller() -> Caller:
    caller = _current.get().caller
    if caller is None:
        msg = "This call carries no identity; send a bearer token."
        raise Unauthenticated(msg)
    return caller
