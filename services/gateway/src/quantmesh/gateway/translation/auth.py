"""Accounts, sessions and API keys: messages to JSON."""

from typing import Any

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.gateway.translation.common import instant


def user(message: pb.User) -> dict[str, Any]:
    return {
        "id": message.id,
        "email": message.email,
        "full_name": message.full_name,
        "roles": list(message.roles),
        "tier": message.tier,
        "created_at": instant(message, "created_at"),
    }


def tokens(message: pb.TokenPair) -> dict[str, Any]:
    return {
        "access_token": message.access_token,
        "refresh_token": message.refresh_token,
        "token_type": "Bearer",
        "expires_in": message.expires_in,
    }


def session(message: pb.Session) -> dict[str, Any]:
    return {
        "id": message.id,
        "user_agent": message.user_agent,
        "ip_address": message.ip_address,
        "created_at": instant(message, "created_at"),
        "last_used_at": instant(message, "last_used_at"),
        "expires_at": instant(message, "expires_at"),
        "current": message.current,
    }


def api_key(message: pb.ApiKey) -> dict[str, Any]:
    return {
        "id": message.id,
        "name": message.name,
        "prefix": message.prefix,
        "scopes": list(message.scopes),
        "created_at": instant(message, "created_at"),
        "last_used_at": instant(message, "last_used_at"),
        "expires_at": instant(message, "expires_at"),
    }
