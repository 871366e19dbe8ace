"""Streams of API keys, whose tokens the gateway renews: without auth they end with the last token."""

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import Unauthenticated, Unavailable
from quantmesh.gateway.http.edge import Edge
from quantmesh.gateway.http.stream.connection import Connection
from quantmesh.gateway.http.stream.desk import StreamDesk

from .edges import caller, make_edge, policies
from .streams import StreamClient


class Desk:
    """Exchanges a key for what it is told to."""

    def __init__(self, answer: Caller | Exception) -> None:
        self._answer = answer

    async def verify(self, _: str) -> Caller:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def connection(desk: Desk, *, lives: float, sent: list[dict[str, Any]]) -> Connection:
    edge = SimpleNamespace(
        caller=caller(lives=lives),
        request_id="r-1",
        header=lambda name: "qmk_secret" if name == b"x-api-key" else "",
    )

    async def send(message: Any) -> None:
        sent.append(message)

    async def silent() -> Any:
        await asyncio.sleep(60)

    return Connection(cast("StreamDesk", desk), cast("Edge", edge), silent, send, lambda _: False)


@pytest.fixture(autouse=True)
def renewed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stall of the machine makes a token expire that is only to be renewed."""
    monkeypatch.setattr("quantmesh.gateway.http.stream.connection._RENEWAL_SECONDS", 300.0)


AWAY, REVOKED = Unavailable("Auth does not answer."), Unauthenticated("The API key is not valid.")


@pytest.mark.parametrize(("error", "lives", "status"), [(AWAY, -0.1, 503), (REVOKED, 200.0, 401), (REVOKED, -0.1, 401)])
async def test_a_key_that_cannot_be_renewed_ends_the_stream(error: Exception, lives: float, status: int) -> None:
    sent: list[dict[str, Any]] = []
    stream = connection(Desk(error), lives=lives, sent=sent)
    await stream.inspect(time.monotonic())
    assert stream.is_ending
    async with asyncio.timeout(30):
        await stream.run()
    assert orjson.loads(sent[0]["text"])["problem"]["status"] == status
    assert sent[-1]["code"] == 4001


async def test_a_stream_goes_on_without_auth_while_its_token_lives() -> None:
    stream = connection(Desk(AWAY), lives=200.0, sent=[])
    await stream.inspect(time.monotonic())
    assert not stream.is_ending


@pytest.mark.parametrize("lives", [200.0, -0.1])
async def test_a_renewed_key_goes_on_with_its_new_token(lives: float) -> None:
    stream = connection(Desk(replace(caller(lives=600.0), session_id="next")), lives=lives, sent=[])
    await stream.inspect(time.monotonic())
    assert not stream.is_ending
    assert stream.session_id == "next"


async def test_guessing_keys_on_a_stream_is_limited_as_everywhere() -> None:
    edge = make_edge(limits=policies(stranger=4), qmk_known=caller())
    async with StreamClient(edge) as client:
        guesses = [await client.ask(op="auth", token=f"qmk_{number}") for number in range(6)]
        assert [guess["problem"]["status"] for guess in guesses] == [401, 401, 401, 429, 429, 429]
        assert (await client.ask(op="auth", token="qmk_known"))["op"] == "authenticated"
