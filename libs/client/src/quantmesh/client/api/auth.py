"""/auth: accounts and logins."""

from quantmesh.client.models.accounts import ApiKey, Tokens, User
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

    def create_api_key(self, name: str, scopes: list[str]) -> ApiKey:
        return self._transport.call("POST", "/auth/api-keys", ApiKey, json={"name": name, "scopes": scopes})
