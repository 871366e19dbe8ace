"""/blockchain: proofs, and what is on chain."""

import time

from quantmesh.client.errors import NotYet
from quantmesh.client.models.base import Page
from quantmesh.client.models.chain import ChainTransaction, Network, Proof, Verdict
from quantmesh.client.transport import Transport


class Chain:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def proof(self, transaction_id: str, *, patience_seconds: float = 0.0) -> Proof:
        """Raises NotYet where the anchor is not confirmed within the patience."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return self._transport.call("GET", f"/blockchain/proofs/{transaction_id}", Proof)
            except NotYet as error:
                if time.monotonic() + error.retry_after_seconds > deadline:
                    raise
                time.sleep(error.retry_after_seconds)

    def verify(self, proof: Proof) -> Verdict:
        """By the mesh's own verifier; `quantmesh.client.proofs` verifies without it."""
        return self._transport.call("POST", "/blockchain/verify", Verdict, json=proof.model_dump())

    def networks(self) -> tuple[Network, ...]:
        return self._transport.call("GET", "/blockchain/networks", Page[Network]).data

    def transaction(self, transaction_hash: str) -> ChainTransaction:
        """As a proof's anchor names it."""
        return self._transport.call("GET", f"/blockchain/transactions/{transaction_hash}", ChainTransaction)
