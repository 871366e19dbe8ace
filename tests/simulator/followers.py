"""What a client sees of an account: its log, which goes on where it ended, and snapshots, each of one number of it."""

import random
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from google.protobuf.message import Message

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb

from .commands import Account
from .history import Violation
from .replica import Watcher

Ask = Callable[[str, Message], Awaitable[Message | None]]
_HELD = """
    SELECT p.commodity, sum(p.amount)
    FROM posting p JOIN transaction t ON t.portfolio_id = p.portfolio_id AND t.id = p.transaction_id
    WHERE t.portfolio_id = %s AND t.seq <= %s AND p.account LIKE 'assets:%%'
    GROUP BY p.account, p.commodity HAVING sum(p.amount) <> 0
"""
_OPEN = """
    SELECT id, version FROM (
        SELECT DISTINCT ON (data ->> 'id') data ->> 'id' AS id, CAST(data ->> 'version' AS bigint) AS version,
            data ->> 'status' AS status
        FROM (SELECT seq, type, CAST(data AS json) AS data FROM account_event
              WHERE portfolio_id = %s AND seq <= %s AND type LIKE 'order.%%') AS told
        ORDER BY data ->> 'id', seq DESC
    ) AS last WHERE status IN ('accepted', 'partially_filled')
"""


class Follower:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._seen_until = 0
        self.snapshots: list[pb.GetSnapshotResponse] = []

    async def look(self, draw: random.Random, ask: Ask) -> None:
        """What is shown of the account is possible."""
        portfolio_id = self._account.portfolio_id
        request = pb.ListEventsRequest(portfolio_id=portfolio_id, after=self._seen_until, limit=draw.randrange(1, 30))
        log = await ask("ListEvents", request)
        if isinstance(log, pb.ListEventsResponse):
            numbers = [event.seq for event in log.events]
            if numbers != list(range(self._seen_until + 1, self._seen_until + 1 + len(numbers))):
                raise Violation(f"the log after {self._seen_until} goes on with {numbers}")
            self._seen_until += len(numbers)
        snapshot = await ask("GetSnapshot", pb.GetSnapshotRequest(portfolio_id=portfolio_id))
        if isinstance(snapshot, pb.GetSnapshotResponse):
            self.snapshots.append(snapshot)
        shown = await ask("GetPositions", pb.GetPositionsRequest(portfolio_id=portfolio_id))
        if not isinstance(shown, pb.GetPositionsResponse) or self._account.margin_enabled:
            return
        if any(cash.amount.value.startswith("-") for cash in shown.cash):
            raise Violation(f"cash is shown as {shown.cash}")


async def check_snapshots(watcher: Watcher, snapshots: Iterable[pb.GetSnapshotResponse]) -> None:
    """Each tells of what the log has up to its number, and of nothing else."""
    for shown in snapshots:
        place = [shown.portfolio_id, shown.seq]
        held = {each.currency: Decimal(each.amount.value) for each in shown.cash}
        held |= {each.symbol: Decimal(each.quantity.value) for each in shown.positions}
        if held != (logged := dict(await watcher.rows(_HELD, place))):
            raise Violation(f"a snapshot at {place} shows {held}, where the log has {logged}")
        versions = {order.id: order.version for order in shown.open_orders}
        if versions != (open_then := dict(await watcher.rows(_OPEN, place))):
            raise Violation(f"a snapshot at {place} shows {versions} as open, where the log has {open_then}")
