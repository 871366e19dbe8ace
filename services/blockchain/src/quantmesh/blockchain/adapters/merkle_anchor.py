"""The anchoring contract: its ABI, the calls to it, and the address that follows from its bytecode."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.core.model import Call

# The CREATE2 factory that Foundry, Hardhat and most public networks share; anvil has it from its first block.
FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
_SALT = bytes(32)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `npm run contracts` compiled."""

    abi: list[dict[str, Any]]
    bytecode: bytes


def load_artifact(path: Path | None = None) -> Artifact:
    """From `path`, or the one that this package carries. Raises ValueError where the file is no artifact."""
    source = path or files("quantmesh.blockchain").joinpath("contracts/MerkleAnchor.json")
    try:
        document = json.loads(source.read_text(encoding="utf-8"))
        return Artifact(abi=document["abi"], bytecode=bytes.fromhex(document["bytecode"].removeprefix("0x")))
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{source} is no compiled contract (abi, bytecode): {error!r}"
        raise ValueError(msg) from error


@dataclass(frozen=True, slots=True)
class MerkleAnchor:
    """An AnchorContract. The same bytecode with the same roles has the same address on every chain and after every loss
    of a chain, so there is no address to remember, and whoever has the sources can recompute it.
    """

    address: str
    deployment: Call | None

    def anchor(self, root: bytes) -> Call:
        return Call(self.address, keccak256(b"anchor(bytes32)")[:4] + root)


def deployed_by_us(artifact: Artifact, owner: str) -> MerkleAnchor:
    """A contract whose admin and anchorer is `owner`, put on chain by the first call that needs it."""
    code = artifact.bytecode + encode(["address", "address"], [owner, owner])
    factory = bytes.fromhex(FACTORY[2:])
    address = keccak256(b"\xff" + factory + _SALT + keccak256(code))[12:]
    return MerkleAnchor(to_checksum_address(address), Call(FACTORY, _SALT + code))


def deployed_by_others(address: str) -> MerkleAnchor:
    """A contract that is there already, at an EIP-55 or lower-case address."""
    return MerkleAnchor(to_checksum_address(address), None)
