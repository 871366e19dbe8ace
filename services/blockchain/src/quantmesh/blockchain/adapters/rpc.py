"""BlockchainService over gRPC: translate, call the use case, translate back."""

from uuid import UUID

from quantmesh.api.blockchain.v1 import blockchain_pb2 as api
from quantmesh.api.blockchain.v1.blockchain_pb2_grpc import BlockchainServiceServicer
from quantmesh.blockchain.adapters.hashing import canonical, keccak256
from quantmesh.blockchain.adapters.messages import anchor_message
from quantmesh.blockchain.adapters.proof_document import read_proof
from quantmesh.blockchain.core.errors import InvalidIdentifier, NodeUnavailable
from quantmesh.blockchain.core.get_chain_transaction import get_chain_transaction
from quantmesh.blockchain.core.get_inclusion_proof import get_inclusion_proof
from quantmesh.blockchain.core.model import Network
from quantmesh.blockchain.core.ports import Chain, Proofs
from quantmesh.blockchain.core.verify_proof import Refuted, hash_from_hex, verify_proof
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.times import to_timestamp


class BlockchainRpc(BlockchainServiceServicer):
    def __init__(self, network: Network, chain: Chain, proofs: Proofs, retry_after_seconds: float) -> None:
        self._network = network
        self._chain = chain
        self._proofs = proofs
        self._retry_after_seconds = retry_after_seconds

    @requires("blockchain:read")
    async def GetInclusionProof(
        self, request: api.GetInclusionProofRequest, context: object
    ) -> api.GetInclusionProofResponse:
        proof = await get_inclusion_proof(
            current_caller().user_id, _uuid(request.transaction_id), self._proofs, self._retry_after_seconds
        )
        return api.GetInclusionProofResponse(
            leaf=proof.leaf, path=proof.path, root=proof.root, anchor=anchor_message(self._network, proof.place)
        )

    @requires("blockchain:read")
    async def VerifyProof(self, request: api.VerifyProofRequest, context: object) -> api.VerifyProofResponse:
        try:
            proof = read_proof(request.proof_json)
            await verify_proof(proof, self._chain, self._network, canonical, keccak256)
        except Refuted as refutation:
            return api.VerifyProofResponse(valid=False, reason=str(refutation))
        return api.VerifyProofResponse(valid=True)

    @requires("blockchain:read")
    async def ListNetworks(self, request: api.ListNetworksRequest, context: object) -> api.ListNetworksResponse:
        network = api.Network(
            name=self._network.name,
            chain_id=self._network.chain_id,
            contract=self._network.contract,
            confirmations=self._network.confirmations,
        )
        try:
            network.block_number = (await self._chain.head()).number
            network.available = True
        except NodeUnavailable:
            network.available = False
        return api.ListNetworksResponse(networks=[network])

    @requires("blockchain:read")
    async def GetChainTransaction(
        self, request: api.GetChainTransactionRequest, context: object
    ) -> api.GetChainTransactionResponse:
        transaction_hash = hash_from_hex(request.hash)
        if transaction_hash is None:
            raise InvalidIdentifier("hash", request.hash, "0x and 64 hex digits")
        transaction, status, confirmations = await get_chain_transaction(transaction_hash, self._chain, self._network)
        answer = api.GetChainTransactionResponse(
            hash=f"0x{transaction.hash.hex()}",
            network=self._network.name,
            status=status.value,
            confirmations=confirmations,
            from_address=transaction.sender,
            to_address=transaction.recipient,
        )
        if transaction.receipt is not None:
            answer.block_number = transaction.receipt.block_number
            answer.gas_used = transaction.receipt.gas_used
        if transaction.block_time is not None:
            answer.block_time.CopyFrom(to_timestamp(transaction.block_time))
        return answer


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidIdentifier("transaction_id", text, "a UUID") from error
