"""A proof as a client holds it, read from JSON without believing any of it."""

import json
from typing import NoReturn

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import from_json

from quantmesh.blockchain.core.verify_proof import AnchorClaim, Proof, Refuted

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_PATH = 64
_MOST_PROBLEMS = 10


class _Strict(BaseModel):
    """A member that nobody checks would be believed: unknown ones are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Anchor(_Strict):
    network: str
    chain_id: int
    contract: str
    transaction_hash: str
    block_number: int
    # Told for the client's own verifier. Never called: an address from outside would let the sender choose our node.
    rpc_url: str | None = None


class _Document(_Strict):
    leaf: str
    payload: dict[str, JsonValue]
    path: list[str] = Field(max_length=MAXIMUM_PATH)
    root: str
    anchor: _Anchor


def read_proof(text: str) -> Proof:
    """Raises Refuted where `text` is no proof at all, with the members that are missing, unknown or of a wrong type."""
    try:
        document = _Document.model_validate(_loads(text))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
        listed = "; ".join(f"{'.'.join(map(str, each['loc']))[:100]}: {each['msg']}" for each in problems)
        msg = f"This is not a proof: {listed}."
        raise Refuted(msg) from error
    anchor = document.anchor
    return Proof(
        leaf=document.leaf,
        payload=document.payload,
        path=tuple(document.path),
        root=document.root,
        anchor=AnchorClaim(
            network=anchor.network,
            chain_id=anchor.chain_id,
            contract=anchor.contract,
            transaction_hash=anchor.transaction_hash,
            block_number=anchor.block_number,
        ),
    )


def _loads(text: str) -> object:
    if len(text) > MAXIMUM_BYTES:
        _refuse(f"is {len(text)} characters long; at most {MAXIMUM_BYTES} are read")
    try:
        # Bounds the depth and refuses lone surrogates, neither of which json does.
        from_json(text)
        return json.loads(text, object_pairs_hook=_unique_members, parse_constant=_no_constant)
    except ValueError as error:
        _refuse(f"is not JSON: {error}")


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers that pick different twins would see different payloads behind one hash."""
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "an object has a member twice"
        raise ValueError(msg)
    return members


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


def _refuse(description: str) -> NoReturn:
    msg = f"This is not a proof: it {description}."
    raise Refuted(msg)
