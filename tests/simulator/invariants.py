"""What must hold of the committed state at any moment, and what must hold when all has arrived."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.rebalance_pb2 import ExecuteRebalanceRequest, ExecuteRebalanceResponse
from quantmesh.portfolio.core.market import Quote

from .clients import Claim
from .history import Violation
from .replica import Watcher

# Each gives the rows that break it.
_ALWAYS = {
    "an entry does not balance": """
        SELECT transaction_id, commodity, sum(amount) FROM posting
        GROUP BY portfolio_id, transaction_id, commodity HAVING sum(amount) <> 0
    """,
    "an entry lacks postings": """
        SELECT t.id FROM transaction t WHERE t.postings <> (
            SELECT count(*) FROM posting p WHERE p.portfolio_id = t.portfolio_id AND p.transaction_id = t.id)
    """,
    "a holding is not the sum of its postings": """
        SELECT account, commodity, h.amount, p.amount
        FROM (SELECT portfolio_id, account, commodity, amount FROM holding) AS h
        FULL JOIN (
            SELECT portfolio_id, account, commodity, sum(amount) AS amount
            FROM posting WHERE account LIKE 'assets:%' GROUP BY 1, 2, 3
        ) AS p USING (portfolio_id, account, commodity)
        WHERE coalesce(h.amount, 0) <> coalesce(p.amount, 0)
    """,
    "cash or units are negative": """
        SELECT h.portfolio_id, h.commodity, h.amount FROM holding h JOIN portfolio p ON p.id = h.portfolio_id
        WHERE h.amount < 0 AND NOT p.margin_enabled
    """,
    "the log of a portfolio has a gap": """
        SELECT p.id, p.seq, count(e.seq), max(e.seq) FROM portfolio p
        LEFT JOIN account_event e ON e.portfolio_id = p.id
        GROUP BY p.id HAVING count(e.seq) <> p.seq OR coalesce(max(e.seq), 0) <> p.seq
    """,
    "recording times run backwards": """
        SELECT portfolio_id, seq FROM (
            SELECT portfolio_id, seq, recorded_at,
                lag(recorded_at) OVER (PARTITION BY portfolio_id ORDER BY seq) AS before
            FROM account_event
        ) AS e WHERE recorded_at < before
    """,
    "a transaction and its event do not match": """
        SELECT t.id, e.seq FROM transaction t
        FULL JOIN (SELECT * FROM account_event WHERE type = 'transaction.recorded') AS e
            ON e.portfolio_id = t.portfolio_id AND e.seq = t.seq AND CAST(e.data AS json) ->> 'id' = CAST(t.id AS text)
        WHERE t.id IS NULL OR e.seq IS NULL
    """,
    "an event is not in the outbox exactly once": """
        SELECT e.portfolio_id, e.seq, e.type, o.id FROM account_event e
        FULL JOIN (SELECT * FROM outbox WHERE subject NOT LIKE 'portfolio.halt.%') AS o
            ON o.aggregate_id = CAST(e.portfolio_id AS text) AND o.aggregate_version = e.seq
            AND o.subject = CASE WHEN e.type LIKE 'risk.%' THEN 'portfolio.alert.raised' ELSE 'portfolio.' || e.type END
        WHERE e.seq IS NULL OR o.id IS NULL
    """,
    "an order is not in the state that its last event tells of": """
        SELECT o.id, o.status, e.data FROM placed_order o
        LEFT JOIN LATERAL (
            SELECT CAST(data AS json) AS data FROM account_event
            WHERE portfolio_id = o.portfolio_id AND type LIKE 'order.%'
                AND CAST(data AS json) ->> 'id' = CAST(o.id AS text)
            ORDER BY seq DESC LIMIT 1
        ) AS e ON true
        WHERE e.data IS NULL OR e.data ->> 'status' <> o.status
            OR CAST(e.data ->> 'filled_quantity' AS numeric) <> o.filled_quantity
    """,
    "an order rests that was priced before a split which was recorded since": """
        SELECT o.id, t.id, e.occurred_at, t.executed_at FROM placed_order o
        JOIN LATERAL (
            SELECT seq, occurred_at FROM account_event
            WHERE portfolio_id = o.portfolio_id AND type IN ('order.accepted', 'order.replaced')
                AND CAST(data AS json) ->> 'id' = CAST(o.id AS text)
            ORDER BY seq DESC LIMIT 1
        ) AS e ON true
        JOIN transaction t ON t.portfolio_id = o.portfolio_id AND t.symbol = o.symbol AND t.type = 'split'
            AND t.seq > e.seq AND t.executed_at > e.occurred_at
        WHERE o.status IN ('accepted', 'partially_filled')
    """,
    "an order's fills are not what its transactions moved": """
        SELECT o.id, o.filled_quantity, sum(t.quantity) FROM placed_order o
        LEFT JOIN transaction t ON t.portfolio_id = o.portfolio_id AND t.order_id = o.id
        GROUP BY o.id, o.filled_quantity HAVING o.filled_quantity <> coalesce(sum(t.quantity), 0)
    """,
    "what is reserved is not what open orders need": """
        SELECT account, commodity, h.reserved, o.reserved
        FROM (SELECT portfolio_id, account, commodity, reserved FROM holding) AS h
        FULL JOIN (
            SELECT portfolio_id, CASE side WHEN 'buy' THEN 'assets:cash' ELSE 'assets:securities' END AS account,
                CASE side WHEN 'buy' THEN currency ELSE symbol END AS commodity, sum(reserved) AS reserved
            FROM placed_order WHERE status IN ('accepted', 'partially_filled') GROUP BY 1, 2, 3
        ) AS o USING (portfolio_id, account, commodity)
        WHERE coalesce(h.reserved, 0) <> coalesce(o.reserved, 0)
    """,
    "more is reserved than there is": """
        SELECT h.commodity, h.amount, h.reserved FROM holding h JOIN portfolio p ON p.id = h.portfolio_id
        WHERE h.reserved > h.amount AND NOT p.margin_enabled
    """,
    "a transaction was taken back twice": """
        SELECT reverses, count(*) FROM transaction WHERE reverses IS NOT NULL GROUP BY reverses HAVING count(*) > 1
    """,
    "a reversal leaves something of what it takes back": """
        SELECT r.id, p.account, p.commodity, sum(p.amount) FROM transaction r
        JOIN posting p ON p.portfolio_id = r.portfolio_id AND p.transaction_id IN (r.id, r.reverses)
        WHERE r.reverses IS NOT NULL GROUP BY r.id, p.account, p.commodity HAVING sum(p.amount) <> 0
    """,
    "a key had its effect twice": """
        SELECT note, count(DISTINCT effect) FROM (
            SELECT t.note, coalesce(t.import_id, taken_back.import_id, t.id) AS effect FROM transaction t
            LEFT JOIN transaction taken_back ON taken_back.portfolio_id = t.portfolio_id AND taken_back.id = t.reverses
            WHERE t.note <> ''
        ) AS effects GROUP BY note HAVING count(DISTINCT effect) > 1
    """,
    "an account was closed over what it holds": """
        SELECT p.id, h.commodity, h.amount FROM portfolio p JOIN holding h ON h.portfolio_id = p.id
        WHERE p.deleted_at IS NOT NULL AND h.amount <> 0
    """,
    "a basket is not filled whole": """
        SELECT basket_id, id, status FROM placed_order WHERE basket_id IS NOT NULL AND status <> 'filled'
    """,
}

_TELLS_TRANSACTION: dict[str, type[pb.RecordTransactionResponse | pb.ReverseTransactionResponse]] = {
    "RecordTransaction": pb.RecordTransactionResponse,
    "ReverseTransaction": pb.ReverseTransactionResponse,
}


async def check_always(watcher: Watcher) -> None:
    for name, statement in _ALWAYS.items():
        if broken := await watcher.rows(statement):
            raise Violation(f"{name}: {broken[:3]}")


async def check_claims(watcher: Watcher, claims: Mapping[str, Claim]) -> None:
    """Every acknowledged write is there, once; what was refused every time is not."""
    recorded = dict(
        await watcher.rows("SELECT note, CAST(min(CAST(id AS text)) AS text) FROM transaction GROUP BY note")
    )
    orders = {str(order) for (order,) in await watcher.rows("SELECT id FROM placed_order")}
    acknowledged_orders = set()
    uncertain_orders = 0
    for key, claim in claims.items():
        if isinstance(claim.command.request, pb.PlaceOrderRequest | ExecuteRebalanceRequest):
            if claim.answer is not None:
                acknowledged_orders.update(_orders_of(claim.command.method, claim.answer))
            elif claim.may_have_happened:
                uncertain_orders += len(getattr(claim.command.request, "orders", ["one"]))
            continue
        if claim.answer is not None and key not in recorded:
            raise Violation(f"{key} was acknowledged, and is not in the ledger")
        if claim.answer is None and not claim.may_have_happened and key in recorded:
            raise Violation(f"{key} was refused, and is in the ledger")
        if claim.answer is not None and claim.command.method in _TELLS_TRANSACTION:
            told = _TELLS_TRANSACTION[claim.command.method].FromString(claim.answer).transaction.id
            if told != recorded[key]:
                raise Violation(f"{key} was answered with {told}, and recorded as {recorded[key]}")
    if lost := acknowledged_orders - orders:
        raise Violation(f"orders were acknowledged, and are not there: {lost}")
    if len(orders - acknowledged_orders) > uncertain_orders:
        raise Violation(f"{len(orders)} orders came of {len(acknowledged_orders)} to {uncertain_orders} more wishes")


def _orders_of(method: str, answer: bytes) -> list[str]:
    if method == "ExecuteRebalance":
        return [order.id for order in ExecuteRebalanceResponse.FromString(answer).orders]
    return [pb.PlaceOrderResponse.FromString(answer).order.id]


async def check_sizes(watcher: Watcher, quotes: Iterable[Quote]) -> None:
    """No more was bought or sold on a quote than it was good for, by all orders of all portfolios together."""
    sizes = {
        (quote.symbol, quote.time, kind): size
        for quote in quotes
        for kind, size in (("sell", quote.bid_size), ("buy", quote.ask_size))
    }
    for symbol, executed_at, kind, quantity in await watcher.rows(
        "SELECT symbol, executed_at, type, sum(quantity) FROM transaction WHERE order_id IS NOT NULL GROUP BY 1, 2, 3"
    ):
        size = sizes.get((symbol, executed_at, kind))
        if size is None or quantity > size:
            raise Violation(f"{quantity} {symbol} {kind} at {executed_at}, where the quote was for {size}")


async def check_log_rebuilds_state(watcher: Watcher) -> None:
    """Cash and units that a reader of the log alone would have."""
    rebuilt: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    moved: dict[tuple[str, str], dict[str, tuple[datetime, Decimal]]] = defaultdict(dict)
    for portfolio_id, data in await watcher.rows(
        "SELECT CAST(portfolio_id AS text), data FROM account_event WHERE type = 'transaction.recorded' ORDER BY seq"
    ):
        told: dict[str, Any] = json.loads(data)
        cash, at = told["cash_effect"], datetime.fromisoformat(told["executed_at"])
        rebuilt[portfolio_id, cash["currency"]] += Decimal(cash["amount"])
        units = moved[portfolio_id, told["symbol"]]
        if told["type"] in {"buy", "sell"}:
            units[told["id"]] = at, Decimal(told["quantity"]) * (1 if told["type"] == "buy" else -1)
        elif told["type"] == "split":
            before = sum((quantity for time, quantity in units.values() if time <= at), Decimal(0))
            units[told["id"]] = at, before * Decimal(told["split_ratio"]) - before
        elif told["type"] == "reversal":
            units.pop(told["reverses"], None)
    for place, entries in moved.items():
        rebuilt[place] += sum((quantity for _, quantity in entries.values()), Decimal(0))
    held = {
        (portfolio_id, commodity): amount
        for portfolio_id, commodity, amount in await watcher.rows(
            "SELECT CAST(portfolio_id AS text), commodity, amount FROM holding"
        )
    }
    for place in rebuilt.keys() | held.keys():
        if rebuilt.get(place, 0) != held.get(place, 0):
            raise Violation(f"the log tells of {rebuilt.get(place)} in {place}, where {held.get(place)} is held")


async def check_book(watcher: Watcher, versions: Mapping[UUID, int]) -> None:
    """Once all is heard, a venue's book holds the orders that are open, as they are, and no others."""
    open_orders = dict(
        await watcher.rows("SELECT id, version FROM placed_order WHERE status IN ('accepted', 'partially_filled')")
    )
    if wrong := dict(versions.items() ^ open_orders.items()):
        raise Violation(f"in the book, or open, and not both: {wrong}")


