"""A transaction as the network sees it now."""

from quantmesh.blockchain.core.errors import ChainTransactionNotFound
from quantmesh.blockchain.core.model import ChainStatus, ChainTransaction, Network
from quantmesh.blockchain.core.ports import Chain


async def get_chain_transaction(
    transaction_hash: bytes, chain: Chain, network: Network
) -> tuple[ChainTransaction, ChainStatus, int]:
    """With its status and confirmations. Raises ChainTransactionNotFound, NodeUnavailable."""
    head = await chain.head()
    transaction = await chain.transaction(transaction_hash)
    if transaction is None:
        raise ChainTransactionNotFound(transaction_hash, network.name)
    if transaction.receipt is None:
        return transaction, ChainStatus.PENDING, 0
    confirmations = network.confirmations_of(transaction.receipt.block_number, head.number)
    if not transaction.receipt.succeeded:
        return transaction, ChainStatus.FAILED, confirmations
    deep = confirmations >= network.confirmations
    return transaction, ChainStatus.CONFIRMED if deep else ChainStatus.INCLUDED, confirmations
