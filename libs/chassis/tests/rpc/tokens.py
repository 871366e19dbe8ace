"""Access tokens as auth issues them, and the one key that they are signed with."""

import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE

KEY = Ed25519PrivateKey.generate()
USER = uuid.uuid4()


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k1" else None


def token(scope: str = "jobs:read", subject: str = str(USER)) -> str:
    now = int(time.time())
    claims = {"sub": subject, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": scope}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1", "typ": TOKEN_TYPE})
