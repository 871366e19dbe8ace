"""What market says no to.

InvalidInput
├── InvalidSymbol          the text is no symbol
├── InvalidDate            not YYYY-MM-DD, or a start after its end
├── InvalidCursor          a page cursor that this service did not give
├── TooManySymbols
├── InvalidCsv             the file as a whole cannot be read; single bad rows are rejections instead
├── InvalidRequest         any other field
└── InvalidTicks           a batch of ticks whose parts do not fit together
NotFound
├── UnknownSymbol
├── NoChain
└── NoChainYet             there is one, but it was taken after `as_of`
RuleBroken
└── NoCommonDays
"""

from collections.abc import Sequence
from datetime import datetime

from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, Violation


class InvalidSymbol(InvalidInput):
    problem = "invalid-symbol"

    def __init__(self, text: str, field: str = "symbol") -> None:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        wanted = "1 to 32 of A-Z, 0-9 and '-', beginning with a letter or digit, such as AAPL or BTC-USD"
        super().__init__(
            f"{shown!r} is not a symbol: that is {wanted}.", violations=[Violation(field, f"{shown!r}: use {wanted}")]
        )


class InvalidDate(InvalidInput):
    problem = "invalid-date"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}.", violations=[Violation(field, description)])


class InvalidCursor(InvalidInput):
    problem = "invalid-cursor"

    def __init__(self) -> None:
        wanted = "pass the next_cursor of the page before, unchanged"
        super().__init__(
            f"The cursor was not given by this service; {wanted}.", violations=[Violation("cursor", wanted)]
        )


class TooManySymbols(InvalidInput):
    problem = "too-many-symbols"

    def __init__(self, count: int, limit: int) -> None:
        description = f"{count} symbols; ask for 1 to {limit} at once"
        super().__init__(f"symbols: {description}.", violations=[Violation("symbols", description)])


class InvalidCsv(InvalidInput):
    problem = "invalid-csv"

    def __init__(self, description: str) -> None:
        super().__init__(f"The CSV cannot be read: {description}.", violations=[Violation("csv", description)])


class InvalidRequest(InvalidInput):
    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}.", violations=[Violation(field, description)])


class InvalidTicks(InvalidInput):
    problem = "invalid-ticks"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(
            f"The batch of ticks is refused: {field} {description}.", violations=[Violation(field, description)]
        )


class UnknownSymbol(NotFound):
    problem = "unknown-symbol"

    def __init__(self, symbols: Sequence[str]) -> None:
        shown = ", ".join(symbols[:10]) + (", ..." if len(symbols) > 10 else "")
        super().__init__(f"No asset has the symbol {shown}; the assets are listed under /api/v2/assets.")


class NoChain(NotFound):
    problem = "no-option-chain"

    def __init__(self, underlying: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no option chain on {underlying}; there are chains on {', '.join(known) or 'nothing'}."
        )


class NoChainYet(NotFound):
    problem = "no-option-chain"

    def __init__(self, underlying: str, as_of: datetime) -> None:
        super().__init__(f"No option chain on {underlying} was known at {as_of:%Y-%m-%dT%H:%M:%SZ}.")


class NoCommonDays(RuleBroken):
    problem = "no-common-days"

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__(f"There is no day in the asked range on which all of {', '.join(symbols)} have a close.")
