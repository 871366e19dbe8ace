"""The verifier that stands alone: vectors made elsewhere, and nothing altered passes."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from quantmesh.client import proofs
from quantmesh.client.models.chain import Proof

CONTRACT = "0x" + "ab" * 20
NODE = "http://node.test"
BLOCK = 7
TRANSACTION = "0x" + "22" * 32
# docs/decisions/0010-proof-payload.md: the payload and leaf that the portfolio service's own test publishes.
PAYLOAD = json.loads(
    '{"cash_effect":"-771.18","currency":"USD","executed_at":"2020-01-02T15:00:00.000000Z","fee":"1",'
    '"note":"Größe \\"1\\"\\t€","order_id":"0191e0b4-0000-7000-8000-000000000003",'
    '"portfolio_id":"0191e0b4-0000-7000-8000-000000000002",'
    '"postings":[{"account":"assets:securities","amount":"10.5","commodity":"AAPL"},'
    '{"account":"trading:AAPL","amount":"-10.5","commodity":"AAPL"},'
    '{"account":"trading:AAPL","amount":"770.18","commodity":"USD"},'
    '{"account":"assets:cash","amount":"-771.18","commodity":"USD"},'
    '{"account":"expenses:fees","amount":"1","commodity":"USD"}],'
    '"price":"73.35","quantity":"10.5","recorded_at":"2026-03-01T09:30:00.000250Z",'
    '"salt":"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
    '"schema":"quantmesh.portfolio.transaction.v1","symbol":"AAPL",'
    '"transaction_id":"0191e0b4-0000-7000-8000-000000000001","type":"buy"}'
)
LEAF = "0xe5cd96955e671677c02ac7731353d1b43d86e90226643aa923cc90b176625dea"
SIBLING = "0x" + "11" * 32
ROOT = "0x" + proofs.root_of(bytes.fromhex(LEAF[2:]), [bytes.fromhex(SIBLING[2:])]).hex()


def proof(**changes: Any) -> Proof:
    anchor = {
        "network": "local",
        "chain_id": 31337,
        "contract": CONTRACT,
        "transaction_hash": TRANSACTION,
        "block_number": BLOCK,
    }
    values: dict[str, Any] = {"leaf": LEAF, "payload": PAYLOAD, "path": [SIBLING], "root": ROOT, "anchor": anchor}
    changes["anchor"] = anchor | changes.get("anchor", {})
    return Proof.model_validate(values | changes)


def node(request: httpx.Request) -> httpx.Response:
    """A chain on which CONTRACT has seen ROOT in BLOCK, and nothing else."""
    call = json.loads(request.content)
    if call["method"] == "eth_chainId":
        return httpx.Response(200, json={"result": hex(31337)})
    if call["method"] == "eth_getTransactionReceipt":
        log = {"address": CONTRACT.upper().replace("0X", "0x"), "topics": [ROOT_ANCHORED, ROOT, "0x" + "00" * 32]}
        return httpx.Response(200, json={"result": {"logs": [log]} if call["params"] == [TRANSACTION] else None})
    asked = call["params"][0]
    seen = asked["to"] == CONTRACT and asked["data"] == "0x" + ANCHORED_AT + ROOT[2:]
    return httpx.Response(200, json={"result": f"0x{BLOCK if seen else 0:064x}"})


# The first four bytes of keccak256("anchoredAt(bytes32)"), as `cast sig` prints them.
ANCHORED_AT = proofs.keccak256(b"anchoredAt(bytes32)")[:4].hex()
# What the contract's logs begin with.
ROOT_ANCHORED = "0x" + proofs.keccak256(b"RootAnchored(bytes32,address)").hex()


def verdict_on(given: Proof, **options: Any) -> str | None:
    with httpx.Client(transport=httpx.MockTransport(node)) as http:
        verdict = proofs.verify(given, NODE, http=http, **options)
    assert verdict.valid == (verdict.reason is None)
    return verdict.reason


def test_the_published_payload_has_the_published_leaf() -> None:
    assert "0x" + proofs.leaf_of(PAYLOAD).hex() == LEAF


def test_trees_made_by_openzeppelin_fold_to_their_roots(workspace: Path) -> None:
    vectors = json.loads((workspace / "contracts/test/vectors/standard_v1.json").read_text())
    for tree in vectors["trees"]:
        for entry in tree["entries"]:
            path = [bytes.fromhex(element[2:]) for element in entry["path"]]
            assert "0x" + proofs.root_of(bytes.fromhex(entry["leaf"][2:]), path).hex() == tree["root"]


def test_a_whole_proof_holds() -> None:
    assert verdict_on(proof()) is None
    assert verdict_on(proof(), contract=CONTRACT) is None


@pytest.mark.parametrize("member", sorted(PAYLOAD))
def test_a_payload_with_one_character_changed_is_refuted(member: str) -> None:
    value = PAYLOAD[member]
    altered = [*value[:-1], value[-1] | {"amount": "2"}] if isinstance(value, list) else value + "1"
    assert "not to the leaf" in str(verdict_on(proof(payload=PAYLOAD | {member: altered})))


def test_a_payload_with_a_member_left_out_is_refuted() -> None:
    rest = {name: value for name, value in PAYLOAD.items() if name != "note"}
    assert "not to the leaf" in str(verdict_on(proof(payload=rest)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": ["0x" + "12" * 32]}, "The path leads to"),
        ({"path": []}, "The path leads to"),
        ({"path": [SIBLING, SIBLING]}, "The path leads to"),
        ({"path": ["0x11"]}, "is not 0x and 64 hexadecimal digits"),
        ({"leaf": "0x" + "00" * 32}, "not to the leaf"),
        ({"root": "0x" + "00" * 32}, "not to the root"),
        ({"payload": {}}, "not to the leaf"),
        ({"anchor": {"chain_id": 1}}, "The node is on chain 31337, the proof on chain 1"),
        ({"anchor": {"block_number": 8}}, "anchored in block 7, not in block 8"),
        ({"anchor": {"contract": "0x" + "cd" * 20}}, "has never seen the root"),
        ({"anchor": {"contract": "nowhere"}}, "is no address of a contract"),
        ({"anchor": {"transaction_hash": "0x" + "23" * 32}}, "did not anchor this root"),
        ({"anchor": {"transaction_hash": "0x23"}}, "is not 0x and 64 hexadecimal digits"),
    ],
)
def test_whatever_else_is_altered_is_refuted_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    assert reason in str(verdict_on(proof(**changes)))


def test_a_proof_of_another_contract_than_the_trusted_one_is_refuted() -> None:
    assert "The proof names the contract" in str(verdict_on(proof(), contract="0x" + "cd" * 20))


def test_a_node_that_does_not_answer_gives_no_verdict() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with (
        httpx.Client(transport=httpx.MockTransport(broken)) as http,
        pytest.raises(proofs.NodeUnavailable, match="connection refused"),
    ):
        proofs.verify(proof(), NODE, http=http)


@pytest.mark.parametrize(
    "answer",
    [None, [], "0x1", {}, {"error": "quota"}, {"error": {"code": 1}}, {"result": None}, {"result": "soon"}],
)
def test_a_node_that_talks_nonsense_gives_no_verdict(answer: object) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as http, pytest.raises(proofs.NodeUnavailable, match="did not answer"):
        proofs.verify(proof(), NODE, http=http)


@pytest.mark.parametrize("receipt", [[], {}, {"logs": None}, {"logs": [{"address": CONTRACT}]}])
def test_a_receipt_that_cannot_be_read_gives_no_verdict(receipt: object) -> None:
    def nonsense(request: httpx.Request) -> httpx.Response:
        asks_for_it = json.loads(request.content)["method"] == "eth_getTransactionReceipt"
        return httpx.Response(200, json={"result": receipt}) if asks_for_it else node(request)

    transport = httpx.MockTransport(nonsense)
    with httpx.Client(transport=transport) as http, pytest.raises(proofs.NodeUnavailable, match="receipt"):
        proofs.verify(proof(), NODE, http=http)
