"""The demo's trades are at the prices that the market service has for those days."""

import csv
import gzip
import io
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def closes(workspace: Path) -> dict[tuple[str, str], Decimal]:
    data = workspace / "services/market/src/quantmesh/market/data/us_stocks.csv.gz"
    with gzip.open(data, "rt") as file:
        rows = csv.DictReader(file)
        return {
            (row["date"], symbol): Decimal(value)
            for row in rows
            for symbol, value in row.items()
            if symbol != "date" and value
        }


def trades() -> list[dict[str, str]]:
    text = files("quantmesh.client.demo").joinpath("transactions.csv").read_text()
    return [row for row in csv.DictReader(io.StringIO(text)) if row["type"] in {"buy", "sell"}]


def test_every_trade_is_at_the_close_of_its_day(closes: dict[tuple[str, str], Decimal]) -> None:
    for trade in trades():
        day = datetime.fromisoformat(trade["executed_at"]).astimezone(NEW_YORK)
        assert (day.hour, day.minute) == (16, 0)
        assert Decimal(trade["price"]) == closes[f"{day:%Y-%m-%d}", trade["symbol"]]


def test_all_twenty_stocks_are_traded() -> None:
    assert len({trade["symbol"] for trade in trades()}) == 20
