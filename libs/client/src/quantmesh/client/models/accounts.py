"""Users, tokens and API keys."""

from datetime import datetime

from quantmesh.client.models.base import Answer


class User(Answer):
    id: str
    email: str
    full_name: str
    roles: tuple[str, ...]
    tier: str
    created_at: datetime


class Tokens(Answer):
    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds."""


class ApiKey(Answer):
    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    key: str | None = None
    """Shown once, when the key is made."""
