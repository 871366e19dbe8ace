"""Signing keys (AUTH-1): Ed25519, encrypted at rest, published before they sign, kept past their last token."""

import base64
import json
import math
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from quantmesh.auth.core.model import Grant
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE
from quantmesh.chassis.sql import Session, text

ROTATION = timedelta(days=30)
# Verifiers read the key set every five minutes; a new key signs only once all of them have it.
PUBLICATION = timedelta(minutes=10)
# After its last signature a key verifies on, for longer than any token lives.
RETENTION = timedelta(hours=1)
_NONCE_BYTES = 12

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('auth.signing_key'))")
_LIST = text("SELECT kid, private_key, active_from FROM signing_key WHERE retired_at IS NULL ORDER BY active_from")
_ADD = text("INSERT INTO signing_key (kid, private_key, active_from) VALUES (:kid, :private_key, :active_from)")
_RETIRE = text("UPDATE signing_key SET retired_at = :now WHERE kid = :kid")


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    private_key: Ed25519PrivateKey
    active_from: datetime

    def jwk(self) -> dict[str, str]:
        raw = self.private_key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x}


class KeyRing:
    """The keys in force: signs with the newest active one, and is the key source of auth's own verifier."""

    def __init__(self, database: Database, encryption_key: bytes, clock: Clock) -> None:
        self._database = database
        self._cipher = AESGCM(encryption_key)
        self._clock = clock
        self._keys: list[SigningKey] = []
        self.refresh_key = HKDF(SHA256(), 32, salt=None, info=b"quantmesh refresh tokens").derive(encryption_key)

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return next((key.private_key.public_key() for key in self._keys if key.kid == kid), None)

    def jwks(self) -> str:
        self._require_keys()
        return json.dumps({"keys": [key.jwk() for key in self._keys]}, separators=(",", ":"))

    def sign(self, grant: Grant, now: datetime) -> tuple[str, int]:
        self._require_keys()
        active = [key for key in self._keys if key.active_from <= now] or self._keys[:1]
        lifetime = math.ceil(grant.lifetime.total_seconds())
        issued = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": grant.subject,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": uuid.uuid4().hex,
            "sid": grant.session_id,
            "scope": " ".join(sorted(grant.scopes)),
            "roles": sorted(grant.roles),
            "tier": grant.tier,
        }
        signer = active[-1]
        headers = {"kid": signer.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, signer.private_key, algorithm="EdDSA", headers=headers), lifetime

    async def refresh(self) -> None:
        """Read the keys; make a successor ahead of time, and retire what no living token was signed with."""
        now = self._clock.now()
        async with self._database.system_transaction() as session:
            await session.execute(_LOCK)
            keys = await self._load(session)
            if not keys:
                keys = [await self._add(session, now)]
            elif keys[-1].active_from + ROTATION <= now:
                keys.append(await self._add(session, now + PUBLICATION))
            while len(keys) > 1 and keys[1].active_from + RETENTION <= now:
                await session.execute(_RETIRE, {"kid": keys.pop(0).kid, "now": now})
        self._keys = keys

    def _require_keys(self) -> None:
        if not self._keys:
            msg = "The signing keys have not been read yet."
            raise Unavailable(msg, retry_after_seconds=1.0)

    async def _load(self, session: Session) -> list[SigningKey]:
        rows = (await session.execute(_LIST)).all()
        return [SigningKey(row.kid, self._open(row.kid, bytes(row.private_key)), row.active_from) for row in rows]

    async def _add(self, session: Session, active_from: datetime) -> SigningKey:
        key = SigningKey(secrets.token_hex(8), Ed25519PrivateKey.generate(), active_from)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, key.private_key.private_bytes_raw(), _associated(key.kid))
        await session.execute(_ADD, {"kid": key.kid, "private_key": sealed, "active_from": active_from})
        return key

    def _open(self, kid: str, sealed: bytes) -> Ed25519PrivateKey:
        raw = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _associated(kid))
        return Ed25519PrivateKey.from_private_bytes(raw)


def _associated(kid: str) -> bytes:
    """Bound to its place, so that one row's ciphertext cannot stand in for another's."""
    return f"auth.signing_key.private_key.{kid}.1".encode()