async def check_alarms(watcher: Watcher, told: Mapping[str, int]) -> None:
    """Each breach is once in its account's log."""
    logged = dict(
        await watcher.rows(
            "SELECT CAST(portfolio_id AS text), count(*) FROM account_event"
            " WHERE type = 'risk.limit_breached' GROUP BY portfolio_id"
        )
    )
    if logged != dict(told):
        raise Violation(f"breaches: {dict(told)} were told, {logged} are in the logs")


async def check_arrivals(portfolio: Watcher, reader: Watcher) -> None:
    """Each event once in effect, and in order within its subject and portfolio."""
    told: dict[tuple[str, str], list[int]] = defaultdict(list)
    for subject, portfolio_id, seq in await portfolio.rows(
        "SELECT CASE WHEN type LIKE 'risk.%' THEN 'portfolio.alert.raised' ELSE 'portfolio.' || type END,"
        " CAST(portfolio_id AS text), seq FROM account_event ORDER BY seq"
    ):
        told[subject, portfolio_id].append(seq)
    arrived: dict[tuple[str, str], list[int]] = defaultdict(list)
    for subject, aggregate_id, version in await reader.rows(
        "SELECT subject, aggregate_id, version FROM arrival ORDER BY id"
    ):
        arrived[subject, aggregate_id].append(version)
    for place in told.keys() | arrived.keys():
        if told[place] != arrived[place]:
            raise Violation(f"{place}: {told[place]} was told, {arrived[place]} arrived")
