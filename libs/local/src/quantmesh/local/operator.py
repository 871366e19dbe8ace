"""The first operator of the local mesh, whose credentials `make up` prints and the demo trains with."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from quantmesh.local.secrets import Secrets

EMAIL = "operator@quantmesh.dev"


@dataclass(frozen=True)
class Operator:
    email: str
    password: str
    gateway: str

    @classmethod
    def read(cls, path: Path) -> "Operator | None":
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def password_of(secrets: Secrets) -> str:
    """80 bits of a secret: short enough to type."""
    return secrets.get("operator_password")[:20]


def operator_of(secrets: Secrets, gateway: str) -> Operator:
    return Operator(EMAIL, password_of(secrets), gateway)
