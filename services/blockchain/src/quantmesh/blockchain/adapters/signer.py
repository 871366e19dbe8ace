"""The key that pays for anchors. It never leaves this object."""

from datetime import datetime

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import Attempt, Call

LOCAL_CHAIN_ID = 31337
# The phrase that every development node funds; worthless elsewhere, and refused there.
_DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"


class KeyRefusedError(Exception):
    """There is no key for this chain, or it is not one."""


class LocalSigner:
    """Signs EIP-1559 transactions for one chain; the chain's id is part of what is signed (EIP-155)."""

    def __init__(self, account: LocalAccount, chain_id: int) -> None:
        self._account = account
        self._chain_id = chain_id

    @property
    def address(self) -> str:
        return str(self._account.address)

    def sign(self, call: Call, nonce: int, gas_limit: int, fees: Fees, now: datetime) -> Attempt:
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": nonce,
                "to": to_checksum_address(call.to),
                "value": 0,
                "data": call.data,
                "gas": gas_limit,
                "maxFeePerGas": fees.max_fee_per_gas,
                "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
            }
        )
        return Attempt(hash=bytes(signed.hash), raw=bytes(signed.raw_transaction), fees=fees, sent_at=now)


def signer_for(chain_id: int, private_key: str) -> LocalSigner:
    """With `private_key`, or the development key on the local chain alone. Raises KeyRefusedError."""
    if private_key:
        try:
            return LocalSigner(Account.from_key(private_key), chain_id)
        except ValueError:
            # The library's own message may show the key.
            msg = "QUANTMESH_BLOCKCHAIN_PRIVATE_KEY is not 32 bytes in hex"
            raise KeyRefusedError(msg) from None
    if chain_id != LOCAL_CHAIN_ID:
        msg = f"chain {chain_id} needs QUANTMESH_BLOCKCHAIN_PRIVATE_KEY; only chain {LOCAL_CHAIN_ID} has a known key"
        raise KeyRefusedError(msg)
    Account.enable_unaudited_hdwallet_features()
    return LocalSigner(Account.from_mnemonic(_DEVELOPMENT_MNEMONIC), chain_id)
