"""What clients of the stream ask for, and what they are sent."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1.portfolio_pb2 import ListEventsRequest, ListEventsResponse
from quantmesh.chassis.errors import NotFound, PermissionDenied, Unavailable
from quantmesh.gateway.adapters.account_logs import EARLY

from .edges import Edge, caller, make_edge, policies
from .streams import CHANNEL, Account, StreamClient, tick


async def test_the_first_message_may_carry_the_token(edge: Edge) -> None:
    edge.peers["market"].answers["GetAsset"] = market_pb2.GetAssetResponse()
    async with StreamClient(edge) as client:
        refused = await client.ask(op="subscribe", channels=["quotes.AAPL"])
        assert refused["problem"]["type"] == "/problems/unauthenticated"
        assert (await client.ask(op="auth", token="forged"))["problem"]["status"] == 401
        assert (await client.ask(op="auth", token="ada"))["op"] == "authenticated"
        assert (await client.ask(op="subscribe", channels=["quotes.AAPL"]))["op"] == "subscribed"


async def test_a_bad_token_on_connect_is_refused_before_there_is_a_stream(edge: Edge) -> None:
    async with StreamClient(edge, Authorization="Bearer forged") as client:
        assert client.refused is not None
        assert client.refused["type"] == "websocket.http.response.start"
        assert client.refused["status"] == 401


async def test_quotes_are_numbered_and_shown_as_on_rest(edge: Edge, client: StreamClient) -> None:
    assert (await client.ask(op="subscribe", channels=["quotes.AAPL"]))["channels"] == [
        {"channel": "quotes.AAPL", "from_seq": 1}
    ]
    for price in ("73.35", "73.40"):
        await tick(edge, price)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    first, second = await client.hear(), await client.hear()
    assert (first["seq"], second["seq"]) == (1, 2)
    assert (first["channel"], first["type"], first["data"]["price"]) == ("quotes.AAPL", "quote", "73.35")


async def test_a_slow_reader_of_quotes_gets_the_latest_alone(edge: Edge, client: StreamClient) -> None:
    await client.ask(op="subscribe", channels=["quotes.AAPL"])
    client.stop_reading()
    for price in range(1, 101):
        await tick(edge, f"{price}.00")
        await asyncio.sleep(0)
    client.read_again()
    heard = [await client.hear()]
    while heard[-1]["seq"] < 100:
        heard.append(await client.hear())
    assert len(heard) <= 3
    assert heard[-1]["data"]["price"] == "100.00"


async def test_a_newcomer_gets_the_latest_quote_at_once_and_resume_only_what_is_new(
    edge: Edge, client: StreamClient
) -> None:
    await tick(edge, "73.35")
    assert (await client.ask(op="subscribe", channels=["quotes.AAPL"]))["channels"][0]["from_seq"] == 1
    assert (await client.hear())["seq"] == 1
    client.say(op="resume", channel="quotes.AAPL", after_seq=1)
    assert await client.hear() == {"op": "resumed", "channel": "quotes.AAPL", "from_seq": 2}


async def test_subscribing_again_tells_the_number_to_come(edge: Edge, client: StreamClient) -> None:
    Account(edge, length=5)
    for channel, first, then in (("quotes.AAPL", 1, 3), (CHANNEL, 6, 6)):
        answer = await client.ask(op="subscribe", channels=[channel])
        assert answer["channels"] == [{"channel": channel, "from_seq": first}]
        if channel == "quotes.AAPL":
            for price in ("73.35", "73.40"):
                await tick(edge, price)
                await client.hear()
        again = await client.ask(op="subscribe", channels=[channel])
        assert again["channels"] == [{"channel": channel, "from_seq": then}]


async def test_unsubscribing_ends_the_events(edge: Edge, client: StreamClient) -> None:
    await client.ask(op="subscribe", channels=["quotes.AAPL"])
    assert (await client.ask(op="unsubscribe", channels=["quotes.AAPL"]))["op"] == "unsubscribed"
    await tick(edge, "73.35")
    assert await client.ask(op="ping") == {"op": "pong"}


async def test_the_accounts_log_is_live_and_without_holes(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=5)
    answer = await client.ask(op="subscribe", channels=[CHANNEL])
    assert answer["channels"] == [{"channel": CHANNEL, "from_seq": 6}]
    await account.announce(account.record())
    lost, known = account.record(), account.record()
    await account.announce(known)
    await account.announce(known)
    await account.announce(lost)
    seqs = [(await client.hear())["seq"] for _ in range(3)]
    assert seqs == [6, 7, 8]
    assert client.nothing_waits()


async def test_an_event_that_comes_while_a_subscription_begins_is_not_missed(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=5)
    listed = edge.peers["portfolio"].answers["ListEvents"]

    async def overtaken(request: ListEventsRequest) -> ListEventsResponse:
        page: ListEventsResponse = listed(request)
        if len(account.log) == 5:
            await account.announce(account.record())
        return page

    edge.peers["portfolio"].answers["ListEvents"] = overtaken
    answer = await client.ask(op="subscribe", channels=[CHANNEL])
    assert answer["channels"] == [{"channel": CHANNEL, "from_seq": 6}]
    assert (await client.hear())["seq"] == 6
    await account.announce(account.record())
    assert (await client.hear())["seq"] == 7
    assert client.nothing_waits()


async def test_an_early_copy_is_shown_in_place_of_its_event(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=5)
    await client.ask(op="subscribe", channels=[CHANNEL])
    told, along = account.record(), account.record()
    await account.copy_early(told, along)
    assert [(await client.hear())["seq"] for _ in range(2)] == [6, 7]
    await account.announce(told)
    await account.copy_early(told, along)
    await account.announce(along)
    await account.announce(account.record())
    assert (await client.hear())["seq"] == 8
    assert client.nothing_waits()


async def test_an_early_copy_that_does_not_follow_on_is_left_to_its_event(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=5)
    await client.ask(op="subscribe", channels=[CHANNEL])
    asked = len(edge.peers["portfolio"].asked)
    first, second = account.record(), account.record()
    await account.copy_early(second)
    await edge.logs.handle_early(EARLY, b"\xff")
    await account.announce(first)
    await account.announce(second)
    assert [(await client.hear())["seq"] for _ in range(2)] == [6, 7]
    assert len(edge.peers["portfolio"].asked) == asked, "the log was read for it"


async def test_resume_replays_what_was_missed_in_pages_while_new_events_come(edge: Edge, client: StreamClient) -> None:
    account = Account(edge, length=1700)
    client.say(op="resume", channel=CHANNEL, after_seq=100)
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1].get("seq") != 1720:
        heard.append(await client.hear())
        if len(heard) % 80 == 0 and len(account.log) < 1720:
            await account.announce(account.record())
    assert {"op": "resumed", "channel": CHANNEL, "from_seq": 101} in heard
    assert [message["seq"] for message in heard if "seq" in message] == list(range(101, 1721))


async def test_the_log_waits_for_a_reader_rather_than_lose_an_event(edge: Edge, client: StreamClient) -> None:
    account = Account(edge)
    await client.ask(op="subscribe", channels=[CHANNEL])
    client.stop_reading()
    for _ in range(3000):
        await account.announce(account.record())
    client.read_again()
    assert [(await client.hear())["seq"] for _ in range(3000)] == list(range(1, 3001))


async def test_the_log_goes_on_when_portfolio_comes_back(
    edge: Edge, client: StreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.stream.subscriptions._LOG_RETRY_SECONDS", 0.01)
    account = Account(edge)
    await client.ask(op="subscribe", channels=[CHANNEL])
    working = edge.peers["portfolio"].answers["ListEvents"]
    edge.peers["portfolio"].answers["ListEvents"] = Unavailable("away")
    account.record()
    await account.announce(account.record())
    await asyncio.sleep(0.03)
    edge.peers["portfolio"].answers["ListEvents"] = working
    assert [(await client.hear())["seq"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(("error", "status"), [(PermissionDenied("no longer"), 403), (ValueError("a bug"), 500)])
async def test_a_log_that_cannot_be_read_is_told_and_may_be_followed_again(
    edge: Edge, client: StreamClient, error: Exception, status: int
) -> None:
    account = Account(edge)
    await client.ask(op="subscribe", channels=[CHANNEL])
    working = edge.peers["portfolio"].answers["ListEvents"]

    def broken(_: ListEventsRequest) -> ListEventsResponse:
        raise error

    edge.peers["portfolio"].answers["ListEvents"] = broken
    account.record()
    await account.announce(account.record())
    told = await client.hear()
    assert (told["channel"], told["problem"]["status"]) == (CHANNEL, status)
    edge.peers["portfolio"].answers["ListEvents"] = working
    assert (await client.ask(op="resume", channel=CHANNEL, after_seq=0))["from_seq"] == 1
    assert [(await client.hear())["seq"] for _ in range(2)] == [1, 2]
    edge.peers["portfolio"].answers["ListEvents"] = broken
    account.record()
    await account.announce(account.record())
    assert (await client.hear())["op"] == "error"
    edge.peers["portfolio"].answers["ListEvents"] = working
    assert (await client.ask(op="subscribe", channels=[CHANNEL]))["channels"][0]["from_seq"] == 5
    await account.announce(account.record())
    assert (await client.hear())["seq"] == 5


async def test_a_foreign_portfolio_is_404_and_an_unknown_channel_too(edge: Edge, client: StreamClient) -> None:
    Account(edge)
    foreign = await client.ask(op="subscribe", channels=[f"portfolio.{uuid4()}"])
    assert (foreign["op"], foreign["problem"]["status"]) == ("error", 404)
    unknown = await client.ask(op="subscribe", channels=["weather.berlin"])
    assert unknown["problem"]["status"] == 404
    edge.peers["market"].answers["GetAsset"] = NotFound("no such asset")
    assert (await client.ask(op="subscribe", channels=["quotes.NOPE"]))["problem"]["status"] == 404


async def test_a_scope_that_is_missing_refuses_the_channel() -> None:
    edge = make_edge(clerk=caller(scopes=frozenset({"market:read"})))
    async with StreamClient(edge, Authorization="Bearer clerk") as client:
        refused = await client.ask(op="subscribe", channels=[CHANNEL])
        assert refused["problem"]["status"] == 403


async def test_a_channel_needs_its_own_scope_alone() -> None:
    """Whether there is such a symbol the gateway asks for itself."""
    edge = make_edge(reader=caller(scopes=frozenset({"predictions:read"})))
    edge.peers["market"].answers["GetAsset"] = market_pb2.GetAssetResponse()
    async with StreamClient(edge, Authorization="Bearer reader") as client:
        assert (await client.ask(op="subscribe", channels=["predictions.AAPL"]))["op"] == "subscribed"
    assert [name for name, _ in edge.peers["market"].in_own_name().asked] == ["GetAsset"]
    assert edge.peers["market"].asked == []


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer ada"}, {}])
async def test_a_channel_counts_as_a_request(headers: dict[str, str]) -> None:
    """Else whoever asks on one stream loads the services behind as much as he likes."""
    edge = make_edge(limits=policies(quota=4))
    Account(edge)
    async with StreamClient(edge, **headers) as client:
        if not headers:
            assert (await client.ask(op="auth", token="ada"))["op"] == "authenticated"
        client.say(op="subscribe", channels=[f"portfolio.{uuid4()}" for _ in range(6)])
        statuses = [(await client.hear())["problem"]["status"] for _ in range(6)]
    # To connect with a credential counts too.
    admitted = 3 if headers else 4
    assert statuses == [404] * admitted + [429] * (6 - admitted)
    assert len(edge.peers["portfolio"].asked) == admitted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"op": "fly"}',
        '{"op": "subscribe"}',
        '{"op": "subscribe", "channels": []}',
        '{"op": "subscribe", "channels": [1]}',
        '{"op": "subscribe", "channels": ["quotes.AAPL"], "colour": "red"}',
        '{"op": "resume", "channel": "quotes.AAPL", "after_seq": -1}',
        '{"op": "resume", "channel": "quotes.AAPL", "after_seq": 1.5}',
        '{"op": "ping", "op": "ping"}',
        '{"op": "auth", "token": 1}',
    ],
)
async def test_what_is_no_message_is_a_problem_and_the_stream_goes_on(client: StreamClient, text: str) -> None:
    client.say_text(text)
    refused = await client.hear()
    assert refused["op"] == "error"
    assert refused["problem"]["status"] in (400, 422)
    assert await client.ask(op="ping") == {"op": "pong"}


async def test_a_job_is_followed_to_its_end(edge: Edge, client: StreamClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.stream.subscriptions._JOB_POLL_SECONDS", 0.01)
    name = f"prediction-{uuid4()}"
    states = [
        job_pb2.Job(id=name, kind="train", status=job_pb2.JOB_STATUS_RUNNING, progress=0.1),
        job_pb2.Job(id=name, kind="train", status=job_pb2.JOB_STATUS_RUNNING, progress=0.1),
        job_pb2.Job(id=name, kind="train", status=job_pb2.JOB_STATUS_SUCCEEDED, progress=1.0),
    ]
    edge.peers["prediction"].answers["GetJob"] = lambda _: job_pb2.GetJobResponse(job=states.pop(0))
    client.say(op="subscribe", channels=[f"jobs.{name}"])
    heard = [await client.hear() for _ in range(3)]
    events = [message for message in heard if "seq" in message]
    assert [(event["seq"], event["type"]) for event in events] == [(1, "job.running"), (2, "job.succeeded")]
