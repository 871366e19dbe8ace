"""Values of the core as messages of the API."""

from quantmesh.api.blockchain.v1 import blockchain_pb2
from quantmesh.blockchain.core.model import Network, Place


def anchor_message(network: Network, place: Place) -> blockchain_pb2.Anchor:
    return blockchain_pb2.Anchor(
        network=network.name,
        chain_id=network.chain_id,
        rpc_url=network.public_rpc_url,
        contract=place.contract,
        transaction_hash=f"0x{place.transaction_hash.hex()}",
        block_number=place.block_number,
    )
