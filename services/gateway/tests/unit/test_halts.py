"""/halts at the edge, and the channel that tells of them."""

from uuid import uuid4

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, PageInfo
from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.chassis.errors import AlreadyExists, Unavailable
from quantmesh.gateway.http.models.halts import HaltShown, HaltsShown

from .edges import SCOPES, Edge, caller, make_edge
from .samples import NOW
from .streams import StreamClient

PATH = "/api/v2/halts"


def halt(symbol: str = "AAPL", **fields: object) -> pb.Halt:
    base = pb.Halt(
        id=str(uuid4()),
        kind=pb.HALT_KIND_OPERATOR,
        symbol=symbol,
        cause="a drill",
        imposed_by="ada",
        imposed_at=NOW,
        version=1,
    )
    base.MergeFrom(pb.Halt(**fields))  # type: ignore[arg-type]  # fields by name
    return base


async def announce(edge: Edge, message: pb.HaltImposed | pb.HaltLifted) -> None:
    await edge.halts.handle(
        EventEnvelope(type=message.DESCRIPTOR.full_name, payload=message.SerializeToString(), event_id="e")
    )


async def test_halts_are_listed_as_asked_for(edge: Edge) -> None:
    breaker = halt("", kind=pb.HALT_KIND_BREAKER, level=2, market_time=NOW, lifts_at=NOW)
    portfolio = edge.peers["portfolio"]
    portfolio.answers["ListHalts"] = pb.ListHaltsResponse(halts=[breaker, halt(lifted_at=NOW, lifted_by="rule")])
    shown = HaltsShown.model_validate((await edge.http.get(PATH)).json())
    assert [(item.kind, item.symbol, item.level, item.lifted_by) for item in shown.data] == [
        ("breaker", None, 2, None),
        ("operator", "AAPL", None, "rule"),
    ]
    assert portfolio.last("ListHalts").in_force
    await edge.http.get(PATH, params={"in_force": "false", "symbol": "AAPL"})
    assert (portfolio.last("ListHalts").in_force, portfolio.last("ListHalts").symbol) == (False, "AAPL")


async def test_a_halt_is_imposed_and_lifted(edge: Edge) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["ImposeHalt"] = pb.ImposeHaltResponse(halt=halt())
    answer = await edge.http.post(PATH, json={"kind": "kill_switch", "cause": "a drill"})
    assert answer.status_code == 201
    HaltShown.model_validate(answer.json())
    assert portfolio.last("ImposeHalt") == pb.ImposeHaltRequest(kind=pb.HALT_KIND_KILL_SWITCH, cause="a drill")
    portfolio.answers["LiftHalt"] = pb.LiftHaltResponse(halt=halt(lifted_at=NOW, lifted_by="ada"))
    assert (await edge.http.delete(f"{PATH}/{uuid4()}")).json()["lifted_by"] == "ada"
    portfolio.answers["ImposeHalt"] = AlreadyExists("A halt is in force already.")
    assert (await edge.http.post(PATH, json={"kind": "operator", "cause": "a drill"})).status_code == 409
    for wrong in ({"kind": "breaker", "cause": "x"}, {"kind": "operator"}, {"kind": "operator", "cause": " "}):
        assert (await edge.http.post(PATH, json=wrong)).status_code == 422


async def test_everyone_sees_halts_and_the_scope_of_operators_alone_makes_them() -> None:
    edge = make_edge(investor=caller(scopes=SCOPES - {"halts:manage"}))
    edge.peers["portfolio"].answers["ListHalts"] = pb.ListHaltsResponse()
    http = edge.client(Authorization="Bearer investor")
    assert (await http.get(PATH)).status_code == 200
    assert (await http.post(PATH, json={"kind": "operator", "cause": "x"})).status_code == 403
    assert (await http.delete(f"{PATH}/{uuid4()}")).status_code == 403
    assert [name for name, _ in edge.peers["portfolio"].asked] == ["ListHalts"]


async def test_a_follower_gets_what_is_in_force_and_then_every_change_with_all_that_is(
    edge: Edge, client: StreamClient
) -> None:
    first, second = halt("AAPL"), halt("MSFT")
    edge.peers["portfolio"].answers["ListHalts"] = pb.ListHaltsResponse(halts=[first])
    assert (await client.ask(op="subscribe", channels=["halts"]))["channels"] == [{"channel": "halts", "from_seq": 1}]
    heard = await client.hear()
    assert (heard["seq"], heard["type"], heard["data"]["halt"]) == (1, "halts", None)
    assert [item["symbol"] for item in heard["data"]["in_force"]] == ["AAPL"]
    await announce(edge, pb.HaltImposed(halt=second))
    heard = await client.hear()
    assert (heard["type"], heard["data"]["halt"]["symbol"]) == ("halt.imposed", "MSFT")
    assert [item["symbol"] for item in heard["data"]["in_force"]] == ["AAPL", "MSFT"]
    await announce(edge, pb.HaltLifted(halt=first))
    heard = await client.hear()
    assert (heard["type"], heard["data"]["halt"]["symbol"]) == ("halt.lifted", "AAPL")
    assert [item["symbol"] for item in heard["data"]["in_force"]] == ["MSFT"]


