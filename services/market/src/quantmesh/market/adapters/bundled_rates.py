"""The exchange rates that the package carries."""

import csv
import gzip
import io
from datetime import date
from decimal import Decimal
from importlib.resources import files

import numpy as np

from quantmesh.market.core.exchange_rates import RATE_SCALE, ReferenceRates

_FILE = files("quantmesh.market").joinpath("data", "exchange_rates.csv.gz")


def load_exchange_rates() -> ReferenceRates:
    (_, *days), *columns = csv.reader(io.StringIO(gzip.decompress(_FILE.read_bytes()).decode()))
    return ReferenceRates(
        np.array([date.fromisoformat(day).toordinal() for day in days], dtype=np.int32),
        {code: np.array([_units(text) for text in texts], dtype=np.int64) for code, *texts in columns},
    )


def _units(text: str) -> int:
    return int(Decimal(text).scaleb(RATE_SCALE)) if text else 0
