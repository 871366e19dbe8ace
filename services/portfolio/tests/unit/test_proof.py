"""The payload and the leaf of docs/decisions/0010-proof-payload.md."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from quantmesh.portfolio.adapters.hashing import keccak256, payload_of
from quantmesh.portfolio.core.model import LotChoice, PositionSide, Posting, Transaction, TransactionType
from quantmesh.portfolio.core.posting_rules import entry_of
from quantmesh.portfolio.core.proof import leaf_of

from .samples import CALL, OPTIONS, buy, contracts

SALT = bytes(range(32))
TRANSACTION = Transaction(
    id=UUID("0191e0b4-0000-7000-8000-000000000001"),
    portfolio_id=UUID("0191e0b4-0000-7000-8000-000000000002"),
    seq=7,
    entry=entry_of(buy("10.50", "73.35", fee="1.00", note='Größe "1"\t€'), "USD"),
    recorded_at=datetime(2026, 3, 1, 9, 30, 0, 250, tzinfo=UTC),
    order_id=UUID("0191e0b4-0000-7000-8000-000000000003"),
)
PAYLOAD = (
    '{"cash_effect":"-771.18","currency":"USD","executed_at":"2020-01-02T15:00:00.000000Z","fee":"1",'
    '"note":"Größe \\"1\\"\\t€","order_id":"0191e0b4-0000-7000-8000-000000000003",'
    '"portfolio_id":"0191e0b4-0000-7000-8000-000000000002",'
    '"postings":[{"account":"assets:securities","amount":"10.5","commodity":"AAPL"},'
    '{"account":"trading:AAPL","amount":"-10.5","commodity":"AAPL"},'
    '{"account":"trading:AAPL","amount":"770.18","commodity":"USD"},'
    '{"account":"assets:cash","amount":"-771.18","commodity":"USD"},'
    '{"account":"expenses:fees","amount":"1","commodity":"USD"}],'
    '"price":"73.35","quantity":"10.5","recorded_at":"2026-03-01T09:30:00.000250Z",'
    '"salt":"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
    '"schema":"quantmesh.portfolio.transaction.v1","symbol":"AAPL",'
    '"transaction_id":"0191e0b4-0000-7000-8000-000000000001","type":"buy"}'
)
LEAF = "0xe5cd96955e671677c02ac7731353d1b43d86e90226643aa923cc90b176625dea"


def test_the_payload_is_spelled_as_published() -> None:
    assert payload_of(TRANSACTION, SALT).decode() == PAYLOAD


def test_the_leaf_is_the_published_one() -> None:
    assert f"0x{leaf_of(PAYLOAD.encode(), keccak256).hex()}" == LEAF


def test_the_payload_is_rfc_8785_by_another_library_too() -> None:
    assert rfc8785.dumps(json.loads(PAYLOAD)) == PAYLOAD.encode()


def test_every_character_of_a_note_is_spelled_as_rfc_8785_has_it() -> None:
    characters = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x11000)]))
    entry = TRANSACTION.entry
    noted = replace(TRANSACTION, entry=replace(entry, input=replace(entry.input, note=characters)))
    payload = payload_of(noted, SALT)
    assert json.loads(payload)["note"] == characters
    assert rfc8785.dumps(json.loads(payload)) == payload


def test_keccak_is_ethereum_s() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_trailing_zeros_do_not_change_the_leaf() -> None:
    entry = TRANSACTION.entry
    padded = replace(TRANSACTION, entry=replace(entry, input=replace(entry.input, quantity=Decimal("10.500000"))))
    assert payload_of(padded, SALT) == PAYLOAD.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"id": UUID(int=1)},
        {"portfolio_id": UUID(int=1)},
        {"recorded_at": datetime(2026, 3, 1, tzinfo=UTC)},
        {"order_id": None},
        {"reverses": UUID(int=1)},
        {"import_id": UUID(int=1)},
        {"entry": {"currency": "EUR"}},
        {"entry": {"cash_effect": Decimal("-771.19")}},
        {"entry": {"postings": (Posting("assets:cash", "USD", Decimal(1)),)}},
        {"input": {"type": TransactionType.SELL}},
        {"input": {"symbol": "MSFT"}},
        {"input": {"quantity": Decimal("10.51")}},
        {"input": {"price": Decimal("73.350000000000000001")}},
        {"input": {"fee": Decimal(2)}},
        {"input": {"amount": Decimal(2)}},
        {"input": {"split_ratio": Decimal(2)}},
        {"input": {"note": ""}},
        {"input": {"side": PositionSide.SHORT}},
        {"input": {"lots": (LotChoice(UUID(int=1), Decimal("10.5")),)}},
        {"input": {"option": OPTIONS[CALL]}},
        {"input": {"executed_at": datetime(2020, 1, 2, 15, 0, 0, 1, tzinfo=UTC)}},
    ],
    ids=str,
)
def test_every_member_changes_the_leaf(change: dict[str, Any]) -> None:
    entry = TRANSACTION.entry
    if "input" in change:
        altered = replace(TRANSACTION, entry=replace(entry, input=replace(entry.input, **change["input"])))
    elif "entry" in change:
        altered = replace(TRANSACTION, entry=replace(entry, **change["entry"]))
    else:
        altered = replace(TRANSACTION, **change)
    assert leaf_of(payload_of(altered, SALT), keccak256) != leaf_of(PAYLOAD.encode(), keccak256)


def test_the_terms_of_an_option_and_named_lots_are_text_in_the_payload() -> None:
    lots = (LotChoice(UUID(int=1), Decimal("2.0")),)
    asked = replace(contracts("option_close", CALL, "2", price="5.0"), lots=lots, side=None)
    entry = entry_of(asked, "USD", held=Decimal(2))
    told = json.loads(payload_of(replace(TRANSACTION, entry=entry, reverses=UUID(int=2)), SALT))
    assert told["lots"] == [{"transaction_id": str(UUID(int=1)), "quantity": "2"}]
    assert told["reverses"] == str(UUID(int=2))
    assert told["option"] == {
        "underlying": "AAPL",
        "option_type": "call",
        "strike": "70",
        "expiry": "2020-02-01T15:00:00Z",
        "multiplier": "100",
        "exercise": "american",
        "settlement": "physical",
    }
    assert "side" not in told


def test_another_salt_is_another_leaf() -> None:
    assert payload_of(TRANSACTION, bytes(32)) != PAYLOAD.encode()
