"""A verifier that believes nothing: each way to alter a proof, and each thing the node may say."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.blockchain.adapters.hashing import canonical, keccak256
from quantmesh.blockchain.adapters.proof_document import MAXIMUM_BYTES, read_proof
from quantmesh.blockchain.core.errors import NodeUnavailable
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.merkle import build_tree, leaf_of
from quantmesh.blockchain.core.model import Network
from quantmesh.blockchain.core.verify_proof import Refuted, verify_proof

from .fakes import CONTRACT, SENDER, FakeChain, FakeContract, FakeSigner

NETWORK = Network("fake", 31337, confirmations=3, contract=CONTRACT, public_rpc_url="http://unreachable.invalid")
PAYLOAD = {
    "schema": "quantmesh.portfolio.transaction.v1",
    "amount": "100000",
    "note": "Über 1 €\n",
    "postings": [{"account": "cash", "amount": "-1.5"}],
    "salt": "0x" + "5a" * 32,
}
Document = dict[str, Any]
Alteration = Callable[[Document], object]


def other_hash(text: str) -> str:
    return "0x" + bytes(byte ^ 1 for byte in bytes.fromhex(text[2:])).hex()


class Scene:
    """A chain with one confirmed root, and a proof under it."""

    def __init__(self) -> None:
        self.chain, self.network = FakeChain(), NETWORK
        leaf = leaf_of(canonical(PAYLOAD), keccak256)
        tree = build_tree([leaf, *(keccak256(bytes([index])) for index in range(7))], keccak256)
        now = datetime(2026, 1, 2, tzinfo=UTC)
        attempt = FakeSigner().sign(FakeContract().anchor(tree.root), 0, 50_000, Fees(10, 1), now)
        self.chain.accept(attempt.raw)
        self.chain.mine(5)
        self.document: Document = {
            "leaf": f"0x{leaf.hex()}",
            "payload": json.loads(json.dumps(PAYLOAD)),
            "path": [f"0x{sibling.hex()}" for sibling in tree.paths[leaf]],
            "root": f"0x{tree.root.hex()}",
            "anchor": {
                "network": "fake",
                "chain_id": 31337,
                "rpc_url": "http://unreachable.invalid",
                "contract": CONTRACT,
                "transaction_hash": f"0x{attempt.hash.hex()}",
                "block_number": 1,
            },
        }

    async def verify(self, text: str | None = None) -> str | None:
        """Why the proof does not hold; None where it does."""
        try:
            proof = read_proof(json.dumps(self.document) if text is None else text)
            await verify_proof(proof, self.chain, self.network, canonical, keccak256)
        except Refuted as refutation:
            return str(refutation)
        return None


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_unaltered_proof_holds(scene: Scene) -> None:
    assert await scene.verify() is None


async def test_spelling_that_json_does_not_care_about_changes_nothing(scene: Scene) -> None:
    scene.document["payload"] = dict(reversed(scene.document["payload"].items()))
    scene.document["root"] = "0x" + scene.document["root"][2:].upper()
    scene.document["anchor"]["contract"] = CONTRACT.lower()

    assert await scene.verify(json.dumps(scene.document, indent=3, ensure_ascii=False)) is None


async def test_a_proof_of_a_contract_that_was_ours_before_holds_and_one_of_a_strangers_does_not(scene: Scene) -> None:
    scene.network = replace(NETWORK, contract=SENDER)
    assert "Roots are recorded by" in (await scene.verify() or "")
    scene.network = replace(scene.network, former_contracts=frozenset({CONTRACT}))
    assert await scene.verify() is None
    scene.document["anchor"]["contract"] = SENDER
    assert "is not anchored by" in (await scene.verify() or "")


async def test_the_address_of_a_node_in_the_proof_is_never_used(scene: Scene) -> None:
    scene.document["anchor"]["rpc_url"] = "http://169.254.169.254/latest"
    assert await scene.verify() is None
    del scene.document["anchor"]["rpc_url"]
    assert await scene.verify() is None


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda proof: proof["payload"].update(amount="100001"), "The payload hashes to the leaf"),
        (lambda proof: proof["payload"].update(salt="0x" + "5b" * 32), "The payload hashes to the leaf"),
        (lambda proof: proof["payload"].pop("note"), "The payload hashes to the leaf"),
        (lambda proof: proof["payload"].update(extra=""), "The payload hashes to the leaf"),
        (lambda proof: proof["payload"]["postings"][0].update(amount="-1.50"), "The payload hashes to the leaf"),
        (lambda proof: proof["payload"].update(amount=100000), r"payload.amount is no string"),
        (lambda proof: proof["payload"].update(amount=None), r"payload.amount is no string"),
        (lambda proof: proof["payload"].update(postings=[{"deep": True}]), r"payload.postings\[0\].deep is no string"),
        (lambda proof: proof.update(payload=_nested(40)), "nested deeper than 16"),
        (lambda proof: proof.update(leaf=other_hash(proof["leaf"])), "The payload hashes to the leaf"),
        (lambda proof: proof.update(leaf="0x12"), "leaf is not 32 bytes in hex"),
        (lambda proof: proof.update(root=other_hash(proof["root"])), "The path leads from the leaf to the root"),
        (lambda proof: proof.update(root=proof["root"][2:]), "root is not 32 bytes in hex"),
        (lambda proof: proof["path"].reverse(), "The path leads"),
        (lambda proof: proof["path"].pop(), "The path leads"),
        (lambda proof: proof["path"].append(proof["path"][0]), "The path leads"),
        (lambda proof: proof["path"].insert(0, other_hash(proof["path"].pop(0))), "The path leads"),
        (lambda proof: proof["path"].insert(1, "0x" + "g" * 64), r"path\[1\] is not 32 bytes in hex"),
        (lambda proof: proof["anchor"].update(chain_id=1), r"The anchor is on fake \(chain id 1\)"),
        (lambda proof: proof["anchor"].update(network="mainnet"), "The anchor is on mainnet"),
        (lambda proof: proof["anchor"].update(contract=FakeSigner.address), "Roots are recorded by the contract"),
        (lambda proof: proof["anchor"].update(transaction_hash="0x"), "anchor.transaction_hash is not 32 bytes"),
        (lambda proof: proof["anchor"].update(transaction_hash="0x" + "00" * 32), "did not anchor this root"),
        (lambda proof: proof["anchor"].update(block_number=2), "anchored in block 1, not in 2"),
    ],
)
async def test_each_alteration_is_refuted_by_name(scene: Scene, alter: Alteration, reason: str) -> None:
    alter(scene.document)

    verdict = await scene.verify()

    assert verdict is not None
    assert re.search(reason, verdict), verdict


async def test_a_whole_tree_of_ones_own_is_not_anchored(scene: Scene) -> None:
    leaf = leaf_of(canonical({"amount": "1"}), keccak256)
    scene.document.update(payload={"amount": "1"}, leaf=f"0x{leaf.hex()}", root=f"0x{leaf.hex()}", path=[])

    verdict = await scene.verify()

    assert verdict is not None
    assert "is not anchored by" in verdict


async def test_a_root_that_fell_off_the_chain_is_not_anchored(scene: Scene) -> None:
    scene.chain.lose_everything()

    assert "is not anchored by" in (await scene.verify() or "")


async def test_too_few_confirmations_do_not_count(scene: Scene) -> None:
    del scene.chain.blocks[3:]

    assert "2 of 3 confirmations" in (await scene.verify() or "")


async def test_a_silent_node_says_nothing_about_the_proof(scene: Scene) -> None:
    scene.chain.silent = True

    with pytest.raises(NodeUnavailable):
        await scene.verify()


def test_no_library_lets_the_interpreter_recurse_until_it_dies() -> None:
    """py_ecc raises the limit to 100,000, see the adapters' package."""
    assert sys.getrecursionlimit() < 10_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "valid dictionary"),
        ("null", "valid dictionary"),
        ("{}", "leaf: Field required"),
        ('{"leaf": "0x", "leaf": "0x"}', "a member twice"),
        ('{"leaf": NaN}', "NaN is no JSON number"),
        ('{"leaf": -Infinity}', "-Infinity is no JSON number"),
        ("[" * 100_000, "recursion limit"),
        ('{"payload": ' * 20_000 + "1" + "}" * 20_000, "recursion limit"),
        ('{"anchor": {"block_number": ' + "9" * 5_000 + "}}", "is not JSON"),
        (" " * (MAXIMUM_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_proof_at_all_is_refuted(text: str, said: str) -> None:
    with pytest.raises(Refuted, match=said):
        read_proof(text)


@pytest.mark.parametrize(
    ("alter", "field"),
    [
        (lambda proof: proof.pop("leaf"), "leaf"),
        (lambda proof: proof.update(leaf=1), "leaf"),
        (lambda proof: proof.update(payload="{}"), "payload"),
        (lambda proof: proof.update(path="0x"), "path"),
        (lambda proof: proof.update(path=[1]), "path.0"),
        (lambda proof: proof.update(path=["0x"] * 65), "path"),
        (lambda proof: proof.update(verified=True), "verified"),
        (lambda proof: proof.update(anchor=None), "anchor"),
        (lambda proof: proof["anchor"].update(chain_id="31337"), "anchor.chain_id"),
        (lambda proof: proof["anchor"].update(chain_id=True), "anchor.chain_id"),
        (lambda proof: proof["anchor"].update(block_number=1.5), "anchor.block_number"),
        (lambda proof: proof["anchor"].update(proxy="x"), "anchor.proxy"),
    ],
)
def test_members_that_are_missing_unknown_or_of_another_type_are_named(
    scene: Scene, alter: Alteration, field: str
) -> None:
    alter(scene.document)

    with pytest.raises(Refuted, match=rf"This is not a proof: {field}: "):
        read_proof(json.dumps(scene.document))


def test_a_lone_surrogate_in_the_document_is_refuted(scene: Scene) -> None:
    text = json.dumps(scene.document).replace("100000", "\\ud800")

    with pytest.raises(Refuted, match="is not JSON"):
        read_proof(text)


async def test_a_payload_without_a_canonical_form_is_refuted(scene: Scene) -> None:
    proof = replace(read_proof(json.dumps(scene.document)), payload={"amount": "\ud800"})

    with pytest.raises(Refuted, match="no canonical form"):
        await verify_proof(proof, scene.chain, NETWORK, canonical, keccak256)


@given(position=st.integers(0), character=st.characters(codec="utf-8"))
async def test_no_single_changed_character_makes_another_proof(position: int, character: str) -> None:
    """A change that JSON does not see (case of hex, white space) leaves it as it is."""
    scene = Scene()
    del scene.document["anchor"]["rpc_url"]
    text = json.dumps(scene.document, ensure_ascii=False)
    position %= len(text)
    altered = text[:position] + character + text[position + 1 :]

    verdict = await scene.verify(altered)

    assert verdict is not None or altered.lower() == text.lower() or json.loads(altered) == scene.document


def _nested(depth: int) -> Document:
    payload: Document = {}
    for _ in range(depth):
        payload = {"a": payload}
    return payload
