"""Accounts, sessions and API keys: bodies and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from quantmesh.gateway.http.models.base import Body, Instant, Name, Shown, ShownInstant

Email = Annotated[
    str,
    StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}$"),
    Field(json_schema_extra={"examples": ["ada@example.org"]}),
]
Password = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), Field(json_schema_extra={"format": "password"})
]
Scope = Literal[
    "account:manage",
    "market:read",
    "market:write",
    "portfolio:read",
    "portfolio:write",
    "orders:write",
    "pricing:use",
    "risk:use",
    "predictions:read",
    "predictions:train",
    "blockchain:read",
    "compliance:manage",
    "halts:manage",
    "events:manage",
]


class RegisterBody(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"email": "ada@example.org", "password": "correct horse battery staple", "full_name": "Ada Lovelace"}
            ]
        }
    )

    email: Email
    password: Password
    full_name: Name


class LoginBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.org", "password": "correct horse battery staple"}]}
    )

    email: Email
    password: Password


class RefreshBody(Body):
    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+$")]


class CreateApiKeyBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "nightly report", "scopes": ["market:read", "portfolio:read"]}]}
    )

    name: Name
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=20, description="All of the owner's except account:manage where absent."),
    ] = Field(default_factory=list)
    expires_at: Instant | None = None


class UserShown(Shown):
    id: str
    email: str
    full_name: str
    roles: list[str]
    tier: str
    created_at: ShownInstant


class TokensShown(Shown):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]


class SessionShown(Shown):
    id: str
    user_agent: str
    ip_address: str
    created_at: ShownInstant
    last_used_at: ShownInstant | None
    expires_at: ShownInstant | None
    current: bool


class SessionsShown(Shown):
    data: list[SessionShown]
    next_cursor: str | None


class ApiKeyShown(Shown):
    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: ShownInstant
    last_used_at: ShownInstant | None
    expires_at: ShownInstant | None


class NewApiKeyShown(ApiKeyShown):
    key: Annotated[str, Field(description="Send it as X-Api-Key. It is shown this once.")]


class ApiKeysShown(Shown):
    data: list[ApiKeyShown]
    next_cursor: str | None


class JsonWebKeySet(Shown):
    keys: list[dict[str, str]]
