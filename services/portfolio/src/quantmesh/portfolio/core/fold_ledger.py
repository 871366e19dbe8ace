"""Positions and cash of a view of the ledger: from the newest snapshot that it contains, and what came on top."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

from quantmesh.portfolio.core.lots import FoldedLots, Position, SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.ports import Journal, View
from quantmesh.portfolio.core.snapshots import LedgerState, Snapshot, Suffices, fold_name, is_whole, left_apart

_FOLDED_AT_ONCE = 2_000


async def fold_ledger(
    journal: Journal,
    portfolio_id: UUID,
    method: LotMethod,
    view: View,
    suffices: Suffices = left_apart,
    more: Sequence[SecurityMovement] = (),
) -> LedgerState:
    """The same as folding the whole journal.

    `view.seq` is given, or the portfolio is locked, so that all queries tell of one state.
    Positions are those with `more` movements, which are not recorded and come after what is of the same instant.
    """
    view, snapshot = await newest_snapshot(journal, portfolio_id, method, view)
    folded = await fold_since(journal, portfolio_id, method, view, snapshot, suffices=suffices, more=more)
    unmoved = () if snapshot is None else await journal.snapshot_positions(portfolio_id, snapshot, folded)
    since = await journal.cash(portfolio_id, view, snapshot)
    cash = since if snapshot is None else sum_of(snapshot.cash, since)
    return LedgerState(snapshot, folded, _held(unmoved, folded.values()), cash)


async def fold_open_lots(
    journal: Journal, portfolio_id: UUID, method: LotMethod, view: View
) -> tuple[LedgerState, dict[str, FoldedLots]]:
    """As `fold_ledger`, with the lots of all that is held, of which none are as one."""
    state = await fold_ledger(journal, portfolio_id, method, view, suffices=is_whole)
    held = [position.symbol for position in state.positions]
    lots = {symbol: state.folded[symbol] for symbol in held if symbol in state.folded}
    unmoved = [symbol for symbol in held if symbol not in lots]
    if state.snapshot is not None and unmoved:
        lots |= await _unmoved_lots(journal, portfolio_id, method, view, state.snapshot, unmoved)
    return state, lots


async def fold_lots_of(
    journal: Journal, portfolio_id: UUID, method: LotMethod, view: View, symbol: str
) -> FoldedLots | None:
    """The same of one instrument; None where it never moved."""
    view, snapshot = await newest_snapshot(journal, portfolio_id, method, view)
    folded = await fold_since(journal, portfolio_id, method, view, snapshot, [symbol], is_whole)
    if snapshot is not None and symbol not in folded:
        folded = await _unmoved_lots(journal, portfolio_id, method, view, snapshot, [symbol])
    return folded.get(symbol)


async def _unmoved_lots(
    journal: Journal, portfolio_id: UUID, method: LotMethod, view: View, snapshot: Snapshot, symbols: Sequence[str]
) -> dict[str, FoldedLots]:
    """Of what did not move since the snapshot, which may have many lots as one."""
    kept = await journal.snapshot_lots(portfolio_id, snapshot, symbols, whole=True)
    lots = {symbol: folded for symbol, folded in kept.items() if is_whole(folded, folded)}
    gone = [symbol for symbol in symbols if symbol not in lots]
    if gone:
        lots |= await _folded(await journal.movements(portfolio_id, view, gone), method)
    return lots


async def newest_snapshot(
    journal: Journal, portfolio_id: UUID, method: LotMethod, view: View
) -> tuple[View, Snapshot | None]:
    """With the same view by closer bounds."""
    if view.known_at is not None:
        view = await journal.known(portfolio_id, view, fold_name(method))
    return view, await journal.snapshot(portfolio_id, view, fold_name(method))


async def fold_instruments(
    journal: Journal, portfolio_id: UUID, method: LotMethod, view: View, symbols: Collection[str]
) -> dict[str, FoldedLots]:
    """Those of `symbols` that moved since the newest snapshot; of many lots those between the ends may be one."""
    snapshot = await journal.snapshot(portfolio_id, view, fold_name(method))
    return await fold_since(journal, portfolio_id, method, view, snapshot, symbols)


async def fold_since(
    journal: Journal,
    portfolio_id: UUID,
    method: LotMethod,
    view: View,
    snapshot: Snapshot | None,
    symbols: Collection[str] = (),
    suffices: Suffices = left_apart,
    more: Sequence[SecurityMovement] = (),
) -> dict[str, FoldedLots]:
    """Whatever moved since the snapshot, of all instruments where none is named.

    A movement dated before the last one that the snapshot has of its instrument belongs between those two, and what a
    reversal takes back may be in the snapshot: that instrument is folded from a snapshot of before that date.
    """

    async def moved(symbols: Collection[str], since: Snapshot | None) -> Sequence[SecurityMovement]:
        recorded = await journal.movements(portfolio_id, view, symbols, since)
        on_top = [movement for movement in more if not symbols or movement.symbol in symbols]
        return sorted([*recorded, *on_top], key=attrgetter("executed_at")) if on_top else recorded

    movements = await moved(symbols, snapshot)
    if snapshot is None or not movements:
        return await _folded(movements, method)
    before = await journal.snapshot_lots(
        portfolio_id,
        snapshot,
        {movement.symbol for movement in movements},
        # A sale may name any of them.
        whole=method is LotMethod.SPECIFIC,
    )
    late = late_among(movements, before)
    timely = [movement for movement in movements if movement.symbol not in late]
    folded = await _folded(timely, method, before)
    lacking = {symbol for symbol, lots in folded.items() if symbol in before and not suffices(before[symbol], lots)}
    if lacking:
        whole = await journal.snapshot_lots(portfolio_id, snapshot, lacking, whole=True)
        folded |= fold_lots((movement for movement in timely if movement.symbol in lacking), method, whole)
        gone = [symbol for symbol in lacking if not is_whole(whole[symbol], folded[symbol])]
        if gone:
            folded |= await _folded(await moved(gone, None), method)
    if late:
        older = await journal.snapshot(portfolio_id, view, fold_name(method), before=min(late.values()))
        # What a next snapshot lays apart it takes from the newest, whose lots are others than those of an older one.
        enough = suffices if suffices is left_apart else is_whole
        folded |= await fold_since(journal, portfolio_id, method, view, older, late, enough, more)
    return folded


async def _folded(
    movements: Sequence[SecurityMovement], method: LotMethod, before: Mapping[str, FoldedLots] | None = None
) -> dict[str, FoldedLots]:
    """Others are not kept waiting for many of them."""
    if len(movements) > _FOLDED_AT_ONCE:
        return await asyncio.to_thread(fold_lots, movements, method, before)
    return fold_lots(movements, method, before)


def late_among(movements: Iterable[SecurityMovement], before: Mapping[str, FoldedLots]) -> dict[str, datetime]:
    """The instruments on which a fold cannot just go on, with when the first of what came late was executed."""
    late: dict[str, datetime] = {}
    for movement in movements:
        known = before.get(movement.symbol)
        if known is None or movement.executed_at > known.moved_at:
            continue
        if movement.executed_at < known.moved_at or movement.reverses is not None:
            late.setdefault(movement.symbol, movement.executed_at)
    return late


@exactly
def _held(unmoved: Iterable[Position], moved: Iterable[FoldedLots]) -> tuple[Position, ...]:
    positions = sorted([*unmoved, *(lots.position() for lots in moved)], key=attrgetter("symbol"))
    return tuple(position for position in positions if position.quantity)


@exactly
def sum_of(earlier: Mapping[str, Decimal], later: Mapping[str, Decimal]) -> dict[str, Decimal]:
    currencies = sorted({*earlier, *later})
    return {currency: earlier.get(currency, ZERO) + later.get(currency, ZERO) for currency in currencies}
