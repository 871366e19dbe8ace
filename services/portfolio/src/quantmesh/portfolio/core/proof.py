"""The canonical content of a transaction and its Merkle leaf; docs/decisions/0010-proof-payload.md defines both."""

from collections.abc import Callable
from decimal import Decimal

from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.times import to_microseconds
from quantmesh.portfolio.core.told import id_text, lots_told, option_told

SCHEMA = "quantmesh.portfolio.transaction.v1"
SALT_BYTES = 32

Keccak256 = Callable[[bytes], bytes]


def members_of(transaction: Transaction, salt: bytes) -> dict[str, object]:
    """What the payload says: texts, and lists and objects of texts, under ASCII names."""
    entry = transaction.entry
    asked = entry.input
    members: dict[str, object] = {
        "schema": SCHEMA,
        "transaction_id": id_text(transaction.id),
        "portfolio_id": id_text(transaction.portfolio_id),
        "type": asked.type.value,
        "symbol": asked.symbol or None,
        "quantity": _plain(asked.quantity),
        "price": _plain(asked.price),
        "amount": _plain(asked.amount),
        "fee": _plain(asked.fee),
        "split_ratio": _plain(asked.split_ratio),
        "currency": entry.currency,
        "note": asked.note or None,
        "cash_effect": plain(entry.cash_effect),
        "executed_at": to_microseconds(asked.executed_at),
        "recorded_at": to_microseconds(transaction.recorded_at),
        "order_id": None if transaction.order_id is None else str(transaction.order_id),
        "import_id": None if transaction.import_id is None else id_text(transaction.import_id),
        "reverses": None if transaction.reverses is None else str(transaction.reverses),
        "side": None if asked.side is None else asked.side.value,
        "lots": lots_told(asked.lots) or None,
        "option": None if asked.option is None else option_told(asked.option),
        "postings": [
            {"account": posting.account, "amount": plain(posting.amount), "commodity": posting.commodity}
            for posting in entry.postings
        ],
        "salt": f"0x{salt.hex()}",
    }
    return {name: value for name, value in members.items() if value is not None}


def leaf_of(payload: bytes, keccak256: Keccak256) -> bytes:
    """OpenZeppelin's standard-v1 leaf over `["bytes32"]`, whose ABI encoding is those 32 bytes."""
    return keccak256(keccak256(keccak256(payload)))


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
