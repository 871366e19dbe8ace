"""A node of an EVM network over JSON-RPC, through web3."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import ClientError
from eth_typing import ChecksumAddress, HexStr
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.types import BlockData, LogReceipt, TxReceipt, Wei

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.adapters.merkle_anchor import Artifact
from quantmesh.blockchain.adapters.node_provider import NodeProvider
from quantmesh.blockchain.core.errors import BroadcastRefused, CallRefused, NodeUnavailable
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import Call, ChainTransaction, Head, Place, Receipt

Answer = TypeVar("Answer")
Read = TypeVar("Read")
# Every way in which web3, aiohttp and an answer that is not JSON-RPC fail; the last three where web3, or whoever reads
# what it gives, meets another shape than the one that belongs there.
FOREIGN = (Web3Exception, ClientError, TimeoutError, OSError, ValueError, AttributeError, LookupError, TypeError)
ROOT_ANCHORED = keccak256(b"RootAnchored(bytes32,address)")
# What geth, anvil and others say of a transaction that their pool holds already.
_KNOWN_ALREADY = ("already known", "already imported", "known transaction")


class EvmChain:
    """A Chain. A node that turns out to belong to another chain counts as unavailable, whatever it answers."""

    def __init__(self, name: str, chain_id: int, url: str, artifact: Artifact, timeout_seconds: float = 3.0) -> None:
        self._name = name
        self._chain_id = chain_id
        self._provider = NodeProvider(url, timeout_seconds)
        self._web3 = AsyncWeb3(self._provider)
        self._abi = artifact.abi
        self._errors: dict[str, str] = {
            _selector(entry): entry["name"] for entry in artifact.abi if entry["type"] == "error"
        }

    async def close(self) -> None:
        await self._provider.disconnect()

    async def head(self) -> Head:
        chain_id = await self._ask(self._web3.eth.chain_id)
        if chain_id != self._chain_id:
            raise NodeUnavailable(self._name, f"it is of the chain {chain_id}, not {self._chain_id}")
        block = await self._ask(self._web3.eth.get_block("latest"))
        if "baseFeePerGas" not in block:
            raise NodeUnavailable(self._name, "its blocks have no base fee (EIP-1559)")
        return self._read(lambda: Head(number=int(block["number"]), base_fee_per_gas=int(block["baseFeePerGas"])))

    async def block_hash(self, number: int) -> bytes | None:
        block = await self._block(number)
        return None if block is None else self._read(lambda: bytes(block["hash"]))

    async def has_code(self, address: str) -> bool:
        return bool(await self._ask(self._web3.eth.get_code(_checksummed(address))))

    async def anchored_at(self, contract: str, root: bytes) -> int:
        anchored_at = self._web3.eth.contract(address=_checksummed(contract), abi=self._abi).functions.anchoredAt(root)
        try:
            answer = await self._ask(anchored_at.call(), BadFunctionCallOutput)
        except BadFunctionCallOutput:
            # Nothing is deployed there, so nothing is anchored either.
            return 0
        return self._read(lambda: int(answer))

    async def place_of(self, contract: str, root: bytes) -> Place | None:
        block_number = await self.anchored_at(contract, root)
        if block_number == 0:
            return None
        logs = await self._ask(
            self._web3.eth.get_logs(
                {
                    "address": _checksummed(contract),
                    "topics": [HexStr(f"0x{ROOT_ANCHORED.hex()}"), HexStr(f"0x{root.hex()}")],
                    "fromBlock": block_number,
                    "toBlock": block_number,
                }
            )
        )
        # None where the chain moved between the two questions.
        return self._read(lambda: next((_place(contract, log) for log in logs), None))

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        question = self._web3.eth.get_transaction_receipt(HexBytes(transaction_hash))
        try:
            found = await self._ask(question, TransactionNotFound)
        except TransactionNotFound:
            return None
        return self._read(lambda: _receipt(found))

    async def transaction(self, transaction_hash: bytes) -> ChainTransaction | None:
        try:
            found = await self._ask(self._web3.eth.get_transaction(HexBytes(transaction_hash)), TransactionNotFound)
        except TransactionNotFound:
            return None
        receipt = await self.receipt(transaction_hash)
        block = None if receipt is None else await self._block(receipt.block_number)
        return self._read(
            lambda: ChainTransaction(
                hash=transaction_hash,
                sender=str(found["from"]),
                recipient=str(found.get("to") or ""),
                receipt=receipt,
                block_time=None if block is None else datetime.fromtimestamp(block["timestamp"], UTC),
            )
        )

    async def knows(self, transaction_hash: bytes) -> bool:
        try:
            await self._ask(self._web3.eth.get_transaction(HexBytes(transaction_hash)), TransactionNotFound)
        except TransactionNotFound:
            return False
        return True

    async def next_nonce(self, sender: str) -> int:
        count = await self._ask(self._web3.eth.get_transaction_count(_checksummed(sender), "latest"))
        return self._read(lambda: int(count))

    async def suggested_priority_fee(self) -> int:
        fee = await self._ask(self._web3.eth.max_priority_fee)
        return self._read(lambda: int(fee))

    async def estimate_gas(self, sender: str, call: Call, fees: Fees) -> int:
        # Without an offer nodes do not look at what the sender has.
        question = self._web3.eth.estimate_gas(
            {
                "from": _checksummed(sender),
                "to": _checksummed(call.to),
                "data": HexBytes(call.data),
                "maxFeePerGas": Wei(fees.max_fee_per_gas),
                "maxPriorityFeePerGas": Wei(fees.max_priority_fee_per_gas),
            }
        )
        try:
            gas = await self._ask(question, ContractLogicError, Web3RPCError)
        except (ContractLogicError, Web3RPCError) as error:
            raise CallRefused(call.to, self._reason(error)) from error
        return self._read(lambda: int(gas))

    async def broadcast(self, raw: bytes) -> None:
        try:
            await self._ask(self._web3.eth.send_raw_transaction(HexBytes(raw)), Web3RPCError)
        except Web3RPCError as error:
            reason = self._reason(error)
            if not any(known in reason.lower() for known in _KNOWN_ALREADY):
                raise BroadcastRefused(reason) from error

    async def _block(self, number: int) -> BlockData | None:
        try:
            return await self._ask(self._web3.eth.get_block(number), BlockNotFound)
        except BlockNotFound:
            return None

    async def _ask(self, question: Awaitable[Answer], *refusals: type[Web3Exception]) -> Answer:
        """`refusals` are answers, and pass; whatever else goes wrong means that the node cannot say."""
        try:
            return await question
        except refusals:
            raise
        except FOREIGN as error:
            raise NodeUnavailable(self._name, str(error) or type(error).__name__) from error

    def _read(self, read: Callable[[], Read]) -> Read:
        """What web3 passes on of any shape."""
        try:
            return read()
        except FOREIGN as error:
            raise NodeUnavailable(self._name, f"its answer has another shape: {error!r}") from error

    def _reason(self, error: Web3Exception) -> str:
        """The name of the contract's own error, or the node's message."""
        if isinstance(error, ContractLogicError) and isinstance(error.data, str) and error.data[:10] in self._errors:
            return self._errors[error.data[:10]]
        response = error.rpc_response if isinstance(error, Web3RPCError) else None
        return str(response["error"]["message"]) if response and "error" in response else str(error)


def _selector(entry: dict[str, Any]) -> str:
    signature = f"{entry['name']}({','.join(argument['type'] for argument in entry['inputs'])})"
    return f"0x{keccak256(signature.encode())[:4].hex()}"


def _checksummed(address: str) -> ChecksumAddress:
    return AsyncWeb3.to_checksum_address(address)


def _place(contract: str, log: LogReceipt) -> Place:
    return Place(
        contract=contract,
        transaction_hash=bytes(log["transactionHash"]),
        block_number=log["blockNumber"],
        block_hash=bytes(log["blockHash"]),
    )


def _receipt(receipt: TxReceipt) -> Receipt:
    return Receipt(
        succeeded=receipt["status"] == 1,
        block_number=receipt["blockNumber"],
        gas_used=receipt["gasUsed"],
        anchored_roots=frozenset(
            (str(log["address"]), bytes(log["topics"][1]))
            for log in receipt["logs"]
            if len(log["topics"]) > 1 and bytes(log["topics"][0]) == ROOT_ANCHORED
        ),
    )
