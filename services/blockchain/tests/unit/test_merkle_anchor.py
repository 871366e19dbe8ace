from pathlib import Path

import pytest

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.adapters.merkle_anchor import deployed_by_others, deployed_by_us, load_artifact
from quantmesh.blockchain.adapters.signer import KeyRefusedError, signer_for

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def test_the_address_follows_from_code_and_owner_alone() -> None:
    artifact = load_artifact()
    one = deployed_by_us(artifact, ADDRESS)

    assert one == deployed_by_us(artifact, ADDRESS)
    assert one.address != deployed_by_us(artifact, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8").address
    assert one.deployment is not None


def test_a_contract_of_others_is_never_deployed() -> None:
    contract = deployed_by_others(ADDRESS.lower())

    assert (contract.address, contract.deployment) == (ADDRESS, None)
    assert contract.anchor(bytes(32)).data == keccak256(b"anchor(bytes32)")[:4] + bytes(32)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"abi": [], "bytecode": "0xzz"}'])
def test_a_file_that_is_no_artifact_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "artifact.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"artifact\.json is no compiled contract"):
        load_artifact(path)


def test_the_development_key_signs_for_the_local_chain_alone() -> None:
    assert signer_for(31337, "").address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    with pytest.raises(KeyRefusedError, match="chain 1 needs QUANTMESH_BLOCKCHAIN_PRIVATE_KEY"):
        signer_for(1, "")


def test_a_refused_key_is_not_in_the_message() -> None:
    with pytest.raises(KeyRefusedError) as caught:
        signer_for(1, "abcd1234" * 7)
    assert "abcd1234" not in str(caught.value)
    assert caught.value.__cause__ is None
