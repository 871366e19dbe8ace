"""All dashboards, and their texts as Grafana reads them."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.business import business
from dashboards.events import events
from dashboards.money import money
from dashboards.numerics import numerics
from dashboards.overview import overview
from dashboards.own import own_rows
from dashboards.service import service
from quantmesh.local.workspace import Workspace

JSON = Path(__file__).parent / "json"
_ROOT = Path(__file__).parents[3]


def dashboards() -> list[Dashboard]:
    declared = Workspace.read(_ROOT).services
    own = own_rows()
    return [
        overview([each.name for each in declared]),
        money(),
        events(),
        numerics(),
        business(),
        *(service(each, own.get(each.name, ())) for each in declared),
    ]


def texts() -> dict[str, str]:
    """By name of file."""
    return {f"{dashboard.uid}.json": _text(dashboard) for dashboard in dashboards()}


def _text(dashboard: Dashboard) -> str:
    """A line for each panel, so that a change shows where it is."""
    fields = json.loads(_compact(dashboard))
    panels = ",\n".join(_compact(panel) for panel in fields.pop("panels"))
    return f'{_compact(fields).removesuffix("}")},"panels":[\n{panels}\n]}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, cls=JSONEncoder, separators=(",", ":"), sort_keys=True)
