"""Parts of a transaction as JSON shows them: in the log, in the ledger's rows, in what a proof hashes."""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from quantmesh.portfolio.core.model import LotChoice
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.times import rfc3339


@lru_cache(maxsize=4096)
def id_text(identifier: UUID) -> str:
    """Remembered, since an imported row is told with the same few ids a dozen times."""
    return str(identifier)


def lots_told(lots: Iterable[LotChoice]) -> list[dict[str, str]]:
    return [{"transaction_id": str(lot.transaction_id), "quantity": plain(lot.quantity)} for lot in lots]


def option_told(option: OptionTerms) -> dict[str, str]:
    return {
        "underlying": option.underlying,
        "option_type": option.type.value,
        "strike": plain(option.strike),
        "expiry": rfc3339(option.expiry),
        "multiplier": plain(option.multiplier),
        "exercise": option.exercise.value,
        "settlement": option.settlement.value,
    }
