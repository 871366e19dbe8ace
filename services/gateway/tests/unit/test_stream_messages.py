"""What a message of the stream may hold, and how a client is told what is wrong with it."""

import pytest

from quantmesh.chassis.errors import NotFound
from quantmesh.gateway.core.errors import InvalidRequest
from quantmesh.gateway.core.stream import messages

from .edges import ADA, Edge, caller, make_edge
from .streams import CHANNEL, Account, StreamClient


@pytest.mark.parametrize(
    "text",
    [
        r'{"op": "subscribe", "channels": ["\ud800"]}',
        r'{"op": "subscribe", "channels": ["quotes.\udc00"]}',
        r'{"op": "unsubscribe", "channels": ["\ud800"]}',
        r'{"op": "resume", "channel": "\ud800", "after_seq": 0}',
        r'{"op": "ping", "\ud800": 1}',
        r'{"op": "auth", "token": "\ud800"}',
    ],
)
async def test_half_of_a_surrogate_pair_is_refused_and_the_stream_goes_on(client: StreamClient, text: str) -> None:
    client.say_text(text)
    assert (await client.hear())["problem"]["type"] == "/problems/malformed-request"
    assert await client.ask(op="ping") == {"op": "pong"}


async def test_a_whole_surrogate_pair_is_a_character(client: StreamClient) -> None:
    client.say_text(r'{"op": "subscribe", "channels": ["quotes.\ud83d\ude00"]}')
    assert (await client.hear())["channel"] == "quotes.\N{GRINNING FACE}"


async def test_an_id_in_capitals_names_the_same_channel_in_every_message(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=3)
    shouted = f"portfolio.{str(ADA).upper()}"
    await client.ask(op="subscribe", channels=[shouted])
    assert (await client.ask(op="resume", channel=shouted, after_seq=3))["from_seq"] == 4
    await account.announce(account.record())
    assert (await client.hear())["seq"] == 4
    assert await client.ask(op="unsubscribe", channels=[shouted]) == {"op": "unsubscribed", "channels": [CHANNEL]}
    await account.announce(account.record())
    assert await client.ask(op="ping") == {"op": "pong"}


async def test_resuming_a_channel_in_capitals_replays_what_was_missed(edge: Edge, client: StreamClient) -> None:
    Account(edge, length=3)
    await client.ask(op="subscribe", channels=[CHANNEL])
    client.say(op="resume", channel=f"portfolio.{str(ADA).upper()}", after_seq=1)
    heard = [await client.hear() for _ in range(3)]
    assert {"op": "resumed", "channel": CHANNEL, "from_seq": 2} in heard
    assert [message["seq"] for message in heard if "seq" in message] == [2, 3]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (f"jobs.{ADA}", "such as prediction-"),
        ("portfolio.growth", "a UUID"),
        ("quotes.aapl", "such as quotes.AAPL"),
        ("halts.AAPL", "nothing behind it"),
        ("weather.berlin", "quotes.<SYMBOL>, portfolio.<id>, jobs.<id>, predictions.<SYMBOL>, halts"),
    ],
)
def test_a_name_of_no_channel_is_told_what_one_looks_like(name: str, wanted: str) -> None:
    with pytest.raises(NotFound) as refused:
        messages.channel(name)
    assert wanted in refused.value.detail


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('{"op": "ping", "id": 5}', "known: op"),
        ('{"op": "auth", "token": "t", "id": 5}', "known: op, token"),
    ],
)
def test_an_unknown_member_is_told_which_there_are(text: str, known: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        messages.parse(text)
    (violation,) = refused.value.violations
    assert (violation.field, violation.description) == ("#/id", f"is unknown here; {known}")


@pytest.mark.parametrize(
    ("session_id", "said"), [("key:k1", "The API key was revoked."), ("s1", "The session has ended.")]
)
async def test_who_is_sent_away_is_told_what_has_ended(session_id: str, said: str) -> None:
    edge = make_edge(bob=caller(session_id=session_id))
    async with StreamClient(edge, Authorization="Bearer bob") as client:
        await client.ask(op="ping")
        edge.stream.revoke(session_id)
        assert (await client.hear())["problem"]["detail"] == said
