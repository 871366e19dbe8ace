"""docs/metrics.md as data: what processes promise to export, what rules record, and what they read of the servers."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
# | `name`, `name` | type | `label`, `label` | meaning |
_ROW = re.compile(
    r"^\| (?P<names>`[a-z].*?`) \| (?P<type>[a-z]+) \| (?P<labels>.*?) ?\| (?P<meaning>.+) \|$", re.MULTILINE
)
# | `name`, `name` | `label`, `label` | meaning |
_SERVERS_ROW = re.compile(r"^\| (?P<names>`[a-z][^|]*`) \| (?P<labels>(?:`[^|]*` )?)\| [^|]+ \|$", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")
_SERIES = {
    "counter": ("",),
    "gauge": ("",),
    "info": ("",),
    "recorded": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


@dataclass(frozen=True)
class Metric:
    name: str
    type: str
    labels: frozenset[str]

    @property
    def series(self) -> frozenset[str]:
        """The names that a query may use. Raises KeyError for a type that is none."""
        return frozenset(self.name + suffix for suffix in _SERIES[self.type])


def documented() -> dict[str, Metric]:
    """By name."""
    return {
        name: Metric(name, row["type"], frozenset(_QUOTED.findall(row["labels"])))
        for row in _ROW.finditer(PAGE.read_text())
        for name in _QUOTED.findall(row["names"])
    }


def series_labels() -> dict[str, frozenset[str]]:
    """The labels of each series that a query may name; those of the target (`job`, `instance`) come with all."""
    return {
        series: metric.labels | ({"le"} if series.endswith("_bucket") else set())
        for metric in documented().values()
        for series in metric.series
    }


def server_labels() -> dict[str, frozenset[str]]:
    """The same of what others export for the servers, in a cluster alone."""
    return {
        name: frozenset(_QUOTED.findall(row["labels"]))
        for row in _SERVERS_ROW.finditer(PAGE.read_text())
        for name in _QUOTED.findall(row["names"])
    }
