"""Passwords and keys of the local mesh: made once, kept in one file that only its owner reads."""

import base64
import json
import secrets
from pathlib import Path


class Secrets:
    """By name; a name asked for the first time gets 256 fresh random bits, in hexadecimal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str) -> str:
        if name not in self._values:
            self._values[name] = secrets.token_hex(32)
            self._save()
        return self._values[name]

    def key(self, name: str) -> str:
        """The same bits in base64, as settings for encryption keys want them."""
        return base64.b64encode(bytes.fromhex(self.get(name))).decode()

    def _save(self) -> None:
        unfinished = self._path.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(self._values, indent=2, sort_keys=True) + "\n")
        unfinished.replace(self._path)
