"""Registration, login, refresh, logout and sessions over gRPC."""

from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import PageInfo
from quantmesh.auth.adapters.pages import page_length, page_start
from quantmesh.auth.adapters.parts import AuthParts
from quantmesh.auth.adapters.revocations import tell_session_ended
from quantmesh.auth.adapters.store import Store
from quantmesh.auth.core import login, refresh, register
from quantmesh.auth.core.errors import RefreshTokenReused, SessionNotFound, UserNotFound
from quantmesh.auth.core.model import KEY_SESSION, Credentials, Session, User, user_grant
from quantmesh.auth.core.secrets import hash_of, new_refresh_token
from quantmesh.chassis import idempotency
from quantmesh.chassis.identity import current_caller, public, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.times import to_timestamp


class SessionRpc:
    """The part of AuthService that people log in with."""

    def __init__(self, parts: AuthParts) -> None:
        self._parts = parts

    @public
    async def Register(self, request: pb.RegisterRequest, context: Any) -> pb.RegisterResponse:
        user = register.new_user(uuid7(), request.email, request.password, request.full_name, self._parts.clock.now())
        password_hash = await self._parts.hasher.hash(request.password)
        told_apart = pb.RegisterRequest()
        told_apart.CopyFrom(request)
        told_apart.password = self._parts.kept_answers.fingerprint(request.password)
        async with self._parts.database.system_transaction() as session:

            async def add() -> pb.RegisterResponse:
                await register.register(Store(session), user, password_hash)
                return pb.RegisterResponse(user=user_to_proto(user))

            return await idempotency.once(
                session,
                # Nobody yet: keys are kept apart by the address that asks to be somebody.
                uuid5(NAMESPACE_URL, f"mailto:{user.email}"),
                scope="Register",
                request=told_apart,
                answer=pb.RegisterResponse,
                run=add,
            )

    @public
    async def Login(self, request: pb.LoginRequest, context: Any) -> pb.LoginResponse:
        email = login.login_name(request.email)
        # Before the attempt counts: an outage would lock out those who try again until it is over.
        found = await self._find(email)
        async with self._parts.throttle.attempt(email, request.network or request.ip_address):
            checked = await self._check(found, request.password)
        now = self._parts.clock.now()
        session = login.new_session(uuid7(), checked.user, request.user_agent, request.ip_address, now)
        refresh_token = new_refresh_token()
        while not await self._open(session, refresh_token, checked, request.password):
            # Another password by now, or the same one hashed anew by a twin of this login.
            checked = await self._check(await self._find(email), request.password)
        return pb.LoginResponse(tokens=await self._tokens(session, checked.user, refresh_token, now))

    @public
    async def Refresh(self, request: pb.RefreshRequest, context: Any) -> pb.RefreshResponse:
        now = self._parts.clock.now()
        async with self._parts.database.system_transaction() as transaction:
            store = Store(transaction)
            outcome = await refresh.refresh(store, request.refresh_token, self._parts.keys.refresh_key, now)
            if outcome is None:
                reused = await store.lock_refresh_token(hash_of(request.refresh_token))
                if reused is not None:
                    await tell_session_ended(transaction, reused.session.owner_id, reused.session.id, now)
                user = None
            else:
                user = await store.find_user(outcome[0].owner_id)
        if outcome is None:
            if reused is not None:
                await self._parts.cache.ended(str(reused.session.id))
            raise RefreshTokenReused
        if user is None:
            raise UserNotFound
        return pb.RefreshResponse(tokens=await self._tokens(outcome[0], user, outcome[1], now))

    @requires("")
    async def Logout(self, request: pb.LogoutRequest, context: Any) -> pb.LogoutResponse:
        caller = current_caller()
        # A token made from an API key has no session of its own to end.
        if caller.session_id and not caller.session_id.startswith(KEY_SESSION):
            await self._revoke(caller.user_id, UUID(caller.session_id))
        return pb.LogoutResponse()

    @requires("")
    async def GetMe(self, request: pb.GetMeRequest, context: Any) -> pb.GetMeResponse:
        caller = current_caller()
        async with self._parts.database.transaction(caller.user_id) as transaction:
            user = await Store(transaction).find_user(caller.user_id)
        if user is None:
            raise UserNotFound
        return pb.GetMeResponse(user=user_to_proto(user))

    @requires("account:manage")
    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        caller = current_caller()
        limit, before = page_length(request.page), page_start(request.page)
        async with self._parts.database.transaction(caller.user_id) as transaction:
            found = await Store(transaction).list_sessions(before, limit + 1, self._parts.clock.now())
        page = found[:limit]
        following = str(page[-1].id) if len(found) > limit else ""
        return pb.ListSessionsResponse(
            sessions=[_session(session, caller.session_id) for session in page], page=PageInfo(next_cursor=following)
        )

    @requires("account:manage")
    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Any) -> pb.RevokeSessionResponse:
        try:
            session_id = UUID(request.id)
        except ValueError as error:
            raise SessionNotFound(request.id) from error
        if not await self._revoke(current_caller().user_id, session_id):
            raise SessionNotFound(request.id)
        return pb.RevokeSessionResponse()

    async def _find(self, email: str) -> Credentials | None:
        async with self._parts.database.system_transaction() as transaction:
            return await Store(transaction).find_credentials(email)

    async def _check(self, found: Credentials | None, password: str) -> Credentials:
        return await login.check_credentials(found, password, self._parts.hasher, self._parts.decoy_hash)

    async def _open(self, session: Session, refresh_token: str, checked: Credentials, password: str) -> bool:
        """Nothing, and False, where the account no longer has the hash that the password was checked against."""
        kept_hash = checked.password_hash
        if self._parts.hasher.is_outdated(kept_hash):
            kept_hash = await self._parts.hasher.hash(password)
        async with self._parts.database.system_transaction() as transaction:
            store = Store(transaction)
            if kept_hash != checked.password_hash:
                await store.replace_password_hash(checked.user.id, checked.password_hash, kept_hash)
            return await store.add_session(session, hash_of(refresh_token), kept_hash)

    async def _revoke(self, owner_id: UUID, session_id: UUID) -> bool:
        now = self._parts.clock.now()
        async with self._parts.database.transaction(owner_id) as transaction:
            revoked = await Store(transaction).revoke_session(session_id, now)
            if revoked:
                await tell_session_ended(transaction, owner_id, session_id, now)
        if revoked:
            await self._parts.cache.ended(str(session_id))
        return revoked

    async def _tokens(self, session: Session, user: User, refresh_token: str, now: datetime) -> pb.TokenPair:
        access_token, lifetime = self._parts.keys.sign(user_grant(user, session, now), now)
        await self._parts.cache.opened(session, user)
        return pb.TokenPair(access_token=access_token, refresh_token=refresh_token, expires_in=lifetime)


def user_to_proto(user: User) -> pb.User:
    return pb.User(
        id=str(user.id),
        email=user.email,
        full_name=user.full_name,
        roles=sorted(user.roles),
        tier=user.tier,
        created_at=to_timestamp(user.created_at),
    )


def _session(session: Session, current_id: str) -> pb.Session:
    return pb.Session(
        id=str(session.id),
        user_agent=session.user_agent,
        ip_address=session.ip_address,
        created_at=to_timestamp(session.created_at),
        last_used_at=to_timestamp(session.last_used_at),
        expires_at=to_timestamp(session.expires_at),
        current=str(session.id) == current_id,
    )
