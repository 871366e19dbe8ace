"""What is said of an exception where others read it: Postgres quotes values in its complaints, whose code must do."""

import traceback
from collections.abc import Iterator


def wording(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return f"SQLSTATE {state}" if state else str(error)


def chain(error: BaseException) -> Iterator[BaseException]:
    """It, what caused it, what caused that, and so on."""
    told: BaseException | None = error
    while told is not None:
        yield told
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def stack(error: BaseException) -> str:
    """As Python prints it, in other words and without the lines between causes."""
    return "".join(
        line
        for each in reversed([*chain(error)])
        for line in (*traceback.format_tb(each.__traceback__), f"{type(each).__qualname__}: {wording(each)}\n")
    )
