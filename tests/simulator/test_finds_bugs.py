"""The simulator is worth something: with any of these protections taken out, one of the first seeds fails."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from quantmesh.chassis import idempotency, outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import RuleBroken
from quantmesh.chassis.events import inbox
from quantmesh.chassis.outbox import APPEND_SERIES
from quantmesh.chassis.relay import _Turn
from quantmesh.chassis.sql import Executor
from quantmesh.local.servers import PostgresServer
from quantmesh.portfolio.adapters.events import TRANSACTION_RECORDED
from quantmesh.portfolio.adapters.rpc.placer import OrderPlacer
from quantmesh.portfolio.adapters.rpc.recorder import Recorder, Recording
from quantmesh.portfolio.adapters.store import appending, shared_accounts
from quantmesh.portfolio.adapters.store.appending import Overtaken, Piece
from quantmesh.portfolio.adapters.store.portfolios import PortfolioStore
from quantmesh.portfolio.adapters.store.shared_accounts import SharedAccounts
from quantmesh.portfolio.adapters.venue.term import Term
from quantmesh.portfolio.core import (
    fill_order,
    fold_ledger,
    order_work,
    place_basket,
    place_order,
    record_transactions,
    split_orders,
)
from quantmesh.portfolio.core.execution import Venue
from quantmesh.portfolio.core.ledger_errors import PortfolioNotEmpty
from quantmesh.portfolio.core.margin import require_margin
from quantmesh.portfolio.core.model import Portfolio, TransactionType
from quantmesh.portfolio.core.order_states import OrderStatus

from .cluster import Cluster, open_cluster
from .history import Violation
from .replica import database_of
from .scheduler import Stuck
from .simulation import simulate

SEEDS = range(1, 13)
# Where what is broken matters most.
CROWDS, TRADERS, BORROWERS = range(3, 24, 4), range(1, 22, 4), range(2, 43, 8)
Break = Callable[[pytest.MonkeyPatch], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(postgres_server: PostgresServer) -> AsyncIterator[Cluster]:
    async with open_cluster(postgres_server) as cluster:
        yield cluster


def outbox_outside_of_the_transaction(patch: pytest.MonkeyPatch) -> None:
    write = appending.write

    async def write_elsewhere(session: Executor, piece: Piece, **more: Any) -> None:
        async with database_of(session).system_transaction() as other:
            await other.execute(APPEND_SERIES, piece.values)
        no_series = outbox.series(TRANSACTION_RECORDED, {}, owner_id=UUID(str(piece.values["event_owner_id"])))
        await write(session, replace(piece, values={**piece.values, **no_series}, messages={}), **more)

    patch.setattr(appending, "write", write_elsewhere)
    patch.setattr(shared_accounts, "write", write_elsewhere)


def no_inbox(patch: pytest.MonkeyPatch) -> None:
    async def claim(*_: Any, **__: Any) -> inbox.Verdict:
        return inbox.Verdict.HANDLE

    async def claim_together(_: Any, __: str, ___: str, envelopes: list[Any]) -> list[inbox.Verdict]:
        return [inbox.Verdict.HANDLE for _ in envelopes]

    patch.setattr(inbox, "claim", claim)
    patch.setattr(inbox, "claim_together", claim_together)


def no_idempotency(patch: pytest.MonkeyPatch) -> None:
    async def once_claimed(*_: Any, run: Callable[[], Awaitable[Any]], **__: Any) -> Any:
        return await run()

    patch.setattr(idempotency, "once_claimed", once_claimed)


def answers_kept_outside_of_the_transaction(patch: pytest.MonkeyPatch) -> None:
    once_claimed = idempotency.once_claimed

    async def once_elsewhere(session: Executor, claim: idempotency.Claim, **more: Any) -> Any:
        async with database_of(session).transaction(claim.owner_id) as other:
            return await once_claimed(other, claim, **more)

    async def know_nothing(*_: Any) -> Any:
        raise Overtaken

    patch.setattr(idempotency, "once_claimed", once_elsewhere)
    # Where an order is written by what is known, its answer is in the one statement that writes it.
    patch.setattr(OrderPlacer, "_by_what_is_known", know_nothing)


def no_lock_on_the_portfolio(patch: pytest.MonkeyPatch) -> None:
    def elsewhere(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def locked_elsewhere(self: PortfolioStore, *arguments: Any) -> Any:
            async with database_of(self._session).transaction(self._owner_id) as other:
                return await method(PortfolioStore(other, self._owner_id), *arguments)

        return locked_elsewhere

    patch.setattr(PortfolioStore, "advance", elsewhere(PortfolioStore.advance))
    patch.setattr(PortfolioStore, "lock", elsewhere(PortfolioStore.lock))


def no_sweep(patch: pytest.MonkeyPatch) -> None:
    async def forget_nothing(*_: Any) -> None:
        """What the broker has lost stays lost."""

    patch.setattr(_Turn, "_forget_from", forget_nothing)


def a_refusal_is_written_with_its_group(patch: pytest.MonkeyPatch) -> None:
    def drop_nothing(*_: Any) -> bool:
        return True

    async def refuse_late(self: Recorder, shared: SharedAccounts, recording: Recording) -> Any:
        outcome = await recorded(self, shared, recording)
        if recording.asked.type is TransactionType.WITHDRAWAL:
            raise RuleBroken("too late")
        return outcome

    recorded = Recorder._recorded
    patch.setattr(Recorder, "_recorded", refuse_late)
    patch.setattr(SharedAccounts, "drop", drop_nothing)


def no_halts(patch: pytest.MonkeyPatch) -> None:
    async def never_halted(_: Any, venue: Venue) -> Venue:
        return venue

    for place in (fill_order, place_order):
        patch.setattr(place, "with_halt", never_halted)


def a_venue_that_hears_of_no_order(patch: pytest.MonkeyPatch) -> None:
    async def hear_nothing(*_: Any) -> None:
        """Its book is what the table was at some time."""

    patch.setattr(Term, "_on_event", hear_nothing)


def splits_that_leave_orders_alone(patch: pytest.MonkeyPatch) -> None:
    def end_nothing(*_: Any) -> bool:
        return False

    patch.setattr(split_orders, "_is_ended_by", end_nothing)


def fills_judged_before_they_are_written(patch: pytest.MonkeyPatch) -> None:
    async def judge(*_: Any, **__: Any) -> None:
        """What was there before lacks no more than it did."""

    patch.setattr(order_work, "require_margin", judge)


def margin_judged_where_something_touched_is_owed(patch: pytest.MonkeyPatch) -> None:
    async def require_of_touched(ledger: Any, portfolio: Any, entries: Any, balances: Any, *, before: int) -> None:
        if any(amount < 0 for amount in balances.values()):
            await require_margin(ledger, portfolio, entries, balances, before=before)

    patch.setattr(record_transactions, "require_margin", require_of_touched)


def baskets_that_are_filled_in_part(patch: pytest.MonkeyPatch) -> None:
    async def placed_and_called_filled(*arguments: Any) -> Any:
        order, fills = await place_order.place_order(*arguments)
        return replace(order, status=OrderStatus.FILLED), fills

    patch.setattr(place_basket, "place_order", placed_and_called_filled)


def snapshots_of_several_moments(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Database, "snapshot", Database.transaction)


def snapshots_that_know_of_nothing_late(patch: pytest.MonkeyPatch) -> None:
    def none_late(*_: Any) -> dict[str, Any]:
        return {}

    patch.setattr(fold_ledger, "late_among", none_late)


def accounts_closed_by_an_earlier_look(patch: pytest.MonkeyPatch) -> None:
    async def delete(self: PortfolioStore, portfolio_id: UUID, now: datetime, expected_version: int | None) -> None:
        if held := await self.balances(portfolio_id):
            raise PortfolioNotEmpty({commodity: amount for (_, commodity), amount in held.items()}, 0)
        await self._change(portfolio_id, expected_version, deleted_at=now)

    patch.setattr(PortfolioStore, "delete", delete)


def margin_switched_off_whatever_is_owed(patch: pytest.MonkeyPatch) -> None:
    async def update(
        self: PortfolioStore,
        portfolio_id: UUID,
        expected_version: int | None,
        *,
        name: str | None,
        margin_enabled: bool | None,
    ) -> Portfolio:
        return await self._change(portfolio_id, expected_version, name=name, margin_enabled=margin_enabled)

    patch.setattr(PortfolioStore, "update", update)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("broken", "seeds"),
    [
        (outbox_outside_of_the_transaction, SEEDS),
        (no_inbox, SEEDS),
        (no_idempotency, SEEDS),
        (answers_kept_outside_of_the_transaction, TRADERS),
        (no_lock_on_the_portfolio, SEEDS),
        (no_sweep, SEEDS),
        (a_refusal_is_written_with_its_group, CROWDS),
        (no_halts, TRADERS),
        (a_venue_that_hears_of_no_order, TRADERS),
        (splits_that_leave_orders_alone, TRADERS),
        (fills_judged_before_they_are_written, BORROWERS),
        (margin_judged_where_something_touched_is_owed, BORROWERS),
        (baskets_that_are_filled_in_part, TRADERS),
        (snapshots_of_several_moments, TRADERS),
        (snapshots_that_know_of_nothing_late, BORROWERS),
        (accounts_closed_by_an_earlier_look, SEEDS),
        (margin_switched_off_whatever_is_owed, BORROWERS),
    ],
)
async def test_a_seed_fails_without(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, broken: Break, seeds: range
) -> None:
    broken(monkeypatch)
    for seed in seeds:
        try:
            await simulate(cluster, seed)
        except (Violation, Stuck):
            return
    pytest.fail(f"{seeds} do not notice")
