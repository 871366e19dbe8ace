"""What this service refuses, and why.

QuantmeshError
├── InvalidInput
│   └── InvalidIdentifier         a value that is not 32 bytes in hex, or not a UUID
├── NotFound
│   ├── ProofNotFound             no leaf of this transaction has arrived for this caller
│   └── ChainTransactionNotFound  the node knows no such transaction
├── TooEarly
│   └── NotYetAnchored            the leaf is here, its anchor not confirmed
├── RuleBroken
│   ├── BroadcastRefused          the node does not take a signed transaction
│   ├── CallRefused               the contract would revert: paused, a role missing, too little ether
│   └── LeafChanged               a transaction came again with another leaf
└── Unavailable
    └── NodeUnavailable           the node is silent, of another chain, or speaks no JSON-RPC
"""

from uuid import UUID

from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, TooEarly, Unavailable, Violation


class InvalidIdentifier(InvalidInput):
    problem = "invalid-identifier"

    def __init__(self, field: str, value: str, expected: str) -> None:
        super().__init__(
            f"{field} is {value[:80]!r}; {expected} was expected.",
            violations=[Violation(field, f"must be {expected}")],
        )


class ProofNotFound(NotFound):
    problem = "proof-not-found"

    def __init__(self, transaction_id: UUID) -> None:
        super().__init__(f"No leaf of the transaction {transaction_id} has arrived to be anchored.")


class ChainTransactionNotFound(NotFound):
    problem = "chain-transaction-not-found"

    def __init__(self, transaction_hash: bytes, network: str) -> None:
        super().__init__(f"The network {network} knows no transaction 0x{transaction_hash.hex()}.")


class NotYetAnchored(TooEarly):
    problem = "not-yet-anchored"

    def __init__(self, transaction_id: UUID, retry_after_seconds: float) -> None:
        super().__init__(
            f"The anchor of the transaction {transaction_id} is not confirmed yet.",
            retry_after_seconds=retry_after_seconds,
        )


class NodeUnavailable(Unavailable):
    problem = "node-unavailable"

    def __init__(self, network: str, cause: str) -> None:
        super().__init__(f"The node of the network {network} cannot answer: {cause}.", retry_after_seconds=2.0)


class CallRefused(RuleBroken):
    problem = "contract-call-refused"

    def __init__(self, to: str, cause: str) -> None:
        super().__init__(f"A transaction to {to} would fail: {cause}.")


class LeafChanged(RuleBroken):
    problem = "leaf-changed"

    def __init__(self, transaction_id: UUID, known: bytes, came: bytes) -> None:
        super().__init__(
            f"The transaction {transaction_id} has the leaf 0x{known.hex()}; now 0x{came.hex()} came for it."
        )


class BroadcastRefused(RuleBroken):
    problem = "broadcast-refused"

    def __init__(self, cause: str) -> None:
        super().__init__(f"The node does not take the transaction: {cause}.")
