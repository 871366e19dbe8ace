import time
from uuid import RFC_4122

import pytest

from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.outbox import PARTITIONS, partition_of


def test_an_id_is_a_version_7_uuid_of_this_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_do_not_repeat_and_sort_in_the_order_they_were_made() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert made == sorted(made)


def test_ids_stay_in_order_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    assert first < uuid7() < uuid7()


def test_an_aggregate_keeps_its_partition() -> None:
    # Part of subjects that are stored on brokers: another hash would reorder the events of a running mesh.
    assert [partition_of(name) for name in ("a", "b", "019a9c5e-0000-7000-8000-000000000001")] == [3, 9, 5]
    assert {partition_of(str(number)) for number in range(500)} == set(range(PARTITIONS))
