"""Refresh tokens and API keys. They are stored as hashes alone: 256 random bits need no salt."""

import base64
import hashlib
import hmac
import secrets

API_KEY_MARK = "qmk_"
_PREFIX_LENGTH = 12


def new_refresh_token() -> str:
    return _text(secrets.token_bytes(32))


def successor_of(refresh_token: str, key: bytes) -> str:
    """The next token of the chain: a function of this one, so that two racing refreshes are given the same.

    Without `key` a thief of the older token cannot compute it, and nothing but its hash needs to be stored.
    """
    return _text(hmac.digest(key, b"refresh:" + refresh_token.encode(errors="surrogatepass"), "sha256"))


def new_api_key() -> tuple[str, str]:
    """A key and its public prefix, by which people tell keys apart."""
    key = API_KEY_MARK + _text(secrets.token_bytes(32))
    return key, key[:_PREFIX_LENGTH]


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
