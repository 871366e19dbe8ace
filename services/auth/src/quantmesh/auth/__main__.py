"""Serve, or migrate: `python -m quantmesh.auth [migrate]`."""

import asyncio
import base64
import binascii
from functools import partial

from pydantic import Field, SecretStr, field_validator

from quantmesh.api.auth.v1.auth_pb2_grpc import add_AuthServiceServicer_to_server
from quantmesh.api.auth.v1.compliance_pb2_grpc import add_ComplianceServiceServicer_to_server
from quantmesh.auth.adapters.forgetting import forget_ended_sessions
from quantmesh.auth.adapters.hashing import Argon2Hasher
from quantmesh.auth.adapters.kept_answers import KeptAnswers
from quantmesh.auth.adapters.operator import ensure_operator
from quantmesh.auth.adapters.parts import AuthParts
from quantmesh.auth.adapters.rpc import AuthRpc
from quantmesh.auth.adapters.rpc_compliance import ComplianceRpc
from quantmesh.auth.adapters.session_cache import SessionCache
from quantmesh.auth.adapters.signing import KeyRing
from quantmesh.auth.adapters.throttle import Limits, RedisThrottle
from quantmesh.auth.adapters.untold_decisions import tell_untold_decisions
from quantmesh.auth.core.secrets import new_refresh_token
from quantmesh.chassis.cache import Cache, open_redis
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_KEY_REFRESH_SECONDS = 60.0


class AuthSettings(ServiceSettings):
    # 32 random bytes in base64; what signs tokens is encrypted with it.
    auth_key_encryption_key: SecretStr
    auth_service_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    auth_operator_email: str = ""
    auth_operator_password: SecretStr = SecretStr("")
    auth_logins_per_address: int = Field(default=100, ge=1)
    auth_logins_per_account_and_address: int = Field(default=10, ge=1)
    auth_logins_per_account: int = Field(default=100, ge=1)

    @field_validator("auth_key_encryption_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            size = len(base64.b64decode(value.get_secret_value(), validate=True))
        except binascii.Error as error:
            msg = "must be base64"
            raise ValueError(msg) from error
        if size != 32:
            msg = f"must be 32 bytes in base64, these are {size}"
            raise ValueError(msg)
        return value


async def wire(service: Service[AuthSettings]) -> None:
    settings = service.settings
    database, clock = service.database, service.clock
    encryption_key = base64.b64decode(settings.auth_key_encryption_key.get_secret_value())
    keys = KeyRing(database, encryption_key, clock)
    service.use_verifier(TokenVerifier(keys))
    hasher = Argon2Hasher()
    redis = open_redis(settings.redis_url)
    cache = Cache(settings.redis_url, "auth")
    limits = Limits(
        per_address=settings.auth_logins_per_address,
        per_account_and_address=settings.auth_logins_per_account_and_address,
        per_account=settings.auth_logins_per_account,
    )
    parts = AuthParts(
        database=database,
        keys=keys,
        hasher=hasher,
        throttle=RedisThrottle(redis, limits),
        cache=SessionCache(cache),
        clock=clock,
        kept_answers=KeptAnswers(encryption_key),
        decoy_hash=await hasher.hash(new_refresh_token()),
        service_secrets={name: secret.get_secret_value() for name, secret in settings.auth_service_secrets.items()},
    )
    service.add_servicer(add_AuthServiceServicer_to_server, AuthRpc(parts))
    service.add_servicer(add_ComplianceServiceServicer_to_server, ComplianceRpc(database, clock))
    service.publish_events()

    async def keep_keys() -> None:
        """The signing keys are read, and rotated, for as long as the service runs."""
        seeded = False
        while True:
            try:
                await keys.refresh()
                if not seeded and settings.auth_operator_email:
                    await ensure_operator(
                        database,
                        hasher,
                        parts.cache,
                        clock,
                        settings.auth_operator_email,
                        settings.auth_operator_password.get_secret_value(),
                    )
                seeded = True
                await forget_ended_sessions(database, clock.now())
            except Unavailable as error:
                log.warning("keys not refreshed", error=error.detail)
                await asyncio.sleep(1.0)
            else:
                await asyncio.sleep(_KEY_REFRESH_SECONDS)

    async def have_keys() -> None:
        keys.jwks()

    async def close() -> None:
        hasher.close()
        await redis.aclose()
        await cache.close()

    service.add_task("keys", keep_keys)
    service.add_task("untold decisions", partial(tell_untold_decisions, database, clock))
    service.add_check("keys", have_keys)
    service.on_stop(close)


if __name__ == "__main__":
    serve("auth", AuthSettings, wire)
