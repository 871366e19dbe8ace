"""/blockchain: proofs that stand alone, and what is on chain."""

from typing import Annotated

from pydantic import StringConstraints

from quantmesh.api.blockchain.v1 import blockchain_pb2 as pb
from quantmesh.api.blockchain.v1.blockchain_pb2_grpc import BlockchainServiceStub
from quantmesh.api.portfolio.v1.portfolio_pb2 import GetTransactionPayloadRequest
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core import strict_json
from quantmesh.gateway.core.errors import InvalidRequest, LeafUnderWay
from quantmesh.gateway.http.answer import Answer, ok, tagged
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import blockchain as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import blockchain as translation

Hash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{64}$")]
_NODE_SECONDS = 5.0


class Blockchain:
    def __init__(self, blockchain: Peer, portfolio: Peer) -> None:
        self._blockchain = blockchain
        self._stub = BlockchainServiceStub(blockchain.channel)
        self._portfolio = portfolio
        self._portfolio_stub = PortfolioServiceStub(portfolio.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/blockchain", "blockchain")
        add = operations.add
        add(
            "GET",
            "/proofs/{transaction_id}",
            self.proof,
            summary="The proof of a transaction",
            scope="blockchain:read portfolio:read",
            answer=models.ProofShown,
            statuses=(425,),
            conditional="none-match",
        )
        add(
            "POST",
            "/verify",
            self.verify,
            summary="Judge a proof by itself and the node alone",
            scope="blockchain:read",
            answer=models.VerdictShown,
            takes_body=True,
            deadline_seconds=10.0,
            raw={"application/json": self.verify},
            extra={"requestBody": _PROOF_BODY},
        )
        add(
            "GET",
            "/networks",
            self.networks,
            summary="Networks that are anchored on",
            scope="blockchain:read",
            answer=models.NetworksShown,
        )
        add(
            "GET",
            "/transactions/{hash}",
            self.transaction,
            summary="A transaction on chain",
            scope="blockchain:read",
            answer=models.ChainTransactionShown,
        )
        return operations

    async def proof(self, transaction_id: Id) -> Answer:
        """The payload comes first: its owner alone gets it, so a foreign id is 404 before the chain is asked.

        A transaction that its owner has and the chain's service has not is one whose event is still under way.
        """
        payload = await self._portfolio.call(
            self._portfolio_stub.GetTransactionPayload, GetTransactionPayloadRequest(transaction_id=transaction_id)
        )
        request = pb.GetInclusionProofRequest(transaction_id=transaction_id)
        try:
            inclusion = await self._blockchain.call(self._stub.GetInclusionProof, request)
        except NotFound as error:
            raise LeafUnderWay(transaction_id) from error
        return tagged(translation.proof(payload.payload, inclusion))

    async def verify(self, call: Call) -> Answer:
        """The body goes on as it came, byte for byte: rewriting it could repair or break it."""
        body = await call.read()
        if not isinstance(strict_json.parse(body), dict):
            raise InvalidRequest.single("#", "must be the object that /blockchain/proofs/{transaction_id} answered")
        request = pb.VerifyProofRequest(proof_json=body.decode())
        answer = await self._blockchain.call(self._stub.VerifyProof, request, timeout_seconds=_NODE_SECONDS)
        return ok({"valid": answer.valid, "reason": answer.reason or None})

    async def networks(self) -> Answer:
        answer = await self._blockchain.call(
            self._stub.ListNetworks, pb.ListNetworksRequest(), timeout_seconds=_NODE_SECONDS
        )
        return ok({"data": [translation.network(item) for item in answer.networks], "next_cursor": None})

    async def transaction(self, hash: Hash) -> Answer:  # noqa: A002  the path's own word
        request = pb.GetChainTransactionRequest(hash=hash)
        answer = await self._blockchain.call(self._stub.GetChainTransaction, request, timeout_seconds=_NODE_SECONDS)
        return ok(translation.chain_transaction(answer))


_PROOF_BODY = {
    "required": True,
    "description": "What /blockchain/proofs/{transaction_id} answered. Anything else is judged too, and is not valid.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
