"""Trees against those of OpenZeppelin's own package, and against what a tree has to be."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.core.merkle import build_tree, fold, leaf_of

HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


def test_keccak_is_the_one_of_ethereum_and_not_sha3() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("index", range(7))
def test_trees_are_those_of_openzeppelin(workspace: Path, index: int) -> None:
    """The same file is verified on chain by OpenZeppelin's MerkleProof (contracts/test/StandardTree.t.sol)."""
    vectors = json.loads((workspace / "contracts/test/vectors/standard_v1.json").read_text())["trees"]
    assert len(vectors) == 7
    vector = vectors[index]

    tree = build_tree([_bytes(entry["leaf"]) for entry in vector["entries"]], keccak256)

    assert tree.root == _bytes(vector["root"])
    assert tree.paths == {
        _bytes(entry["leaf"]): tuple(_bytes(sibling) for sibling in entry["path"]) for entry in vector["entries"]
    }


def test_leaf_is_the_standard_leaf_of_the_payloads_hash(workspace: Path) -> None:
    entry = json.loads((workspace / "contracts/test/vectors/standard_v1.json").read_text())["trees"][0]["entries"][0]
    # The vectors start at keccak256(payload), so the payload is stood in for by a hash that knows its preimage.
    value = _bytes(entry["value"])

    assert leaf_of(b"payload", lambda data: value if data == b"payload" else keccak256(data)) == _bytes(entry["leaf"])


@given(HASHES)
def test_every_path_leads_to_the_root(leaves: list[bytes]) -> None:
    tree = build_tree(leaves, keccak256)

    assert set(tree.paths) == set(leaves)
    assert {fold(leaf, path, keccak256) for leaf, path in tree.paths.items()} == {tree.root}


@given(HASHES)
def test_the_order_of_arrival_does_not_matter(leaves: list[bytes]) -> None:
    assert build_tree(leaves[::-1], keccak256) == build_tree(leaves, keccak256)


@given(HASHES.filter(lambda leaves: len(leaves) > 1), st.integers(0), st.integers(0), st.integers(0, 255))
def test_a_path_with_one_bit_changed_leads_elsewhere(leaves: list[bytes], pick: int, element: int, bit: int) -> None:
    tree = build_tree(leaves, keccak256)
    leaf = leaves[pick % len(leaves)]
    path = list(tree.paths[leaf])
    element %= len(path)
    path[element] = (int.from_bytes(path[element]) ^ (1 << bit)).to_bytes(32)

    assert fold(leaf, path, keccak256) != tree.root


@pytest.mark.parametrize("leaves", [[], [b"short"], [bytes(32), bytes(32)]])
def test_what_is_no_set_of_hashes_has_no_tree(leaves: list[bytes]) -> None:
    with pytest.raises(ValueError, match="different leaves of 32 bytes"):
        build_tree(leaves, keccak256)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
