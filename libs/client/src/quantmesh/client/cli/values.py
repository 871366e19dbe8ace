"""What several commands are given."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

PortfolioId = Annotated[str, typer.Argument(metavar="PORTFOLIO", help="Its id, as `quantmesh portfolios` shows it.")]
AsOf = Annotated[datetime | None, typer.Option(help="As it was then, in UTC.")]
KnownAt = Annotated[datetime | None, typer.Option(help="As it was known then, in UTC.")]


def decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a decimal number") from None


def upper(code: str | None) -> str | None:
    """Of a symbol or a currency, which people type as they like."""
    return code and code.upper()


def in_utc(instant: datetime | None) -> datetime | None:
    return instant and instant.replace(tzinfo=UTC)
