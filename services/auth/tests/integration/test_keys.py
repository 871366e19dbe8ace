"""API keys, service tokens, signing keys, and everything that is not a token."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.auth.adapters.signing import KeyRing
from quantmesh.auth.core.model import service_grant
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, Unauthenticated
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.rpc.keys import parse_jwks
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp

from .conftest import SERVICE_SECRET, Auth


async def service_token(auth: Auth, secret: str = SERVICE_SECRET) -> str:
    auth.act_as("")
    request = pb.IssueServiceTokenRequest(service="gateway", secret=secret)
    return (await auth.peer.call(auth.stub.IssueServiceToken, request)).token


async def new_api_key(auth: Auth, **options: Any) -> pb.CreateApiKeyResponse:
    auth.act_as((await auth.login()).access_token)
    request = pb.CreateApiKeyRequest(name="bot", **(options or {"all_scopes": True}))
    return await auth.peer.call(auth.stub.CreateApiKey, request)


async def exchange(auth: Auth, secret: str) -> pb.ExchangeApiKeyResponse:
    auth.act_as(await service_token(auth))
    return await auth.peer.call(auth.stub.ExchangeApiKey, pb.ExchangeApiKeyRequest(secret=secret))


async def test_an_api_key_becomes_a_short_token_with_its_scopes_alone(auth: Auth) -> None:
    user = await auth.register()
    made = await new_api_key(auth, scopes=["market:read"])
    answer = await exchange(auth, made.secret)
    caller = await auth.verifier.verify(answer.token)
    assert (caller.subject, sorted(caller.scopes), answer.expires_in) == (user.id, ["market:read"], 60)
    auth.act_as((await auth.login()).access_token)
    listed = (await auth.peer.call(auth.stub.ListApiKeys, pb.ListApiKeysRequest())).api_keys
    assert [key.prefix for key in listed] == [made.secret[:12]]
    assert listed[0].HasField("last_used_at")


@pytest.mark.parametrize("by", ["session", "key"])
async def test_what_has_ended_makes_no_key_any_more_while_its_token_lives(auth: Auth, by: str) -> None:
    await auth.register()
    tokens = await auth.login()
    made = await new_api_key(auth, scopes=["account:manage", "market:read"])
    token = tokens.access_token if by == "session" else (await exchange(auth, made.secret)).token
    auth.act_as(token)
    assert (await auth.peer.call(auth.stub.CreateApiKey, pb.CreateApiKeyRequest(name="second", all_scopes=True))).secret
    if by == "session":
        await auth.peer.call(auth.stub.Logout, pb.LogoutRequest())
    else:
        await auth.peer.call(auth.stub.RevokeApiKey, pb.RevokeApiKeyRequest(id=made.api_key.id))
    with pytest.raises(Unauthenticated):
        await auth.peer.call(auth.stub.CreateApiKey, pb.CreateApiKeyRequest(name="third", all_scopes=True))


async def test_a_key_has_all_scopes_only_where_that_was_asked_for(auth: Auth) -> None:
    await auth.register()
    with pytest.raises(InvalidInput) as refused:
        await new_api_key(auth, scopes=[])
    assert [violation.field for violation in refused.value.violations] == ["scopes"]
    everything = set((await new_api_key(auth, all_scopes=True)).api_key.scopes)
    assert everything > {"portfolio:read", "orders:write"}
    assert "account:manage" not in everything
    # Who says both gets the fewer; who says one twice gets it once.
    named = (await new_api_key(auth, scopes=["market:read", "market:read"], all_scopes=True)).api_key.scopes
    assert list(named) == ["market:read"]


async def test_the_token_of_a_key_ends_with_the_key(auth: Auth) -> None:
    await auth.register()
    end = auth.clock.now() + timedelta(seconds=5.5)
    made = await new_api_key(auth, all_scopes=True, expires_at=to_timestamp(end))
    answer = await exchange(auth, made.secret)
    assert 1 <= answer.expires_in <= 6
    assert (await auth.verifier.verify(answer.token)).expires_at < end.timestamp() + 1
    auth.clock.offset = timedelta(seconds=5.5)
    with pytest.raises(Unauthenticated):
        await exchange(auth, made.secret)


async def test_a_revoked_key_and_another_users_key_are_gone(auth: Auth) -> None:
    await auth.register()
    made = await new_api_key(auth)
    await auth.register("bob@example.com")
    auth.act_as((await auth.login("bob@example.com")).access_token)
    with pytest.raises(NotFound):
        await auth.peer.call(auth.stub.RevokeApiKey, pb.RevokeApiKeyRequest(id=made.api_key.id))
    auth.act_as((await auth.login()).access_token)
    await auth.peer.call(auth.stub.RevokeApiKey, pb.RevokeApiKeyRequest(id=made.api_key.id))
    # For edges to see while the broker is away.
    assert await auth.redis.exists(f"auth:revoked:key:{made.api_key.id}")
    with pytest.raises(Unauthenticated):
        await exchange(auth, made.secret)


async def test_keys_come_in_pages(auth: Auth) -> None:
    await auth.register()
    ids = [(await new_api_key(auth)).api_key.id for _ in range(3)]
    first = await auth.peer.call(auth.stub.ListApiKeys, pb.ListApiKeysRequest(page=PageRequest(limit=2)))
    rest = await auth.peer.call(
        auth.stub.ListApiKeys, pb.ListApiKeysRequest(page=PageRequest(limit=2, cursor=first.page.next_cursor))
    )
    assert [key.id for key in (*first.api_keys, *rest.api_keys)] == ids
    assert not rest.page.next_cursor
    with pytest.raises(InvalidInput) as refused:
        await auth.peer.call(auth.stub.ListApiKeys, pb.ListApiKeysRequest(page=PageRequest(cursor="nonsense")))
    assert refused.value.problem == "invalid-cursor"


async def test_only_a_service_exchanges_keys_and_only_by_its_secret(auth: Auth) -> None:
    await auth.register()
    made = await new_api_key(auth)
    auth.act_as((await auth.login()).access_token)
    with pytest.raises(PermissionDenied):
        await auth.peer.call(auth.stub.ExchangeApiKey, pb.ExchangeApiKeyRequest(secret=made.secret))
    for secret in ("", "wrong"):
        with pytest.raises(Unauthenticated):
            await service_token(auth, secret)


async def test_signing_keys_rotate_without_a_gap(auth: Auth) -> None:
    await auth.register()
    before = (await auth.login()).access_token
    first = set(parse_jwks(auth.keys.jwks()))
    auth.clock.offset = timedelta(days=30)
    await auth.keys.refresh()
    published = set(parse_jwks(auth.keys.jwks()))
    assert len(published) == 2
    # Published, but not yet signing: verifiers may still hold the older set.
    auth.clock.offset = timedelta(days=30, minutes=5)
    signed = auth.keys.sign(_grant(), auth.clock.now())[0]
    assert jwt.get_unverified_header(signed)["kid"] in first
    auth.clock.offset = timedelta(days=30, minutes=11)
    signed = auth.keys.sign(_grant(), auth.clock.now())[0]
    assert jwt.get_unverified_header(signed)["kid"] in published - first
    await auth.verifier.verify(before)
    auth.clock.offset = timedelta(days=30, hours=2)
    await auth.keys.refresh()
    assert set(parse_jwks(auth.keys.jwks())) == published - first


async def test_another_encryption_key_opens_nothing_until_the_signing_keys_are_retired(auth: Auth) -> None:
    """As docs/operations.md has it done: the old tokens end, and keys are made that the new one seals."""
    auth.act_as("")
    exchanged = KeyRing(auth.database, b"n" * 32, auth.clock)
    with pytest.raises(InvalidTag):
        await exchanged.refresh()
    async with auth.database.system_transaction() as session:
        await session.execute(text("UPDATE signing_key SET retired_at = now() WHERE retired_at IS NULL"))
    await exchanged.refresh()
    token, _ = exchanged.sign(service_grant("gateway"), auth.clock.now())
    assert (await TokenVerifier(exchanged, cache_seconds=0.0).verify(token)).subject == "svc:gateway"
    with pytest.raises(Unauthenticated):
        await TokenVerifier(auth.keys, cache_seconds=0.0).verify(token)


def _grant() -> Any:
    from quantmesh.auth.core.model import service_grant

    return service_grant("gateway")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(uuid.uuid4()), "iat": now, "exp": now + 300, "scope": ""}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


Forger = Callable[[Ed25519PrivateKey, str], str]
STRANGER = Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def signed(key: Any, kid: Any, *, alg: str = "EdDSA", typ: Any = TOKEN_TYPE, header: Any = None, **changes: Any) -> str:
    headers = {"kid": kid, "typ": typ} | (header or {})
    return jwt.encode(claims(**changes), key, algorithm=alg, headers={k: v for k, v in headers.items() if v is not ...})


def tampered(token: str, part: int) -> str:
    parts = token.split(".")
    swapped = "A" if parts[part][5] != "A" else "B"
    parts[part] = parts[part][:5] + swapped + parts[part][6:]
    return ".".join(parts)


def unsigned(kid: str, alg: str) -> str:
    header = b64(json.dumps({"alg": alg, "kid": kid, "typ": TOKEN_TYPE}).encode())
    return f"{header}.{b64(json.dumps(claims()).encode())}."


def hmac_with_public_key(key: Ed25519PrivateKey, kid: str) -> str:
    import hashlib
    import hmac

    header = b64(json.dumps({"alg": "HS256", "kid": kid, "typ": TOKEN_TYPE}).encode())
    body = b64(json.dumps(claims()).encode())
    mac = hmac.new(key.public_key().public_bytes_raw(), f"{header}.{body}".encode(), hashlib.sha256).digest()
    return f"{header}.{body}.{b64(mac)}"


FORGERIES: dict[str, Forger] = {
    "empty": lambda _, __: "",
    "no token at all": lambda _, __: "not-a-token",
    "two parts": lambda key, kid: signed(key, kid).rsplit(".", 1)[0],
    "four parts": lambda key, kid: signed(key, kid) + ".x",
    "not ASCII": lambda key, kid: signed(key, kid)[:-1] + "é",
    "over-long": lambda key, kid: signed(key, kid, padding="x" * 5000),
    "alg none": lambda _, kid: unsigned(kid, "none"),
    "alg None": lambda _, kid: unsigned(kid, "None"),
    "alg EdDSA, no signature": lambda _, kid: unsigned(kid, "EdDSA"),
    "HMAC with the public key": hmac_with_public_key,
    "RS256": lambda _, kid: signed(RSA_KEY, kid, alg="RS256"),
    "ES256": lambda _, kid: signed(EC_KEY, kid, alg="ES256"),
    "another's key under our kid": lambda _, kid: signed(STRANGER, kid),
    "unknown kid": lambda key, _: signed(key, "unknown"),
    "kid missing": lambda key, _: signed(key, ...),
    "kid empty": lambda key, _: signed(key, ""),
    "kid a path": lambda key, _: signed(key, "../../dev/null"),
    "typ missing": lambda key, kid: signed(key, kid, typ=None),
    "typ JWT": lambda key, kid: signed(key, kid, typ="JWT"),
    "embedded jwk": lambda _, kid: signed(STRANGER, kid, header={"jwk": {"kty": "OKP"}}),
    "jku": lambda key, kid: signed(key, kid, header={"jku": "https://example.com/keys"}),
    "x5u": lambda key, kid: signed(key, kid, header={"x5u": "https://example.com/cert"}),
    "crit": lambda key, kid: signed(key, kid, header={"crit": ["exp"]}),
    "expired": lambda key, kid: signed(key, kid, exp=int(time.time()) - 1),
    "exp missing": lambda key, kid: signed(key, kid, exp=...),
    "exp no number": lambda key, kid: signed(key, kid, exp="tomorrow"),
    "issued in the future": lambda key, kid: signed(key, kid, iat=int(time.time()) + 3600),
    "not yet valid": lambda key, kid: signed(key, kid, nbf=int(time.time()) + 3600),
    "iat missing": lambda key, kid: signed(key, kid, iat=...),
    "iss missing": lambda key, kid: signed(key, kid, iss=...),
    "another issuer": lambda key, kid: signed(key, kid, iss="someone"),
    "aud missing": lambda key, kid: signed(key, kid, aud=...),
    "another audience": lambda key, kid: signed(key, kid, aud="elsewhere"),
    "several audiences": lambda key, kid: signed(key, kid, aud=[AUDIENCE, "elsewhere"]),
    "sub missing": lambda key, kid: signed(key, kid, sub=...),
    "sub no UUID": lambda key, kid: signed(key, kid, sub="root"),
    "scope a list": lambda key, kid: signed(key, kid, scope=["market:write"]),
    "roles a string": lambda key, kid: signed(key, kid, roles="operator"),
    "header altered": lambda key, kid: tampered(signed(key, kid), 0),
    "body altered": lambda key, kid: tampered(signed(key, kid), 1),
    "signature altered": lambda key, kid: tampered(signed(key, kid), 2),
}


@pytest.fixture
def signing_key(auth: Auth) -> tuple[Ed25519PrivateKey, str]:
    """The key that really signs: even with it, a token out of shape is refused."""
    key = auth.keys._keys[0]
    return key.private_key, key.kid


async def test_every_forgery_is_refused(auth: Auth, signing_key: tuple[Ed25519PrivateKey, str]) -> None:
    assert len(FORGERIES) >= 25
    await auth.verifier.verify(signed(*signing_key))
    accepted = []
    for name, forge in FORGERIES.items():
        try:
            await auth.verifier.verify(forge(*signing_key))
        except Unauthenticated:
            continue
        accepted.append(name)
    assert accepted == []
