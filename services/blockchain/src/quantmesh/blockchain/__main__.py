"""Serve, or migrate: `python -m quantmesh.blockchain [migrate]`."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Self

from eth_utils.address import to_checksum_address
from pydantic import Field, SecretStr, field_validator, model_validator

from quantmesh.api.blockchain.v1.blockchain_pb2_grpc import add_BlockchainServiceServicer_to_server
from quantmesh.blockchain.adapters.anchoring_loop import AnchoringLoop
from quantmesh.blockchain.adapters.bus import transaction_consumer
from quantmesh.blockchain.adapters.chain import EvmChain
from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.adapters.merkle_anchor import deployed_by_others, deployed_by_us, load_artifact
from quantmesh.blockchain.adapters.rpc import BlockchainRpc
from quantmesh.blockchain.adapters.signer import LOCAL_CHAIN_ID, signer_for
from quantmesh.blockchain.adapters.store import Store
from quantmesh.blockchain.core.advance_anchoring import Anchoring, Policy
from quantmesh.blockchain.core.model import Network
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings

_WEI_PER_GWEI = 10**9
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class BlockchainSettings(ServiceSettings):
    evm_url: str = Field(min_length=1)
    blockchain_network: str = Field(default="local", pattern=r"^[a-z][a-z0-9-]*$")
    blockchain_chain_id: int = Field(default=LOCAL_CHAIN_ID, ge=1)
    # The head has one.
    blockchain_confirmations: int = Field(default=2, ge=1)
    blockchain_private_key: SecretStr = SecretStr("")
    # Empty: deployed by this service, on the local chain alone.
    blockchain_contract: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    # Where roots were recorded before, addresses with commas between them: proofs of that time still hold.
    blockchain_former_contracts: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40}(,0x[0-9a-fA-F]{40})*)?$")
    blockchain_artifact: Path | None = None
    # What proofs name as a node to ask; the local chain's own where it is empty.
    blockchain_public_rpc_url: str = ""
    blockchain_batch_seconds: float = Field(default=2.0, gt=0.0)
    blockchain_batch_leaves: int = Field(default=1024, ge=1, le=4096)
    blockchain_poll_seconds: float = Field(default=0.5, gt=0.0)
    blockchain_replace_after_seconds: float = Field(default=30.0, gt=0.0)
    blockchain_fee_ceiling_gwei: int = Field(default=500, ge=1)
    blockchain_node_timeout_seconds: float = Field(default=1.5, gt=0.0)

    @field_validator("blockchain_private_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not _PRIVATE_KEY.fullmatch(value.get_secret_value()):
            msg = "must be 32 bytes in hex"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.blockchain_chain_id != LOCAL_CHAIN_ID and not (
            self.blockchain_private_key.get_secret_value() and self.blockchain_contract
        ):
            msg = (
                f"the chain {self.blockchain_chain_id} needs QUANTMESH_BLOCKCHAIN_PRIVATE_KEY and"
                f" QUANTMESH_BLOCKCHAIN_CONTRACT; only the local chain {LOCAL_CHAIN_ID} has its own"
            )
            raise ValueError(msg)
        return self


async def wire(service: Service[BlockchainSettings]) -> None:
    settings, clock = service.settings, service.clock
    chain_id = settings.blockchain_chain_id
    artifact = load_artifact(settings.blockchain_artifact)
    signer = signer_for(chain_id, settings.blockchain_private_key.get_secret_value())
    if settings.blockchain_contract:
        contract = deployed_by_others(settings.blockchain_contract)
    else:
        contract = deployed_by_us(artifact, signer.address)
    former_contracts = settings.blockchain_former_contracts.split(",") if settings.blockchain_former_contracts else []
    local_rpc_url = settings.evm_url if chain_id == LOCAL_CHAIN_ID else ""
    network = Network(
        name=settings.blockchain_network,
        chain_id=chain_id,
        confirmations=settings.blockchain_confirmations,
        contract=contract.address,
        public_rpc_url=settings.blockchain_public_rpc_url or local_rpc_url,
        former_contracts=frozenset(to_checksum_address(address) for address in former_contracts),
    )
    chain = EvmChain(network.name, chain_id, settings.evm_url, artifact, settings.blockchain_node_timeout_seconds)
    store = Store(service.database, network, signer.address)
    anchoring = Anchoring(
        network=network,
        chain=chain,
        contract=contract,
        signer=signer,
        policy=Policy(
            max_leaves=settings.blockchain_batch_leaves,
            batch_after=timedelta(seconds=settings.blockchain_batch_seconds),
            replace_after=timedelta(seconds=settings.blockchain_replace_after_seconds),
            fee_ceiling_wei=settings.blockchain_fee_ceiling_gwei * _WEI_PER_GWEI,
        ),
        keccak256=keccak256,
    )
    loop = AnchoringLoop(anchoring, store, clock, settings.blockchain_poll_seconds)
    service.add_servicer(
        add_BlockchainServiceServicer_to_server,
        BlockchainRpc(network, chain, store, retry_after_seconds=settings.blockchain_batch_seconds),
    )
    service.add_consumer(transaction_consumer(clock))
    service.publish_events()
    service.add_work("anchoring", loop.run)
    service.on_stop(chain.close)


if __name__ == "__main__":
    serve("blockchain", BlockchainSettings, wire)
