"""A typed client of the public API, and a verifier of proofs that needs no part of quantmesh to run."""

from quantmesh.client.client import DEFAULT_ADDRESS, Client
from quantmesh.client.errors import (
    ClientError,
    JobFailed,
    NotSignedIn,
    NotYet,
    Overloaded,
    Problem,
    StillRunning,
    StreamClosed,
    Unreachable,
    Unreadable,
    Unsendable,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "Client",
    "ClientError",
    "JobFailed",
    "NotSignedIn",
    "NotYet",
    "Overloaded",
    "Problem",
    "StillRunning",
    "StreamClosed",
    "Unreachable",
    "Unreadable",
    "Unsendable",
]
