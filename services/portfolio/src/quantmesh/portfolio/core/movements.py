"""What an entry that is not recorded yet moves, as the journal will tell it."""

from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import Entry
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.posting_rules import SECURITIES, trading


@exactly
def movements_of(entry: Entry) -> list[SecurityMovement]:
    """One per instrument: an option that delivers moves two. Nobody has named its lots."""
    paid = {side.account: side.amount for side in entry.postings if side.commodity == entry.currency}
    asked = entry.input
    return [
        SecurityMovement(
            asked.type,
            side.commodity,
            entry.currency,
            asked.executed_at,
            quantity=side.amount,
            gross=paid.get(trading(side.commodity), ZERO) * (1 if side.amount > ZERO else -1),
            ratio=asked.split_ratio,
        )
        for side in entry.postings
        if side.account == SECURITIES
    ]
