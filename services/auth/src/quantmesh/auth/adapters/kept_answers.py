"""Answers kept for repetitions of a call (idempotency keys), without the secrets in them lying open."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class KeptAnswers:
    """A `Seal` by AES-256-GCM, bound to the place that an answer belongs to."""

    def __init__(self, encryption_key: bytes) -> None:
        self._cipher = AESGCM(_derived(encryption_key, b"quantmesh kept answers"))
        self._print_key = _derived(encryption_key, b"quantmesh kept requests")

    def close(self, answer: bytes, place: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, answer, _associated(place))

    def open(self, sealed: bytes, place: str) -> bytes:
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _associated(place))

    def fingerprint(self, password: str) -> str:
        """What tells two requests apart by: a plain hash of a password could be guessed from the table."""
        return hmac.new(self._print_key, password.encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key)


def _associated(place: str) -> bytes:
    return f"auth.idempotency.answer.{place}.1".encode()
