"""The provider of the data that the package carries: real series and option chains, no network."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import Any

from quantmesh.market.core.calendars import AroundTheClock, Calendar, NewYork
from quantmesh.market.core.model import Adjustment, AssetClass, AssetListing
from quantmesh.market.core.option_chains import (
    ChainQuote,
    OptionChain,
    OptionContract,
    option_symbol,
    volatility_on_other_base,
    years_actual_365,
)
from quantmesh.market.core.parse_bars import RawBar

# Where the closes of the tradable assets end, and with them the replay.
LAST_SESSION = date(2022, 12, 28)
_DATA = files("quantmesh.market").joinpath("data")
# Part of every checkpoint: raise it when the rows are read in another way, and all are taken in again.
_READER = "1"


def load_calendars() -> Mapping[str, Calendar]:
    table = json.loads(_DATA.joinpath("sessions.json").read_text())
    new_york = NewYork(
        date.fromisoformat(table["first"]),
        date.fromisoformat(table["last"]),
        [date.fromisoformat(day) for day in table["holidays"]],
        {date.fromisoformat(day): time.fromisoformat(at) for day, at in table["early_closes"].items()},
    )
    calendars: tuple[Calendar, ...] = (new_york, AroundTheClock())
    return {calendar.code: calendar for calendar in calendars}


class BundledProvider:
    name = "bundled"

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[RawBar]]] = {}

    @cached_property
    def version(self) -> str:
        digest = sha256(_READER.encode())
        for name in sorted({f"{entry['file']}.csv.gz" for entry in self._catalogue["assets"] if entry["file"]}):
            digest.update(_DATA.joinpath(name).read_bytes())
        return digest.hexdigest()[:16]

    def listings(self) -> list[AssetListing]:
        """The catalogue, and one listing per contract of the chains."""
        contracts = [quote.contract for chain in self.chains() for quote in chain.quotes]
        return [_listing(entry) for entry in self._catalogue["assets"]] + [
            _option_listing(contract, self._catalogue["option_terms"][contract.underlying]["tick_size"])
            for contract in contracts
        ]

    def symbols(self) -> list[str]:
        return list(self._files)

    def bars(self, symbol: str) -> list[RawBar]:
        """The rows of one symbol; a file is read once, and let go with its last symbol."""
        name = self._files.get(symbol)
        if name is None:
            return []
        if name not in self._rows:
            self._rows[name] = _read_rows(name)
        rows = self._rows[name].pop(symbol, None)
        if rows is None:
            rows = _read_rows(name).get(symbol, [])
        if not self._rows[name]:
            del self._rows[name]
        return rows

    def chains(self) -> list[OptionChain]:
        raw = json.loads(gzip.decompress(_DATA.joinpath("option_chains.json.gz").read_bytes()))
        return [_chain(name, chain, self._catalogue["option_terms"][name]) for name, chain in raw.items()]

    @cached_property
    def _catalogue(self) -> dict[str, Any]:
        catalogue: dict[str, Any] = json.loads(_DATA.joinpath("catalogue.json").read_text())
        return catalogue

    @cached_property
    def _files(self) -> dict[str, str]:
        return {entry["symbol"]: entry["file"] for entry in self._catalogue["assets"] if entry["file"]}


def _read_rows(name: str) -> dict[str, list[RawBar]]:
    text = gzip.decompress(_DATA.joinpath(f"{name}.csv.gz").read_bytes()).decode()
    header, *table = csv.reader(io.StringIO(text))
    if header[0] == "date":  # a column of closes per symbol
        return {
            symbol: [RawBar(line, symbol, row[0], "", "", "", row[at], "") for line, row in enumerate(table, 2)]
            for at, symbol in enumerate(header[1:], 1)
        }
    rows: dict[str, list[RawBar]] = {}
    for line, row in enumerate(table, 2):
        rows.setdefault(row[0], []).append(RawBar(line, *row))
    return rows


def _listing(entry: Mapping[str, Any]) -> AssetListing:
    return AssetListing(
        symbol=entry["symbol"],
        name=entry["name"],
        asset_class=AssetClass(entry["asset_class"]),
        currency=entry["currency"],
        calendar=entry["calendar"],
        tick_size=Decimal(entry["tick_size"]),
        lot_size=Decimal(entry["lot_size"]),
        adjustment=Adjustment(entry["adjustment"]),
        tradable=entry["tradable"],
        metadata=entry["metadata"],
    )


def _option_listing(contract: OptionContract, tick_size: str) -> AssetListing:
    kind = "call" if contract.option_type == "call" else "put"
    return AssetListing(
        symbol=contract.symbol,
        name=f"{contract.underlying} {contract.expiry:%Y-%m-%d} {contract.strike.normalize():f} {kind}",
        asset_class=AssetClass.OPTION,
        currency="USD",
        calendar="24/7" if contract.underlying.endswith("-USD") else "XNYS",
        tick_size=Decimal(tick_size),
        lot_size=Decimal(1),
        adjustment=Adjustment.RAW,
        metadata={
            "underlying": contract.underlying,
            "option_type": contract.option_type,
            "strike": f"{contract.strike.normalize():f}",
            "expiry": f"{contract.expiry:%Y-%m-%dT%H:%M:%SZ}",
            "multiplier": f"{contract.multiplier}",
            "exercise": contract.exercise,
            "settlement": contract.settlement,
        },
    )


def _chain(underlying: str, raw: Mapping[str, Any], terms: Mapping[str, str]) -> OptionChain:
    taken_at = _instant(raw["time"])
    quotes = []
    for maturity in raw["expiries"]:
        expiry = _instant(maturity["expiry"])
        years = years_actual_365(taken_at, expiry)
        for strike, kind, bid, ask in zip(
            maturity["strikes"], maturity["types"], maturity["bid"], maturity["ask"], strict=True
        ):
            option_type = "call" if kind == "C" else "put"
            exact_strike = Decimal(str(strike))
            contract = OptionContract(
                option_symbol(terms["root"], expiry, option_type, exact_strike),
                underlying,
                option_type,
                exact_strike,
                expiry,
                Decimal(terms["multiplier"]),
                terms["exercise"],
                terms["settlement"],
            )
            quotes.append(
                ChainQuote(
                    contract,
                    years,
                    volatility_on_other_base(bid, maturity["ttm_360"], years),
                    volatility_on_other_base(ask, maturity["ttm_360"], years),
                    maturity["forward"],
                    maturity["discount_factor"],
                )
            )
    nearest = min(raw["expiries"], key=lambda maturity: maturity["ttm_360"])
    return OptionChain(
        underlying, taken_at, nearest["forward"] * nearest["discount_factor"], BundledProvider.name, quotes
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
