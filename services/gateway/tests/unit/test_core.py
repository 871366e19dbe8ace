"""The pure rules of the edge: limits, JSON, conditions, expiry, and a place in a log."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as Read
from websockets.frames import Opcode
from websockets.streams import StreamReader

from quantmesh.gateway.core import conditional, strict_json
from quantmesh.gateway.core.allowances import Allowances
from quantmesh.gateway.core.errors import MalformedRequest, OptionExpired
from quantmesh.gateway.core.expiry import years_to_expiry
from quantmesh.gateway.core.rates import Charge, LocalBuckets, Policy, Standing, limit_header, policy_header
from quantmesh.gateway.core.stream.account_log import Arrival, LogPlace
from quantmesh.gateway.core.stream.frames import Frame
from quantmesh.gateway.core.stream.mailbox import Mailbox

POLICY = Policy("user", 10, 60)


def decide(buckets: LocalBuckets, now: float, times: int = 1) -> list[bool]:
    return [buckets.decide([Charge(POLICY, "ada")], now).admitted for _ in range(times)]


def test_a_burst_of_the_quota_is_admitted_and_then_one_per_interval() -> None:
    buckets = LocalBuckets()
    assert decide(buckets, 0.0, 12) == [True] * 10 + [False] * 2
    assert decide(buckets, 5.9) == [False]
    assert decide(buckets, 6.0, 2) == [True, False]
    assert decide(buckets, 1000.0, 11) == [True] * 10 + [False]


@given(st.lists(st.floats(min_value=0.0, max_value=30.0), min_size=1, max_size=200))
def test_no_window_ever_admits_more_than_twice_the_quota(gaps: list[float]) -> None:
    buckets, now, admitted = LocalBuckets(), 0.0, []
    for gap in gaps:
        now += gap
        if decide(buckets, now)[0]:
            admitted.append(now)
    for start in admitted:
        assert sum(start <= moment < start + 60 for moment in admitted) <= 20


def test_the_headers_say_what_is_left_and_when_it_is_back() -> None:
    buckets = LocalBuckets()
    verdict = buckets.decide([Charge(POLICY, "ada"), Charge(Policy("address", 100, 60), "::1")], 0.0)
    assert (
        policy_header([standing.policy for standing in verdict.standings]) == '"user";q=10;w=60, "address";q=100;w=60'
    )
    assert limit_header(verdict.standings) == '"user";r=9;t=6, "address";r=99;t=1'


def test_a_refusal_says_when_one_more_fits() -> None:
    buckets = LocalBuckets()
    decide(buckets, 0.0, 10)
    refused = buckets.decide([Charge(POLICY, "ada")], 2.0)
    assert refused.binding.retry_after_seconds == pytest.approx(4.0)


def test_old_buckets_make_room_for_new_ones() -> None:
    buckets = LocalBuckets(maximum_buckets=2)
    for key in ("a", "b", "c"):
        buckets.decide([Charge(POLICY, key)], 0.0)
    standing = buckets.decide([Charge(POLICY, "a")], 0.0).standings[0]
    assert standing.remaining == 9


def test_an_allowance_admits_as_many_as_were_granted_and_says_what_is_left_of_the_quota() -> None:
    allowances, charges = Allowances(1.0), [Charge(POLICY, "ada")]
    assert allowances.take(charges, 0.0) is None
    allowances.grant(charges[0].bucket, 2, Standing(POLICY, 6.0), 0.0)
    verdicts = [allowances.take(charges, 0.5) for _ in range(3)]
    assert [verdict and verdict.standings[0].remaining for verdict in verdicts] == [8, 7, None]
    assert verdicts[0] is not None
    assert verdicts[0].standings[0].ahead_seconds == pytest.approx(11.5)


def test_an_allowance_of_one_bucket_is_kept_where_the_other_has_none() -> None:
    allowances, ada, address = Allowances(1.0), Charge(POLICY, "ada"), Charge(Policy("address", 100, 60), "::1")
    allowances.grant(ada.bucket, 1, Standing(POLICY, 6.0), 0.0)
    assert allowances.take([ada, address], 0.0) is None
    assert allowances.unused(ada.bucket, 0.0) == 1
    assert allowances.take([ada], 0.0) is not None


def test_an_allowance_lapses_and_makes_room() -> None:
    allowances, charge = Allowances(1.0), Charge(POLICY, "ada")
    allowances.grant(charge.bucket, 5, Standing(POLICY, 6.0), 0.0)
    assert allowances.unused(charge.bucket, 0.9) == 5
    assert allowances.unused(charge.bucket, 1.0) == 0
    assert allowances.take([charge], 1.0) is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(json_values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    assert strict_json.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b"[NaN]", b"[1,]", b"", b"\xff", b"[" * 65 + b"]" * 65])
def test_what_is_no_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        strict_json.parse(body)


def test_brackets_in_text_are_not_depth() -> None:
    assert strict_json.parse(b'["' + b"[{" * 100 + b'\\""]') == ["[{" * 100 + '"']


@pytest.mark.parametrize(
    ("header", "matches"),
    [('"3"', True), ('W/"3"', True), ('"1", "3"', True), ("*", True), ('"33"', False), ("3", False), ("", False)],
)
def test_if_none_match_compares_weakly(header: str, *, matches: bool) -> None:
    assert conditional.none_match(header, '"3"') is matches


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        ('"12"', {12}),
        ('"12", "13"', {12, 13}),
        ('"12","x" , W/"13"', {12}),
        ('W/"12"', set()),
        ('"0"', {0}),
        ('"012"', set()),
        (" * ", None),
    ],
)
def test_if_match_lists_versions_or_takes_any(header: str, versions: set[int] | None) -> None:
    assert conditional.expected_versions(header) == versions


@pytest.mark.parametrize("header", ["12", "", '"1" "2"', '"1",', '*, "1"', '"1'])
def test_if_match_that_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(MalformedRequest):
        conditional.expected_versions(header)


def test_time_to_expiry_runs_to_the_close_in_new_york() -> None:
    close = datetime(2022, 12, 16, 21, 0, tzinfo=UTC)
    assert years_to_expiry(date(2022, 12, 16), close.replace(hour=20)) == pytest.approx(1 / 8760)
    summer = datetime(2022, 7, 15, 19, 0, tzinfo=UTC)
    assert years_to_expiry(date(2022, 7, 15), summer) == pytest.approx(1 / 8760)
    with pytest.raises(OptionExpired):
        years_to_expiry(date(2022, 12, 16), close)


def test_a_place_in_the_log_knows_what_is_next_known_and_missing() -> None:
    place = LogPlace(5)
    assert place.arrived(6, room=True) is Arrival.NEXT
    assert place.arrived(6, room=True) is Arrival.KNOWN
    assert place.arrived(8, room=True) is Arrival.AHEAD
    assert not place.is_level(7)
    assert [place.read(seq) for seq in (6, 7, 8)] == [False, True, True]
    assert place.is_level(8)
    assert place.arrived(9, room=False) is Arrival.AHEAD
    with pytest.raises(ValueError, match="jumps from 8 to 10"):
        place.read(10)


def test_an_early_copy_counts_only_where_it_is_next() -> None:
    place = LogPlace(5)
    assert [place.arrived_early(seq, room=True) for seq in (7, 6, 6)] == [False, True, False]
    assert place.arrived(6, room=True) is Arrival.KNOWN
    assert not place.arrived_early(7, room=False)
    place.catching_up = True
    assert not place.arrived_early(7, room=True)
    assert (place.seq, place.is_level(6)) == (6, True)


def test_a_mailbox_keeps_order_and_the_latest() -> None:
    woken: list[int] = []
    mailbox = Mailbox(lambda: woken.append(1), maximum_ordered=2)
    for number in range(3):
        mailbox.put_latest("quotes.A", Frame(f"a{number}"))
    mailbox.put(Frame("one"))
    room = [mailbox.has_room]
    mailbox.put(Frame("two"))
    assert [*room, mailbox.has_room] == [True, False]
    taken = [mailbox.take() for _ in range(4)]
    assert [frame.text if frame else None for frame in taken] == ["one", "two", "a2", None]
    assert len(woken) == 1


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_what_a_websocket_library_reads(length: int) -> None:
    frame = Frame("x" * length)
    reader = StreamReader()
    reader.feed_data(frame.wire)
    parsing = Read.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as read:
        next(parsing)
    assert read.value.value.opcode is Opcode.TEXT
    assert bytes(read.value.value.data) == b"x" * length
