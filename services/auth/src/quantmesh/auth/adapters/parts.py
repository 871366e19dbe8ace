"""What the methods of AuthService work with."""

from collections.abc import Mapping
from dataclasses import dataclass

from quantmesh.auth.adapters.hashing import Argon2Hasher
from quantmesh.auth.adapters.kept_answers import KeptAnswers
from quantmesh.auth.adapters.session_cache import SessionCache
from quantmesh.auth.adapters.signing import KeyRing
from quantmesh.auth.core.ports import Throttle
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database


@dataclass(frozen=True, slots=True)
class AuthParts:
    """`decoy_hash` is verified in place of an unknown account's, so that both take as long."""

    database: Database
    keys: KeyRing
    hasher: Argon2Hasher
    throttle: Throttle
    cache: SessionCache
    clock: Clock
    kept_answers: KeptAnswers
    decoy_hash: str
    service_secrets: Mapping[str, str]
