"""What a forecast or a training can be refused for.

QuantmeshError
├── InvalidInput
│   ├── TimeframeUnknown         no such timeframe
│   ├── PathUnknown              neither the stock nor the crypto path
│   ├── BudgetOutOfRange         max_seconds too small or too large
│   ├── CursorUnknown            a page cursor that this service did not give
│   └── SymbolsNotTrainable      asked to train on what is not an adjusted stock
├── RuleBroken
│   ├── HistoryTooShort          fewer closes than the features look back
│   ├── SeriesUnadjusted         splits would read as crashes
│   ├── NothingToTrainOn         no stock with adjusted closes
│   ├── BudgetTooSmall           the time was spent before the first fit had learnt anything
│   └── FitDiverged              the loss left the finite numbers
├── NotFound
│   ├── SymbolUnknown            no such symbol, or not of the class asked for
│   └── ForecastUnknown          no forecast has this id
└── Unavailable
    ├── ModelMissing             active, but not in the registry, or not as it was registered
    ├── ModelNotFinite           the model answered NaN or an infinity, or an interval without end
    ├── WorkerIncomplete         TensorFlow is not installed where the worker runs
    └── ExportDiffers            the exported graph does not compute what TensorFlow does
"""

from collections.abc import Sequence
from typing import ClassVar

from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, Unavailable, Violation

_SHOWN = 40
_NAMED = 20
"""Errors travel in metadata, which holds 8 KiB: so much of a text, and so many of a list, are shown."""


class TimeframeUnknown(InvalidInput):
    problem: ClassVar[str] = "timeframe-unknown"

    def __init__(self, given: int) -> None:
        super().__init__(
            f"timeframe {given} is none of 1d, 1w, 1m, 3m",
            violations=[Violation("timeframe", "must be one of 1d, 1w, 1m, 3m")],
        )


class PathUnknown(InvalidInput):
    problem: ClassVar[str] = "asset-class-unknown"

    def __init__(self, given: str) -> None:
        super().__init__(
            f"asset_class {given[:32]!r} is neither stock nor crypto",
            violations=[Violation("asset_class", "must be stock or crypto")],
        )


class BudgetOutOfRange(InvalidInput):
    problem: ClassVar[str] = "training-budget-out-of-range"

    def __init__(self, given: int, least: int, most: int) -> None:
        super().__init__(
            f"max_seconds = {given} is not between {least} and {most}",
            violations=[Violation("max_seconds", f"must be {least} to {most}, or 0 for the default")],
        )


class CursorUnknown(InvalidInput):
    problem: ClassVar[str] = "invalid-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor was not given by this service",
            violations=[Violation("cursor", "pass the next_cursor of the page before, unchanged")],
        )


class HistoryTooShort(RuleBroken):
    problem: ClassVar[str] = "history-too-short"

    def __init__(self, symbol: str, closes: int, needed: int) -> None:
        super().__init__(f"{symbol} has {closes} known closes, a forecast needs {needed}")


class SeriesUnadjusted(RuleBroken):
    problem: ClassVar[str] = "series-unadjusted"

    def __init__(self, symbol: str) -> None:
        super().__init__(
            f"{symbol} has raw closes, in which a split reads as a crash;"
            " forecasts need a split-adjusted or total-return series"
        )


class SymbolsNotTrainable(InvalidInput):
    problem: ClassVar[str] = "symbols-not-trainable"

    def __init__(self, reasons: Sequence[tuple[str, str]]) -> None:
        shown = [f"{symbol[:_SHOWN]} {reason}" for symbol, reason in reasons[:_NAMED]]
        more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        super().__init__(
            "not trainable: " + "; ".join(shown) + more, violations=[Violation("symbols", each) for each in shown]
        )


class NothingToTrainOn(RuleBroken):
    problem: ClassVar[str] = "nothing-to-train-on"

    def __init__(self) -> None:
        super().__init__("the catalogue has no stock with adjusted closes")


class BudgetTooSmall(RuleBroken):
    problem: ClassVar[str] = "training-budget-too-small"

    def __init__(self, steps: int) -> None:
        super().__init__(f"the time ran out after {steps} steps of the first fit; ask again with more max_seconds")


class FitDiverged(RuleBroken):
    problem: ClassVar[str] = "training-diverged"

    def __init__(self, steps: int) -> None:
        super().__init__(f"the loss was no longer a finite number after {steps} steps of a fit")


class SymbolUnknown(NotFound):
    problem: ClassVar[str] = "unknown-symbol"

    def __init__(self, symbol: str, asset_class: str) -> None:
        super().__init__(f"no {asset_class} has the symbol {symbol[:_SHOWN]!r}")


class ForecastUnknown(NotFound):
    problem: ClassVar[str] = "forecast-not-found"

    def __init__(self, forecast_id: str) -> None:
        super().__init__(f"no forecast has the id {forecast_id[:_SHOWN]!r}")


class ModelMissing(Unavailable):
    problem: ClassVar[str] = "model-missing"

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"the active model {version} cannot be used: {reason}")


class ModelNotFinite(Unavailable):
    problem: ClassVar[str] = "model-not-finite"

    def __init__(self, version: str, symbol: str) -> None:
        super().__init__(f"the model {version} gave no usable number for {symbol}")


class WorkerIncomplete(Unavailable):
    problem: ClassVar[str] = "worker-incomplete"

    def __init__(self, reason: str) -> None:
        super().__init__(f"this worker cannot train: {reason}; install quantmesh-prediction[worker] where it runs")


class ExportDiffers(Unavailable):
    problem: ClassVar[str] = "model-export-differs"

    def __init__(self, difference: float, allowed: float) -> None:
        super().__init__(f"the exported model differs from TensorFlow's by {difference:.3g}, more than {allowed:g}")
