"""/auth: accounts, logins, sessions and API keys."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from quantmesh.client.encoding import given
from quantmesh.client.models.accounts import AccountSession, ApiKey, KeySet, Tokens, User
from quantmesh.client.models.base import Page
from quantmesh.client.transport import Transport


class Auth:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, email: str, password: str, full_name: str) -> User:
        body = {"email": email, "password": password, "full_name": full_name}
        return self._transport.call("POST", "/auth/register", User, json=body)

    def login(self, email: str, password: str) -> Tokens:
        """The calls that follow are made with these tokens, which are renewed as they expire."""
        self._transport.sign_out()
        tokens = self._transport.call("POST", "/auth/login", Tokens, json={"email": email, "password": password})
        self._transport.sign_in(tokens)
        return tokens

    def logout(self) -> None:
        self._transport.send("POST", "/auth/logout")
        self._transport.sign_out()

    def me(self) -> User:
        return self._transport.call("GET", "/auth/me", User)

    def sessions(self) -> Iterator[AccountSession]:
        """The logins that last, this one too where it is by token."""
        return self._transport.pages("/auth/sessions", Page[AccountSession])

    def end_session(self, session_id: str) -> None:
        self._transport.send("DELETE", f"/auth/sessions/{session_id}")

    def create_api_key(self, name: str, scopes: Sequence[str] = (), *, expires_at: datetime | None = None) -> ApiKey:
        """Without scopes it has all of its owner's but account:manage."""
        body = {"name": name, **given(scopes=[*scopes] or None, expires_at=expires_at)}
        return self._transport.call("POST", "/auth/api-keys", ApiKey, json=body, idempotent=True)

    def api_keys(self) -> Iterator[ApiKey]:
        """By their prefixes; what they are is shown when they are made alone."""
        return self._transport.pages("/auth/api-keys", Page[ApiKey])

    def revoke_api_key(self, api_key_id: str) -> None:
        self._transport.send("DELETE", f"/auth/api-keys/{api_key_id}")

    def public_keys(self) -> KeySet:
        """What access tokens are signed with, for whoever verifies them."""
        return self._transport.call("GET", "/auth/.well-known/jwks.json", KeySet)
