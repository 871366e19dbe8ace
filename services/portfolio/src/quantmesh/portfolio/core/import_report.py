"""What became of an imported file, as the API shows it: the result of the job that a long one is."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.portfolio.core.account_log import transaction_members
from quantmesh.portfolio.core.import_transactions import ImportOutcome

# A report is read as a whole. What it leaves out of the accepted rows is listed page by page under the import's id;
# a file with more bad rows than these is mended and comes again.
LISTED_ROWS = 1_000
LISTED_REJECTIONS = 10_000


def import_report(portfolio_id: UUID, outcome: ImportOutcome) -> dict[str, object]:
    """The counts are of rows of the file, whatever is listed of them."""
    return {
        "dry_run": outcome.dry_run,
        "import_id": None if outcome.import_id is None else str(outcome.import_id),
        "accepted_rows": len(outcome.accepted),
        "rejected_rows": len({row.line for row in outcome.rejected}),
        "duplicate_rows": len(outcome.duplicates),
        "accepted": [
            transaction_members(portfolio_id, row.entry, row.transaction) for row in outcome.accepted[:LISTED_ROWS]
        ],
        "rejected": [
            {
                "line": row.line,
                "column": column_of(outcome.columns, row.field),
                "field": row.field or None,
                "reason": row.reason,
            }
            for row in outcome.rejected[:LISTED_REJECTIONS]
        ],
        "duplicates": [
            {"line": row.line, "transaction_id": str(row.transaction_id)} for row in outcome.duplicates[:LISTED_ROWS]
        ],
    }


def column_of(columns: Sequence[str], field: str) -> int | None:
    """Where a field stands in each line, from 1; None for the row as a whole and for a column that the file lacks."""
    return columns.index(field) + 1 if field in columns else None
