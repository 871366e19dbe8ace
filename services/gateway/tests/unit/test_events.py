"""/events at the edge."""

from datetime import UTC, datetime

from quantmesh.chassis.events.dead_letters import DeadLetter
from quantmesh.gateway.http.models.events import DeadLetterShown, DeadLettersShown

from .edges import SCOPES, Edge, caller, make_edge

PATH = "/api/v2/events/dead-letters"


def letter(number: int) -> DeadLetter:
    return DeadLetter(
        number=number,
        consumer="blockchain-anchor-transactions",
        subject="qm.portfolio.transaction.recorded.3",
        event_id="019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10",
        error="LookupError: no such leaf",
        died_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


async def test_dead_letters_are_listed_page_by_page_with_their_errors(edge: Edge) -> None:
    edge.letters.kept = [letter(3), letter(7), letter(9)]
    first = DeadLettersShown.model_validate((await edge.http.get(f"{PATH}?limit=2")).json())
    assert ([each.number for each in first.data], first.next_after) == ([3, 7], 7)
    assert first.data[0].error == "LookupError: no such leaf"
    last = DeadLettersShown.model_validate((await edge.http.get(f"{PATH}?limit=2&after=7")).json())
    assert ([each.number for each in last.data], last.next_after) == ([9], None)


async def test_a_letter_is_replayed_once(edge: Edge) -> None:
    edge.letters.kept = [letter(3)]
    answer = await edge.http.post(f"{PATH}/3/replay")
    assert DeadLetterShown.model_validate(answer.json()).died_at == "2026-01-02T03:04:05Z"
    again = await edge.http.post(f"{PATH}/3/replay")
    assert (again.status_code, again.json()["type"]) == (404, "/problems/dead-letter-not-found")
    for nonsense in ("0", "x", "9" * 30):
        assert (await edge.http.post(f"{PATH}/{nonsense}/replay")).status_code == 404


async def test_only_operators_see_and_replay_them() -> None:
    edge = make_edge(investor=caller(scopes=SCOPES - {"events:manage"}))
    edge.letters.kept = [letter(3)]
    http = edge.client(Authorization="Bearer investor")
    assert (await http.get(PATH)).status_code == 403
    assert (await http.post(f"{PATH}/3/replay")).status_code == 403
    assert len(edge.letters.kept) == 1
