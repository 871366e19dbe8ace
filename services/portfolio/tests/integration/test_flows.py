"""What cash moved day by day, as transactions say it, is what their postings say."""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from psycopg.errors import DivisionByZero

from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.daily_book import History
from quantmesh.portfolio.core.daily_flows import DailyFlow
from quantmesh.portfolio.core.daily_income import IncomeTable
from quantmesh.portfolio.core.model import TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.posting_rules import CASH, CONTRIBUTIONS
from quantmesh.portfolio.core.read_history import Span, read_history

from .fakes import Service
from .random_entries import random_trade, record_or_take_back
from .test_corrections import reverse
from .test_lots_and_options import CALL, INDEX, account, record, with_options


async def posted_flows(store: Store, portfolio_id: UUID, view: View) -> list[DailyFlow]:
    """By hand, posting by posting."""
    entries = await store.entries(portfolio_id, view, 0, 1_000)
    sums: defaultdict[tuple[date, str], list[DailyFlow]] = defaultdict(list)
    for entry in entries:
        turned = entry.entry.input.type is TransactionType.REVERSAL
        for side in entry.entry.postings:
            if side.account not in {CASH, CONTRIBUTIONS}:
                continue
            key = entry.entry.input.executed_at.date(), side.commodity
            paid_in = side.account == CONTRIBUTIONS and (side.amount < 0) is not turned
            taken_out = side.account == CONTRIBUTIONS and not paid_in
            sums[key].append(
                DailyFlow(
                    *key,
                    cash=side.amount if side.account == CASH else ZERO,
                    deposits=-side.amount if paid_in else ZERO,
                    withdrawals=side.amount if taken_out else ZERO,
                    entries=-1 if turned else 1,
                )
            )
    return [
        DailyFlow(
            *key,
            cash=sum((side.cash for side in sides), ZERO),
            deposits=sum((side.deposits for side in sides), ZERO),
            withdrawals=sum((side.withdrawals for side in sides), ZERO),
            entries=sum(side.entries for side in sides),
        )
        for key, sides in sorted(sums.items())
    ]


async def test_flows_are_those_that_the_postings_tell(service: Service) -> None:
    with_options(service)
    user, portfolio_id = await account(service, margin=True, cash="500000.00")
    chance = random.Random(4)  # noqa: S311  a ledger that can be replayed, no secret
    done: list[str] = []
    known = service.clock.now()
    for number in range(60):
        service.clock.time += timedelta(minutes=1)
        if number == 30:
            known = service.clock.now()
        amount = {"amount": str(chance.randrange(1, 90)), "currency": chance.choice(["USD", "EUR"])}
        trade = random_trade(chance, ["AAPL", "IBM"]) | {"fee": chance.choice(["0", "1.50"])}
        kind = chance.choice(
            ["buy", "sell", "split", "deposit", "withdrawal", "interest", "fee", "reversal", "reversal"]
        )
        fields = {"buy": trade, "sell": trade, "split": {"symbol": "IBM", "split_ratio": "2"}}.get(kind, amount)
        at = datetime(2020, 1, 2, tzinfo=UTC) + timedelta(days=chance.randrange(20))
        await record_or_take_back(user, portfolio_id, done, chance, kind, at, fields)
    ends: list[tuple[str, str, dict[str, str]]] = [
        (CALL, "option_exercise", {"at": "2020-06-01"}),
        (CALL, "option_expiry", {"at": "2020-06-19T20:00:00Z"}),
        (INDEX, "option_exercise", {"at": "2020-06-19", "price": "23.5"}),
    ]
    for symbol, _, _ in ends:
        await record(user, portfolio_id, "option_open", symbol, "2", price="1.50", fee="1.30")
    ended = [
        await record(user, portfolio_id, kind, symbol, "1", **fields) for symbol, kind, fields in ends for _ in range(2)
    ]
    for answer in reversed(ended[1::2]):
        await reverse(user, portfolio_id, answer.transaction.id)
    async with service.database.transaction(user.owner_id) as session:
        store = Store(session, user.owner_id)
        seq = (await store.portfolio(UUID(portfolio_id))).seq
        middle = datetime(2020, 1, 9, 12, tzinfo=UTC)
        for view in (View(seq=seq), View(middle, seq=seq), View(known_at=known, seq=seq)):
            flows = sorted(await store.flows_since(UUID(portfolio_id), view, None))
            assert flows == await posted_flows(store, UUID(portfolio_id), view)
            assert {flow.currency for flow in flows} == {"USD", "EUR"}


class Broken(Store):
    """One part of a history fails, in Postgres, while others wait for their turn."""

    async def snapshot_income(
        self, portfolio_id: UUID, number: int, after: int = 0, since: date = date.min
    ) -> IncomeTable:
        await self._session.execute(text("SELECT 1 / 0"))
        raise AssertionError


async def test_what_fails_in_one_part_of_a_history_is_told_as_it_is(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await SnapshotMaker(service.database, due_events=1).make_due()

    async def read(store: type[Store]) -> int:
        async with service.database.transaction(user.owner_id) as session:
            span = Span(explained=True)
            history = await read_history(store(session, user.owner_id), UUID(portfolio.id), View(), span)
            return len(history.flows.days)

    for _ in range(3):
        with pytest.raises(DivisionByZero):
            await read(Broken)
        assert await read(Store) == 1


async def test_who_leaves_while_a_history_is_read_takes_no_connection_along(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await SnapshotMaker(service.database, due_events=1).make_due()

    async def read() -> History:
        async with service.database.transaction(user.owner_id) as session:
            span = Span(explained=True)
            return await read_history(Store(session, user.owner_id), UUID(portfolio.id), View(), span)

    for turns in range(0, 60, 3):
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
    assert len((await read()).flows.days) == 1
