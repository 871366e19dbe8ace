"""Many events of one aggregate in one statement: the same rows as one by one."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import text

OWNER = uuid4()
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SUBJECT = "ledger.entry.posted"
_ROWS = text(
    """
    SELECT aggregate_version, previous_version, partition, owner_id, occurred_at, type, payload FROM outbox
    ORDER BY position
    """
)


def series(*versions: int) -> list[outbox.SeriesEvent]:
    return [
        outbox.SeriesEvent(Money(currency=f"V{version}"), version, NOW + timedelta(seconds=version))
        for version in versions
    ]


async def test_a_series_is_written_in_order_each_event_naming_the_one_before(database: Database) -> None:
    async with database.transaction(OWNER) as session:
        await outbox.append(
            session, SUBJECT, Money(), aggregate_id="a", aggregate_version=2, occurred_at=NOW, owner_id=OWNER
        )
        await outbox.append_series(session, SUBJECT, series(3, 5, 9), aggregate_id="a", owner_id=OWNER)
        await outbox.append_series(session, SUBJECT, series(1), aggregate_id="b")
    async with database.system_transaction() as session:
        rows = (await session.execute(_ROWS)).all()
    assert [(row.aggregate_version, row.previous_version) for row in rows] == [(2, 0), (3, 2), (5, 3), (9, 5), (1, 0)]
    assert [Money.FromString(bytes(row.payload)).currency for row in rows[1:]] == ["V3", "V5", "V9", "V1"]
    assert {row.partition for row in rows[:4]} == {outbox.partition_of("a")}
    assert [row.owner_id for row in rows] == [OWNER] * 4 + [None]
    assert rows[3].occurred_at == NOW + timedelta(seconds=9)
    assert {row.type for row in rows} == {"quantmesh.api.common.v1.Money"}


@pytest.mark.parametrize("versions", [(), (2, 1), (1, 1)])
async def test_a_series_has_growing_versions(database: Database, versions: tuple[int, ...]) -> None:
    async with database.transaction(OWNER) as session:
        with pytest.raises(ValueError, match="their versions grow"):
            await outbox.append_series(session, SUBJECT, series(*versions), aggregate_id="a")


async def test_a_series_does_not_go_back_behind_what_was_written(database: Database) -> None:
    async with database.transaction(OWNER) as session:
        await outbox.append_series(session, SUBJECT, series(1, 2, 3), aggregate_id="a")
        with pytest.raises(ValueError, match="version 3 is not newer"):
            await outbox.append_series(session, SUBJECT, series(3, 4), aggregate_id="a")
