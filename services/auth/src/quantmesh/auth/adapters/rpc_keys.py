"""API keys, service tokens and the public key set over gRPC."""

import hmac
from typing import Any
from uuid import UUID

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import PageInfo
from quantmesh.auth.adapters.pages import page_length, page_start
from quantmesh.auth.adapters.parts import AuthParts
from quantmesh.auth.adapters.revocations import tell_key_revoked
from quantmesh.auth.adapters.store import Store
from quantmesh.auth.core import api_keys
from quantmesh.auth.core.errors import ApiKeyNotFound, CredentialEnded, UnknownService
from quantmesh.auth.core.model import KEY_SESSION, ApiKey, service_grant, session_of_key
from quantmesh.auth.core.secrets import hash_of, new_api_key
from quantmesh.chassis import idempotency
from quantmesh.chassis.identity import current_caller, public, requires, service_only
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.times import from_timestamp, to_timestamp


class KeyRpc:
    """The part of AuthService that programs log in with."""

    def __init__(self, parts: AuthParts) -> None:
        self._parts = parts

    @requires("account:manage")
    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Any) -> pb.CreateApiKeyResponse:
        caller = current_caller()
        expires_at = from_timestamp(request.expires_at) if request.HasField("expires_at") else None
        async with self._parts.database.transaction(caller.user_id) as transaction:
            # A token lives on for minutes, and a key for years: who was shut out must not come back by one.
            if not await _holds(Store(transaction), caller.session_id):
                raise CredentialEnded

            async def add() -> pb.CreateApiKeyResponse:
                secret, prefix = new_api_key()
                key = api_keys.new_key(
                    uuid7(),
                    caller.user_id,
                    request.name,
                    prefix,
                    None if request.all_scopes and not request.scopes else list(request.scopes),
                    caller.scopes,
                    expires_at,
                    self._parts.clock.now(),
                )
                await Store(transaction).add_api_key(key, hash_of(secret))
                return pb.CreateApiKeyResponse(api_key=_api_key(key), secret=secret)

            return await idempotency.once(
                transaction,
                caller.user_id,
                scope="CreateApiKey",
                request=request,
                answer=pb.CreateApiKeyResponse,
                run=add,
                seal=self._parts.kept_answers,
            )

    @requires("account:manage")
    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Any) -> pb.ListApiKeysResponse:
        limit, after = page_length(request.page), page_start(request.page)
        async with self._parts.database.transaction(current_caller().user_id) as transaction:
            found = await Store(transaction).list_api_keys(after, limit + 1)
        page = found[:limit]
        following = str(page[-1].id) if len(found) > limit else ""
        return pb.ListApiKeysResponse(api_keys=[_api_key(key) for key in page], page=PageInfo(next_cursor=following))

    @requires("account:manage")
    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Any) -> pb.RevokeApiKeyResponse:
        owner_id = current_caller().user_id
        try:
            key_id = UUID(request.id)
        except ValueError as error:
            raise ApiKeyNotFound(request.id) from error
        now = self._parts.clock.now()
        async with self._parts.database.transaction(owner_id) as transaction:
            if not await Store(transaction).revoke_api_key(key_id, now):
                raise ApiKeyNotFound(request.id)
            await tell_key_revoked(transaction, owner_id, key_id, now)
        await self._parts.cache.ended(session_of_key(key_id))
        return pb.RevokeApiKeyResponse()

    @service_only
    async def ExchangeApiKey(self, request: pb.ExchangeApiKeyRequest, context: Any) -> pb.ExchangeApiKeyResponse:
        now = self._parts.clock.now()
        async with self._parts.database.system_transaction() as transaction:
            store = Store(transaction)
            key, grant = await api_keys.exchange(store, store, request.secret, now)
        token, lifetime = self._parts.keys.sign(grant, now)
        return pb.ExchangeApiKeyResponse(token=token, expires_in=lifetime, api_key_id=str(key.id))

    @public
    async def IssueServiceToken(
        self, request: pb.IssueServiceTokenRequest, context: Any
    ) -> pb.IssueServiceTokenResponse:
        expected = self._parts.service_secrets.get(request.service, "")
        if not expected or not hmac.compare_digest(expected.encode(), request.secret.encode(errors="surrogatepass")):
            raise UnknownService(request.service[:64])
        token, lifetime = self._parts.keys.sign(service_grant(request.service), self._parts.clock.now())
        return pb.IssueServiceTokenResponse(token=token, expires_in=lifetime)

    @public
    async def GetJwks(self, request: pb.GetJwksRequest, context: Any) -> pb.GetJwksResponse:
        return pb.GetJwksResponse(jwks=self._parts.keys.jwks())


async def _holds(store: Store, session_id: str) -> bool:
    """Whether the session, or the key, that a token names is not ended."""
    if session_id.startswith(KEY_SESSION):
        return await store.hold_api_key(UUID(session_id.removeprefix(KEY_SESSION)))
    return bool(session_id) and await store.hold_session(UUID(session_id))


def _api_key(key: ApiKey) -> pb.ApiKey:
    return pb.ApiKey(
        id=str(key.id),
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        created_at=to_timestamp(key.created_at),
        last_used_at=None if key.last_used_at is None else to_timestamp(key.last_used_at),
        expires_at=None if key.expires_at is None else to_timestamp(key.expires_at),
    )
