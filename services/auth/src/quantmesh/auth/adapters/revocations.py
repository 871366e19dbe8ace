"""Ended sessions and keys are told to every edge, with what ended them."""

from datetime import datetime
from uuid import UUID

from quantmesh.api.auth.v1.events_pb2 import CredentialRevoked
from quantmesh.chassis import outbox
from quantmesh.chassis.sql import Session


async def tell_session_ended(transaction: Session, owner_id: UUID, session_id: UUID, now: datetime) -> None:
    await _tell(transaction, CredentialRevoked(user_id=str(owner_id), session_id=str(session_id)), owner_id, now)


async def tell_key_revoked(transaction: Session, owner_id: UUID, api_key_id: UUID, now: datetime) -> None:
    await _tell(transaction, CredentialRevoked(user_id=str(owner_id), api_key_id=str(api_key_id)), owner_id, now)


async def _tell(transaction: Session, event: CredentialRevoked, owner_id: UUID, now: datetime) -> None:
    await outbox.append(
        transaction, "auth.credential.revoked", event, aggregate_id=owner_id, owner_id=owner_id, occurred_at=now
    )
