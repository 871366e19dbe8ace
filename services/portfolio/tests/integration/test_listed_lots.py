"""The open lots of one instrument, page by page, on a real ledger; and an answer with the lots of all."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.rpc import reads
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store import snapshots
from quantmesh.portfolio.adapters.translate_lots import shown_lots
from quantmesh.portfolio.core import get_positions
from quantmesh.portfolio.core.errors import InvalidCursor, InvalidRequest, PortfolioNotFound, TooManyLots
from quantmesh.portfolio.core.lots import Lot
from quantmesh.portfolio.core.pages import to_cursor

from .fakes import NO_CONTEXT, Service, User
from .messages import stamp


async def listed(
    user: User,
    portfolio_id: str,
    symbol: str = "AAPL",
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    limit: int = 100,
    cursor: str = "",
) -> pb.ListLotsResponse:
    user.call()
    request = pb.ListLotsRequest(
        portfolio_id=portfolio_id,
        symbol=symbol,
        as_of=stamp(as_of),
        known_at=stamp(known_at),
        page=PageRequest(limit=limit, cursor=cursor),
    )
    return await user.rpc.ListLots(request, NO_CONTEXT)


async def with_lots(service: Service, count: int) -> tuple[User, str, list[str]]:
    user = service.user()
    portfolio = await user.create(lots=pb.LOT_METHOD_FIFO)
    await user.deposit(portfolio.id)
    bought = [await user.buy(portfolio.id, "2", "100", f"2020-01-{day:02}") for day in range(3, 3 + count)]
    return user, portfolio.id, [each.transaction.id for each in bought]


async def test_lots_come_in_pages_the_oldest_first_with_what_each_gained(service: Service) -> None:
    user, portfolio_id, bought = await with_lots(service, 5)
    shown: list[pb.Lot] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        answer = await listed(user, portfolio_id, limit=2, cursor=cursor)
        shown += answer.lots
        cursor, pages = answer.page.next_cursor, pages + 1
    assert pages == 3
    assert [lot.transaction_id for lot in shown] == bought
    # Two at 100, which are at 130 now.
    assert {(lot.quantity.value, lot.cost.value, lot.unrealized_pnl.value) for lot in shown} == {
        ("2", "200.00", "60.00")
    }


async def test_all_pages_tell_of_the_number_that_the_first_was_true_at(service: Service) -> None:
    user, portfolio_id, bought = await with_lots(service, 4)
    first = await listed(user, portfolio_id, limit=3)
    sale = {"type": "sell", "symbol": "AAPL", "quantity": "3", "price": "120", "currency": "USD"}
    await user.record(portfolio_id, **sale, at="2020-02-03")
    second = await listed(user, portfolio_id, limit=3, cursor=first.page.next_cursor)
    assert [lot.transaction_id for lot in (*first.lots, *second.lots)] == bought
    assert (first.seq, second.seq, second.page.next_cursor) == (5, 5, "")
    now = await listed(user, portfolio_id)
    assert (now.seq, [lot.quantity.value for lot in now.lots]) == (6, ["1", "2", "2"])


@pytest.mark.parametrize(("step", "read_at_once"), [(2, 100_000), (1000, 100_000), (1000, 10)])
async def test_what_lies_apart_in_a_snapshot_is_listed_whole(
    service: Service, step: int, read_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_READ_AT_ONCE", read_at_once)
    user, portfolio_id, bought = await with_lots(service, 25)
    await SnapshotMaker(service.database, due_events=1, step=step).make_due()
    assert [lot.transaction_id for lot in (await listed(user, portfolio_id)).lots] == bought
    early = await listed(user, portfolio_id, as_of=datetime(2020, 1, 22, 9, tzinfo=UTC))
    assert [lot.transaction_id for lot in early.lots] == bought[:19]
    known = await listed(user, portfolio_id, known_at=datetime(2020, 3, 1, tzinfo=UTC))
    assert not known.lots


async def test_what_is_not_held_has_no_lots(service: Service) -> None:
    user, portfolio_id, _ = await with_lots(service, 1)
    for symbol in ("MSFT", "NOBODY"):
        answer = await listed(user, portfolio_id, symbol)
        assert (list(answer.lots), answer.page.next_cursor, answer.seq) == ([], "", 2)
    sale = {"type": "sell", "symbol": "AAPL", "quantity": "2", "price": "120", "currency": "USD"}
    await user.record(portfolio_id, **sale, at="2020-02-03")
    assert not (await listed(user, portfolio_id)).lots


async def test_a_list_without_a_symbol_or_with_a_foreign_cursor_is_refused_by_name(service: Service) -> None:
    user, portfolio_id, _ = await with_lots(service, 1)
    with pytest.raises(InvalidRequest) as no:
        await listed(user, portfolio_id, "")
    assert [violation.field for violation in no.value.violations] == ["symbol"]
    for cursor in ("nonsense", to_cursor(["1"]), to_cursor(["-1", "0"]), to_cursor(["3", "1"])):
        with pytest.raises(InvalidCursor):
            await listed(user, portfolio_id, cursor=cursor)
    with pytest.raises(PortfolioNotFound):
        await listed(service.user(), portfolio_id)


async def test_more_lots_than_one_answer_lists_are_refused_with_their_number(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, portfolio_id, _ = await with_lots(service, 3)
    request = pb.GetPositionsRequest(portfolio_id=portfolio_id, lots=True)
    monkeypatch.setattr(get_positions, "MOST_LOTS", 2)
    with pytest.raises(TooManyLots, match="has 3 open lots, and one answer lists 2") as no:
        await user.rpc.GetPositions(request, NO_CONTEXT)
    assert [violation.field for violation in no.value.violations] == ["lots"]
    assert len((await listed(user, portfolio_id)).lots) == 3


async def test_a_long_answer_is_written_beside_the_event_loop(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, portfolio_id, _ = await with_lots(service, 3)
    request = pb.GetPositionsRequest(portfolio_id=portfolio_id, lots=True)
    written_by = []

    def write(lots: Iterable[Lot], mark: get_positions.Mark, multiplier: Decimal | None) -> list[pb.Lot]:
        written_by.append(threading.current_thread())
        return shown_lots(lots, mark, multiplier)

    monkeypatch.setattr(reads, "shown_lots", write)
    short = await user.rpc.GetPositions(request, NO_CONTEXT)
    monkeypatch.setattr(reads, "_SHOWN_AT_ONCE", 3)
    long = await user.rpc.GetPositions(request, NO_CONTEXT)
    assert [thread is threading.main_thread() for thread in written_by] == [True, False]
    assert short.positions == long.positions
