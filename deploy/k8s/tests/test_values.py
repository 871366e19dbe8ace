"""Values that are wrong are refused by the chart's schema, with a sentence that names them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from rendering import CHARTS, charts, laid_over, render_values, values_of

_CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "bad_values.yaml").read_text())
_LEAST = 5


@pytest.mark.parametrize(
    ("chart", "case"),
    [(chart, case) for chart, cases in _CASES.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else str(value["values"]),
)
def test_bad_values_are_refused_and_named(chart: str, case: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmValuesError, match="values don't meet the specifications") as refused:
        render_values(chart, laid_over(values_of(chart, "dev"), case["values"]))
    assert case["complaint"] in str(refused.value)


@pytest.mark.parametrize("chart", charts())
def test_every_chart_has_a_closed_schema_and_cases_that_it_refuses(chart: str) -> None:
    assert (CHARTS / chart / "values.schema.json").exists(), f"{chart} has no schema"
    assert len(_CASES.get(chart, [])) >= _LEAST, f"{chart} has {len(_CASES.get(chart, []))} bad values"
    with pytest.raises(helm_python.HelmError, match="values don't meet the specifications"):
        render_values(chart, laid_over(values_of(chart, "dev"), {"misspelled": True}))


def test_no_object_of_a_schema_is_left_open() -> None:
    """Where keys are the user's own, as labels are, their values have a schema; charts in a chart have their own."""
    parts = {f"/properties/{chart}" for chart in ("common", *charts())}
    left_open = [
        f"{path.parent.name} {place or '/'}"
        for path in CHARTS.glob("*/values.schema.json")
        for place, node in _objects(json.loads(path.read_text()), "")
        if node.get("additionalProperties", True) is True and place not in parts
    ]
    assert left_open == []


def _objects(node: object, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield place, node
        for key, value in node.items():
            yield from _objects(value, f"{place}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _objects(value, f"{place}/{index}")
