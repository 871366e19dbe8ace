"""Auth's public keys while auth is there, away, or slow: known ones go on for a while, and all callers ask once."""

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc.keys import JwksKeys


class Auth:
    """Publishes the keys of `kids`, unless it is away; does not answer before `answers`."""

    def __init__(self, *kids: str) -> None:
        self.kids = list(kids)
        self.is_away = False
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self) -> str:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise Unavailable("auth is away")
        public = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key()))
        return json.dumps({"keys": [public | {"kid": kid} for kid in self.kids]})

    def keys(self, **seconds: Any) -> JwksKeys:
        return JwksKeys(self.fetch, **seconds)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_known_key_is_good_while_auth_starts_anew() -> None:
    auth = Auth("k1")
    keys = auth.keys(refresh_seconds=0.0, floor_seconds=0.0)
    assert await keys.key("k1") is not None
    auth.is_away = True
    for _ in range(3):
        assert await keys.key("k1") is not None
        await settle()
    assert auth.asked > 1


async def test_a_known_key_waits_for_no_answer_and_the_answer_counts_afterwards() -> None:
    auth = Auth("k1")
    keys = auth.keys(refresh_seconds=0.0, floor_seconds=0.0)
    await keys.key("k1")
    auth.answers.clear()
    auth.kids = ["k2"]
    async with asyncio.timeout(30):
        assert await keys.key("k1") is not None
    auth.answers.set()
    await settle()
    assert await keys.key("k2") is not None
    assert await keys.key("k1") is None


async def test_a_known_key_is_refused_when_auth_has_been_away_for_too_long() -> None:
    auth = Auth("k1")
    keys = auth.keys(refresh_seconds=0.0, trusted_seconds=0.5, floor_seconds=0.0)
    assert await keys.key("k1") is not None
    auth.is_away = True
    await asyncio.sleep(0.6)
    with pytest.raises(Unavailable):
        await keys.key("k1")


async def test_callers_without_a_key_share_one_question_and_who_leaves_does_not_end_it() -> None:
    auth = Auth("k1")
    keys = auth.keys()
    auth.answers.clear()
    callers = [asyncio.create_task(keys.key("k1")) for _ in range(5)]
    await settle()
    callers[0].cancel()
    await settle()
    auth.answers.set()
    assert all([await caller is not None for caller in callers[1:]])
    assert auth.asked == 1


async def test_auth_is_not_hammered_while_it_is_away() -> None:
    auth = Auth("k1")
    keys = auth.keys(refresh_seconds=0.0, floor_seconds=3600.0)
    await keys.key("k1")
    auth.is_away = True
    for _ in range(20):
        await keys.key("k1")
        await settle()
    assert auth.asked == 1
