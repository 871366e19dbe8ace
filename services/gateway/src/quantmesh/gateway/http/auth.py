"""/auth: accounts, sessions, API keys and the public keys of tokens."""

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.auth.v1.auth_pb2_grpc import AuthServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core.addresses import counted_as
from quantmesh.gateway.core.conditional import content_tag
from quantmesh.gateway.http.answer import Answer, created, no_content, ok, replayed
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import auth as models
from quantmesh.gateway.http.models.base import Id, PageQuery
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import auth as translation
from quantmesh.gateway.translation.common import instant_request, next_cursor, page_request

# Argon2id under a cap on concurrent hashes may queue.
_HASHING_SECONDS = 10.0


class Auth:
    def __init__(self, auth: Peer) -> None:
        self._auth = auth
        self._stub = AuthServiceStub(auth.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/auth", "auth")
        add = operations.add
        add(
            "POST",
            "/register",
            self.register,
            summary="Open an account",
            scope=None,
            answer=models.UserShown,
            status=201,
            idempotency="optional",
            statuses=(409,),
            takes_body=True,
            deadline_seconds=_HASHING_SECONDS,
        )
        add(
            "POST",
            "/login",
            self.login,
            summary="Trade email and password for tokens",
            scope=None,
            answer=models.TokensShown,
            statuses=(401,),
            takes_body=True,
            deadline_seconds=_HASHING_SECONDS,
        )
        add(
            "POST",
            "/refresh",
            self.refresh,
            summary="Trade a refresh token for the next pair",
            scope=None,
            answer=models.TokensShown,
            statuses=(401, 409),
            takes_body=True,
        )
        add("POST", "/logout", self.logout, summary="End this session", scope="", status=204)
        add("GET", "/me", self.me, summary="Who the credential belongs to", scope="", answer=models.UserShown)
        add(
            "GET",
            "/sessions",
            self.sessions,
            summary="Sessions and devices",
            scope="account:manage",
            answer=models.SessionsShown,
        )
        add(
            "DELETE",
            "/sessions/{session_id}",
            self.revoke_session,
            summary="End a session",
            scope="account:manage",
            status=204,
        )
        add(
            "GET",
            "/.well-known/jwks.json",
            self.jwks,
            summary="Public keys of access tokens",
            scope=None,
            answer=models.JsonWebKeySet,
            conditional="none-match",
        )
        add(
            "POST",
            "/api-keys",
            self.create_api_key,
            summary="Make an API key; it is shown this once",
            scope="account:manage",
            answer=models.NewApiKeyShown,
            status=201,
            idempotency="optional",
            takes_body=True,
        )
        add(
            "GET",
            "/api-keys",
            self.api_keys,
            summary="API keys, by their prefixes",
            scope="account:manage",
            answer=models.ApiKeysShown,
        )
        add(
            "DELETE",
            "/api-keys/{api_key_id}",
            self.revoke_api_key,
            summary="Revoke an API key",
            scope="account:manage",
            status=204,
        )
        return operations

    async def register(self, body: models.RegisterBody) -> Answer:
        request = pb.RegisterRequest(email=body.email, password=body.password, full_name=body.full_name)
        answer, again = await self._auth.call_replayable(self._stub.Register, request, timeout_seconds=_HASHING_SECONDS)
        return created(translation.user(answer.user), headers=replayed(again))

    async def login(self, call: Call, body: models.LoginBody) -> Answer:
        request = pb.LoginRequest(
            email=body.email,
            password=body.password,
            user_agent=call.edge.header(b"user-agent")[:256],
            ip_address=call.edge.address,
            network=counted_as(call.edge.address),
        )
        answer = await self._auth.call(self._stub.Login, request, timeout_seconds=_HASHING_SECONDS)
        return ok(translation.tokens(answer.tokens))

    async def refresh(self, body: models.RefreshBody) -> Answer:
        request = pb.RefreshRequest(refresh_token=body.refresh_token)
        answer = await self._auth.call(self._stub.Refresh, request)
        return ok(translation.tokens(answer.tokens))

    async def logout(self) -> Answer:
        await self._auth.call(self._stub.Logout, pb.LogoutRequest())
        return no_content()

    async def me(self) -> Answer:
        answer = await self._auth.call(self._stub.GetMe, pb.GetMeRequest())
        return ok(translation.user(answer.user))

    async def sessions(self, query: QueryOf[PageQuery]) -> Answer:
        request = pb.ListSessionsRequest(page=page_request(query.limit, query.cursor))
        answer = await self._auth.call(self._stub.ListSessions, request)
        return ok(
            {"data": [translation.session(item) for item in answer.sessions], "next_cursor": next_cursor(answer.page)}
        )

    async def revoke_session(self, session_id: Id) -> Answer:
        await self._auth.call(self._stub.RevokeSession, pb.RevokeSessionRequest(id=session_id))
        return no_content()

    async def jwks(self) -> Answer:
        answer = await self._auth.call(self._stub.GetJwks, pb.GetJwksRequest())
        body = answer.jwks.encode()
        return Answer(body, tag=content_tag(body), headers=((b"cache-control", b"public, max-age=300"),))

    async def create_api_key(self, body: models.CreateApiKeyBody) -> Answer:
        request = pb.CreateApiKeyRequest(
            name=body.name,
            scopes=body.scopes,
            expires_at=instant_request(body.expires_at),
            all_scopes=not body.scopes,
        )
        answer, again = await self._auth.call_replayable(self._stub.CreateApiKey, request)
        shown = {**translation.api_key(answer.api_key), "key": answer.secret}
        return created(shown, headers=replayed(again))

    async def api_keys(self, query: QueryOf[PageQuery]) -> Answer:
        request = pb.ListApiKeysRequest(page=page_request(query.limit, query.cursor))
        answer = await self._auth.call(self._stub.ListApiKeys, request)
        return ok(
            {"data": [translation.api_key(item) for item in answer.api_keys], "next_cursor": next_cursor(answer.page)}
        )

    async def revoke_api_key(self, api_key_id: Id) -> Answer:
        await self._auth.call(self._stub.RevokeApiKey, pb.RevokeApiKeyRequest(id=api_key_id))
        return no_content()
