"""When a token is good, by a clock that need not be the one it was signed by."""

import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.chassis.errors import Unauthenticated
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier

KEY = Ed25519PrivateKey.generate()


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key()


def signed(ahead_seconds: float) -> str:
    """By a clock that is so far ahead of ours."""
    now = time.time() + ahead_seconds
    claims = {"sub": str(uuid.uuid4()), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1", "typ": TOKEN_TYPE})


@pytest.mark.parametrize("ahead_seconds", [-200.0, 0.5, 8.0])
async def test_clocks_may_differ_a_little(ahead_seconds: float) -> None:
    assert (await TokenVerifier(OneKey()).verify(signed(ahead_seconds))).owner_id is not None


@pytest.mark.parametrize("ahead_seconds", [-301.0, 60.0, 3600.0])
async def test_but_no_more_than_that(ahead_seconds: float) -> None:
    with pytest.raises(Unauthenticated):
        await TokenVerifier(OneKey()).verify(signed(ahead_seconds))