async def test_a_missed_event_is_told_once_the_halts_are_read_again(edge: Edge, client: StreamClient) -> None:
    portfolio = edge.peers["portfolio"]
    portfolio.answers["ListHalts"] = pb.ListHaltsResponse()
    await client.ask(op="subscribe", channels=["halts"])
    assert (await client.hear())["data"]["in_force"] == []
    portfolio.answers["ListHalts"] = pb.ListHaltsResponse(halts=[halt()])
    for _ in range(2):
        await edge.halts.read()
    heard = await client.hear()
    assert (heard["seq"], heard["type"], len(heard["data"]["in_force"])) == (2, "halts", 1)
    assert client.nothing_waits(), "what did not change is not told again"


async def test_halts_of_which_there_are_many_are_read_to_the_last_page(edge: Edge, client: StreamClient) -> None:
    """A halt that is left out would be told as lifted."""
    pages = {
        "": pb.ListHaltsResponse(halts=[halt("AAPL")], page=PageInfo(next_cursor="more")),
        "more": pb.ListHaltsResponse(halts=[halt("MSFT")]),
    }
    edge.peers["portfolio"].answers["ListHalts"] = lambda request: pages[request.page.cursor]
    await client.ask(op="subscribe", channels=["halts"])
    assert [item["symbol"] for item in (await client.hear())["data"]["in_force"]] == ["AAPL", "MSFT"]


async def test_a_reading_that_an_event_overtook_does_not_count(edge: Edge) -> None:
    late = halt()

    async def answer(_: pb.ListHaltsRequest) -> pb.ListHaltsResponse:
        await announce(edge, pb.HaltImposed(halt=late))
        return pb.ListHaltsResponse()

    edge.peers["portfolio"].answers["ListHalts"] = answer
    await edge.halts.read()
    assert edge.halts.topic.latest is not None
    assert late.id in edge.halts.topic.latest.text


async def test_while_the_halts_cannot_be_read_following_them_is_refused(edge: Edge, client: StreamClient) -> None:
    edge.peers["portfolio"].answers["ListHalts"] = Unavailable("away")
    refused = await client.ask(op="subscribe", channels=["halts"])
    assert (refused["op"], refused["channel"], refused["problem"]["status"]) == ("error", "halts", 503)
    for name in ("halts.", "halts.AAPL"):
        assert (await client.ask(op="subscribe", channels=[name]))["problem"]["status"] == 404


async def test_a_halt_of_a_kind_that_only_a_newer_release_knows_is_told_as_any_other(
    edge: Edge, client: StreamClient
) -> None:
    """Whose portfolio service runs beside this gateway: it must neither fall over it nor keep it to itself."""
    edge.peers["portfolio"].answers["ListHalts"] = pb.ListHaltsResponse(halts=[halt(kind=99)])
    listed = await edge.http.get(PATH)
    assert (listed.status_code, [item["kind"] for item in listed.json()["data"]]) == (200, ["unknown"])
    await client.ask(op="subscribe", channels=["halts"])
    assert [item["kind"] for item in (await client.hear())["data"]["in_force"]] == ["unknown"]
    await announce(edge, pb.HaltImposed(halt=halt("MSFT", kind=99)))
    assert (await client.hear())["data"]["halt"]["kind"] == "unknown"


async def test_an_event_of_a_kind_that_only_a_newer_release_knows_lifts_no_halt(edge: Edge) -> None:
    imposed = pb.HaltImposed(halt=halt())
    await announce(edge, imposed)
    told = edge.halts.topic.latest
    changed = EventEnvelope(type="quantmesh.api.portfolio.v1.HaltChanged", payload=imposed.SerializeToString())
    await edge.halts.handle(changed)
    assert edge.halts.topic.latest is told is not None


async def test_an_event_that_is_no_halt_is_left_out(edge: Edge) -> None:
    await edge.halts.handle(EventEnvelope(type="quantmesh.api.portfolio.v1.HaltImposed", payload=b"\xff"))
    await announce(edge, pb.HaltImposed())
    assert edge.halts.topic.latest is None


async def test_who_resumes_at_another_replica_is_told_of_the_halts_in_force_there() -> None:
    """What the first replica numbered 1 is not what the second one does."""
    first, second = make_edge(numbered_from=1_000), make_edge(numbered_from=2_000)
    first.peers["portfolio"].answers["ListHalts"] = pb.ListHaltsResponse()
    second.peers["portfolio"].answers["ListHalts"] = pb.ListHaltsResponse(halts=[halt()])
    async with StreamClient(first, Authorization="Bearer ada") as client:
        await client.ask(op="subscribe", channels=["halts"])
        last = await client.hear()
        assert last["data"]["in_force"] == []
    async with StreamClient(second, Authorization="Bearer ada") as client:
        await client.ask(op="resume", channel="halts", after_seq=last["seq"])
        assert len((await client.hear())["data"]["in_force"]) == 1
