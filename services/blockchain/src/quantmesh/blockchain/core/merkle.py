"""Merkle trees as OpenZeppelin's standard-v1 builds them, over leaves that are already hashed.

The leaves are sorted, the nodes lie in one array with the root first, and an inner node hashes its children smaller
first, so that a path is a list of siblings without sides. A leaf is the hash of a 32-byte value hashed before
(`leaf_of`), an inner node the hash of 64 bytes: neither can be passed off as the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quantmesh.blockchain.core.model import HASH_BYTES
from quantmesh.blockchain.core.ports import Keccak256


@dataclass(frozen=True, slots=True)
class Tree:
    """`paths` holds the siblings of each leaf from the bottom up; none where the tree is one leaf."""

    root: bytes
    paths: Mapping[bytes, tuple[bytes, ...]]


def leaf_of(payload: bytes, keccak256: Keccak256) -> bytes:
    """The leaf of a canonical payload: standard-v1 over `["bytes32"]`, whose ABI encoding is those 32 bytes."""
    return keccak256(keccak256(keccak256(payload)))


def build_tree(leaves: Sequence[bytes], keccak256: Keccak256) -> Tree:
    """Raises ValueError where there is no leaf, or one twice or of another length."""
    if not leaves or len(set(leaves)) != len(leaves) or any(len(leaf) != HASH_BYTES for leaf in leaves):
        msg = f"a tree needs one or more different leaves of {HASH_BYTES} bytes each, not {len(leaves)} such as these"
        raise ValueError(msg)
    count = len(leaves)
    inner_count = count - 1
    nodes = [b""] * inner_count + sorted(leaves, reverse=True)
    for index in reversed(range(inner_count)):
        nodes[index] = _parent(nodes[2 * index + 1], nodes[2 * index + 2], keccak256)
    return Tree(root=nodes[0], paths={nodes[index]: _path(nodes, index) for index in range(inner_count, len(nodes))})


def fold(leaf: bytes, path: Sequence[bytes], keccak256: Keccak256) -> bytes:
    """The root that `path` leads to from `leaf`."""
    node = leaf
    for sibling in path:
        node = _parent(node, sibling, keccak256)
    return node


def _path(nodes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    path = []
    while index > 0:
        # The children of i are 2i+1 and 2i+2: the sibling of an odd index follows it, that of an even one precedes.
        path.append(nodes[index + 1 if index % 2 else index - 1])
        index = (index - 1) // 2
    return tuple(path)


def _parent(one: bytes, other: bytes, keccak256: Keccak256) -> bytes:
    return keccak256(one + other if one < other else other + one)
