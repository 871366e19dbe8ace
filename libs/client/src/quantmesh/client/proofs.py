"""Judge a proof by itself and an EVM node alone: no part of quantmesh is asked.

The payload in its canonical form (RFC 8785) hashes to the leaf, the path leads from the leaf to the root (as in
OpenZeppelin's standard-v1 trees), the contract says in which block it saw that root, and the transaction that the proof
names is the one that anchored it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import rfc8785
from sha3 import keccak_256

from quantmesh.client.errors import ClientError
from quantmesh.client.models.chain import Proof, Verdict

_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NUMBER = re.compile(r"0x[0-9a-fA-F]*")


class NodeUnavailable(ClientError):
    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The node at {url} did not answer: {reason}.")


class _Refuted(Exception):
    """Why a proof does not hold."""


def keccak256(content: bytes) -> bytes:
    digest: bytes = keccak_256(content).digest()
    return digest


_ROOT_ANCHORED = f"0x{keccak256(b'RootAnchored(bytes32,address)').hex()}"


def leaf_of(payload: Mapping[str, object]) -> bytes:
    """`keccak256(keccak256(abi.encode(keccak256(payload))))`; hashed twice, so that no inner node passes for a leaf."""
    try:
        content = rfc8785.dumps(dict(payload))  # type: ignore[arg-type]  # its own alias for JSON values
    except rfc8785.CanonicalizationError as error:
        msg = f"The payload has no canonical form: {error}."
        raise _Refuted(msg) from error
    return keccak256(keccak256(keccak256(content)))


def root_of(leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Each pair is hashed smaller first, so a path needs no sides."""
    node = leaf
    for sibling in path:
        node = keccak256(min(node, sibling) + max(node, sibling))
    return node


def verify(proof: Proof, node_url: str, *, contract: str | None = None, http: httpx.Client | None = None) -> Verdict:
    """Whether `node_url` confirms the proof. Raises NodeUnavailable where the node cannot say.

    `contract` is the address that one trusts; without it the proof's own is asked, which shows that the root is on
    chain but not that quantmesh's contract holds it.
    """
    client = http or httpx.Client(timeout=10.0)
    try:
        _verify(proof, _Node(node_url, client), contract)
    except _Refuted as refutation:
        return Verdict(valid=False, reason=str(refutation))
    finally:
        if http is None:
            client.close()
    return Verdict(valid=True, reason=None)


def _verify(proof: Proof, node: "_Node", contract: str | None) -> None:
    leaf = leaf_of(proof.payload)
    _require(leaf == _hash(proof.leaf, "leaf"), f"The payload hashes to 0x{leaf.hex()}, not to the leaf {proof.leaf}.")
    root = root_of(leaf, [_hash(element, f"path[{index}]") for index, element in enumerate(proof.path)])
    _require(root == _hash(proof.root, "root"), f"The path leads to 0x{root.hex()}, not to the root {proof.root}.")
    anchor = proof.anchor
    trusted = contract or anchor.contract
    _require(_ADDRESS.fullmatch(trusted) is not None, f"{trusted} is no address of a contract.")
    _require(
        trusted.lower() == anchor.contract.lower(), f"The proof names the contract {anchor.contract}, not {trusted}."
    )
    chain_id = node.chain_id()
    _require(chain_id == anchor.chain_id, f"The node is on chain {chain_id}, the proof on chain {anchor.chain_id}.")
    block_number = node.anchored_at(trusted, root)
    _require(block_number != 0, f"The contract {trusted} has never seen the root {proof.root}.")
    _require(
        block_number == anchor.block_number,
        f"The root was anchored in block {block_number}, not in block {anchor.block_number}.",
    )
    transaction = _hash(anchor.transaction_hash, "transaction_hash")
    _require(
        node.has_anchored(transaction, trusted, root),
        f"The transaction {anchor.transaction_hash} did not anchor this root.",
    )


class _Node:
    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def chain_id(self) -> int:
        return self._number("eth_chainId", [])

    def anchored_at(self, contract: str, root: bytes) -> int:
        """The block in which the contract saw the root; zero for never, also where there is no such contract."""
        selector = keccak256(b"anchoredAt(bytes32)")[:4]
        call = {"to": contract, "data": f"0x{(selector + root).hex()}"}
        return self._number("eth_call", [call, "latest"])

    def has_anchored(self, transaction: bytes, contract: str, root: bytes) -> bool:
        """Whether one of the transaction's logs is the contract's, about that root."""
        receipt = self._call("eth_getTransactionReceipt", [f"0x{transaction.hex()}"])
        wanted = [_ROOT_ANCHORED, f"0x{root.hex()}"]
        try:
            return receipt is not None and any(
                log["address"].lower() == contract.lower() and [topic.lower() for topic in log["topics"][:2]] == wanted
                for log in receipt["logs"]
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise NodeUnavailable(self._url, "it sent a receipt that cannot be read") from error

    def _number(self, method: str, parameters: list[object]) -> int:
        """Nothing at all is zero: where no contract is, nothing answers."""
        text = self._call(method, parameters)
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise NodeUnavailable(self._url, f"it sent {str(text)[:80]!r} for a number")
        return int(text[2:] or "0", 16)

    def _call(self, method: str, parameters: list[object]) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            answer = self._http.post(self._url, json=request).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise NodeUnavailable(self._url, str(error) or type(error).__name__) from error
        if not isinstance(answer, dict) or "result" not in answer:
            refusal = answer.get("error") if isinstance(answer, dict) else None
            reason = refusal.get("message") if isinstance(refusal, dict) else None
            raise NodeUnavailable(self._url, str(reason or "it sent no result"))
        return answer["result"]


def _hash(text: str, name: str) -> bytes:
    _require(_HASH.fullmatch(text) is not None, f"The {name} {text[:80]!r} is not 0x and 64 hexadecimal digits.")
    return bytes.fromhex(text[2:])


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise _Refuted(reason)
