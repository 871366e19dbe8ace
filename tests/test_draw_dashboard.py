"""A dashboard without Grafana: every panel is drawn, from what Prometheus answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from dashboards.catalogue import texts
from draw_dashboard import Series, page, worded

TEXTS = texts()


class Steady:
    """Answers every query with two series that do not move."""

    begin = 0.0
    end = 60.0

    def read(self, target: dict[str, Any]) -> Iterator[Series]:
        yield Series(f"{target['refId']} <first>", [(0.0, 1.0), (60.0, 1.0)])
        yield Series("second", [(0.0, 3.0), (60.0, 3.0)])


class Silent(Steady):
    def read(self, target: dict[str, Any]) -> Iterator[Series]:
        return iter(())


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("source", [Steady(), Silent()], ids=["steady", "silent"])
def test_every_panel_is_on_the_page_and_nothing_breaks_out_of_it(name: str, source: Steady) -> None:
    dashboard = json.loads(TEXTS[name])
    drawn = page(dashboard, source)
    for panel in dashboard["panels"]:
        assert panel["title"].replace("&", "&amp;") in drawn
    assert drawn.count("<section") == len([panel for panel in dashboard["panels"] if panel["type"] != "row"])
    assert "<first>" not in drawn


def test_stacked_series_stand_on_each_other() -> None:
    dashboard = json.loads(TEXTS["overview.json"])
    stacked = next(panel for panel in dashboard["panels"] if panel["title"] == "Requests")
    drawn = page(dashboard | {"panels": [stacked]}, Steady())
    # 1 and 3 reach 4 together, and a tenth is left above them.
    top = 12 + 150 * (1 - 4 / 4.4)
    assert f"0.0,{top:.1f} 520.0,{top:.1f}" in drawn


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (61.5, "s", "61.5 s"),
        (0.999, "percentunit", "99.9 %"),
        (3.0, "short", "3"),
        (2.0, "cpm", "2 /min"),
        (0.25, "reqps", "0.25 /s"),
        (157286400.0, "bytes", "150 MiB"),
        (2048.0, "Bps", "2.0 KiB/s"),
    ],
)
def test_values_are_worded_in_their_units(value: float, unit: str, text: str) -> None:
    assert worded(value, unit) == text
