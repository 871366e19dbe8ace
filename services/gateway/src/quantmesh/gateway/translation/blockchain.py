"""Proofs and what is on chain: messages to JSON."""

from typing import Any

import orjson

from quantmesh.api.blockchain.v1 import blockchain_pb2 as pb
from quantmesh.gateway.translation.common import instant


def hexadecimal(value: bytes) -> str:
    return "0x" + value.hex()


def proof(payload: bytes, inclusion: pb.GetInclusionProofResponse) -> dict[str, Any]:
    """`payload` as the ledger has it now: where a stored amount was altered it no longer hashes to the leaf."""
    return {
        "leaf": hexadecimal(inclusion.leaf),
        "payload": orjson.Fragment(payload),
        "path": [hexadecimal(item) for item in inclusion.path],
        "root": hexadecimal(inclusion.root),
        "anchor": {
            "network": inclusion.anchor.network,
            "chain_id": inclusion.anchor.chain_id,
            "rpc_url": inclusion.anchor.rpc_url or None,
            "contract": inclusion.anchor.contract,
            "transaction_hash": inclusion.anchor.transaction_hash,
            "block_number": inclusion.anchor.block_number,
        },
    }


def network(message: pb.Network) -> dict[str, Any]:
    return {
        "name": message.name,
        "chain_id": message.chain_id,
        "contract": message.contract,
        "block_number": message.block_number,
        "confirmations": message.confirmations,
        "available": message.available,
    }


def chain_transaction(message: pb.GetChainTransactionResponse) -> dict[str, Any]:
    return {
        "hash": message.hash,
        "network": message.network,
        "status": message.status,
        "block_number": message.block_number or None,
        "confirmations": message.confirmations,
        "from_address": message.from_address or None,
        "to_address": message.to_address or None,
        "gas_used": message.gas_used or None,
        "block_time": instant(message, "block_time"),
    }
