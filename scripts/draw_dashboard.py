"""Draw a dashboard with what Prometheus has now, for machines without Grafana.

`PYTHONPATH=deploy/observability python scripts/draw_dashboard.py overview > overview.html`, while `make up` runs.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple, Protocol

import httpx
from dashboards.catalogue import texts

COLOURS = ("#73bf69", "#5794f2", "#f2cc0c", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#fade2a", "#e0752d")
STATES = {"green": "#299c46", "orange": "#c4820e", "red": "#c4162a"}
POINTS, STEP_FLOOR_SECONDS = 120, 15
COLUMN_WIDTH, PLOT_HEIGHT, LEGEND_ROWS = 65, 150, 5
STYLE = """
body{margin:0;padding:14px;background:#111217;color:#ccccdc;font:13px Inter,Helvetica,Arial,sans-serif}
h1{font-size:18px;margin:0 0 10px;font-weight:500}
main{display:grid;grid-template-columns:repeat(24,1fr);gap:6px}
section{background:#181b1f;border:1px solid #2a2d33;border-radius:3px;padding:6px 9px;overflow:hidden}
h2{font-size:13px;margin:4px 0 0;font-weight:600}h3{font-size:12px;margin:0 0 4px;font-weight:500}
.number{display:flex;flex-direction:column}.number b{font-size:26px;font-weight:500;margin:auto}
svg{width:100%;display:block}text{fill:#8e8e9a;font-size:10px}
p{margin:1px 0;font-size:11px;display:flex;justify-content:space-between}i{font-style:normal}
"""


class Series(NamedTuple):
    name: str
    points: list[tuple[float, float]]

    @property
    def last(self) -> float:
        return self.points[-1][1]


class Source(Protocol):
    """What is known of one stretch of time, in seconds since 1970."""

    begin: float
    end: float

    def read(self, target: dict[str, Any]) -> Iterator[Series]: ...


class Prometheus:
    def __init__(self, url: str, minutes: float) -> None:
        self._url = url
        self.end = time.time()
        self.begin = self.end - 60 * minutes

    def read(self, target: dict[str, Any]) -> Iterator[Series]:
        step = max(STEP_FLOOR_SECONDS, (self.end - self.begin) / POINTS)
        query = target["expr"].replace("$__rate_interval", "1m")
        answer = httpx.post(
            f"{self._url}/api/v1/query_range",
            data={"query": query, "start": str(self.begin), "end": str(self.end), "step": str(step)},
            timeout=30.0,
        )
        answer.raise_for_status()
        for found in answer.json()["data"]["result"]:
            name = target["legendFormat"]
            for label, value in found["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            points = [(at, float(value)) for at, value in found["values"] if value not in {"NaN", "+Inf", "-Inf"}]
            if points:
                yield Series(name, points)


def worded(value: float, unit: str) -> str:
    """As Grafana words its units, as far as panels use them."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    if unit in {"bytes", "Bps"}:
        size = f"{value / 2**20:.0f} MiB" if value >= 2**20 else f"{value / 2**10:.1f} KiB"
        return size + ("/s" if unit == "Bps" else "")
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"
    return number if unit == "short" else f"{number} /{'min' if unit == 'cpm' else 's'}"


def number(panel: dict[str, Any], series: Sequence[Series]) -> tuple[str, str]:
    """The background, and what stands on it."""
    if not series:
        return "", "<b>no data</b>"
    value, defaults = series[0].last, panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [])
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    background = f"background:{STATES[reached[-1]]};color:#fff;" if reached else ""
    return background, f"<b>{escape(worded(value, defaults['unit']))}</b>"


def graph(panel: dict[str, Any], series: Sequence[Series], source: Source) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    width: int = COLUMN_WIDTH * panel["gridPos"]["w"]
    stacked = "stacking" in panel["fieldConfig"]["defaults"]["custom"]
    drawn = _stacked(series) if stacked else [(each, [0.0] * len(each.points)) for each in series]
    top = max((value for each, _ in drawn for _, value in each.points), default=0.0) * 1.1 or 1.0

    def across(at: float) -> float:
        return width * (at - source.begin) / (source.end - source.begin)

    def up(value: float) -> float:
        return PLOT_HEIGHT * (1 - value / top)

    lines, legend = [], []
    for part in (0.25, 0.5, 0.75, 1.0):
        height = up(part * top) + 12
        lines.append(f'<line x1="0" x2="{width}" y1="{height}" y2="{height}" stroke="#2a2d33"/>')
        lines.append(f'<text x="2" y="{height - 2}">{escape(worded(part * top, unit))}</text>')
    for index, (each, floor) in enumerate(drawn):
        colour = COLOURS[index % len(COLOURS)]
        line = " ".join(f"{across(at):.1f},{up(value) + 12:.1f}" for at, value in each.points)
        under = " ".join(
            f"{across(at):.1f},{up(low) + 12:.1f}"
            for (at, _), low in reversed(list(zip(each.points, floor, strict=True)))
        )
        opacity = 0.35 if stacked else 0.06
        lines.append(f'<polygon points="{line} {under}" fill="{colour}" fill-opacity="{opacity}"/>')
        lines.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    for index, each in sorted(enumerate(series), key=lambda item: -item[1].last)[:LEGEND_ROWS]:
        dot = f'<i style="color:{COLOURS[index % len(COLOURS)]}">&#9644; </i>'
        legend.append(f"<p><span>{dot}{escape(each.name)}</span><span>{escape(worded(each.last, unit))}</span></p>")
    plot = f'<svg viewBox="0 0 {width} {PLOT_HEIGHT + 14}">{"".join(lines)}</svg>'
    return plot + "".join(legend)


def _stacked(series: Sequence[Series]) -> list[tuple[Series, list[float]]]:
    """Each upon the ones before it, with what it stands on."""
    heights: dict[float, float] = {}
    drawn = []
    for each in series:
        floor = [heights.get(at, 0.0) for at, _ in each.points]
        points = [(at, low + value) for (at, value), low in zip(each.points, floor, strict=True)]
        heights |= dict(points)
        drawn.append((Series(each.name, points), floor))
    return drawn


def page(dashboard: dict[str, Any], source: Source) -> str:
    title = f"quantmesh / {escape(dashboard['title'])}"
    parts = "".join(_part(panel, source) for panel in dashboard["panels"])
    head = f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
    return f"{head}<h1>{title}</h1><main>{parts}</main>"


def _part(panel: dict[str, Any], source: Source) -> str:
    at, title = panel["gridPos"], escape(panel["title"])
    place = f"grid-column:{at['x'] + 1}/span {at['w']};"
    if panel["type"] == "row":
        return f'<h2 style="{place}">{title}</h2>'
    series = [each for target in panel["targets"] for each in source.read(target)]
    if panel["type"] == "stat":
        background, body = number(panel, series)
        return f'<section class="number" style="{place}{background}"><h3>{title}</h3>{body}</section>'
    return f'<section style="{place}"><h3>{title}</h3>{graph(panel, series, source)}</section>'


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("dashboard", choices=sorted(name.removesuffix(".json") for name in texts()))
    arguments.add_argument("--prometheus", default="http://127.0.0.1:19090")
    arguments.add_argument("--minutes", type=float, default=30.0)
    given = arguments.parse_args()
    chosen = json.loads(texts()[f"{given.dashboard}.json"])
    sys.stdout.write(page(chosen, Prometheus(given.prometheus, given.minutes)))
