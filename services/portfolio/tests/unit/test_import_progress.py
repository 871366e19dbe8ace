"""What is told of a file on its way stays true where its transaction never commits."""

from uuid import uuid4

from quantmesh.portfolio.core.import_transactions import import_transactions, read_import
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.reverse_transactions import reverse_import

from .importing import MARKET, NOW, Account

FILE = b"""type,amount,executed_at
deposit,1,2020-01-02T15:00:00Z
deposit,2,2020-01-02T15:00:00Z
"""


async def test_rows_that_are_written_are_not_called_recorded_before_they_are_committed() -> None:
    account, told = Account(LotMethod.FIFO, margin=False), []

    def progress(fraction: float, message: str) -> None:
        told.append((fraction, message))

    read = await read_import(MARKET, account.ledger.head, FILE, progress)
    outcome = await import_transactions(account.ledger, account.id, read, NOW, uuid4, dry_run=False, progress=progress)
    assert told == [(0.1, "2 rows read"), (0.3, "2 rows checked"), (0.95, "2 of 2 rows written, not committed yet")]
    assert outcome.import_id is not None
    await reverse_import(account.ledger, account.id, outcome.import_id, "", NOW, uuid4, progress)
    assert told[3:] == [(1.0, "2 of 2 rows reversed, not committed yet")]
