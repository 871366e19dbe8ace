"""What all dashboards have in common: their names, their time, and the way from one to the next."""

from collections.abc import Sequence
from itertools import count

from grafana_foundation_sdk.builders import dashboard, stat, timeseries
from grafana_foundation_sdk.models import dashboard as models

TAG = "quantmesh"
Panel = stat.Panel | timeseries.Panel
# A row's title, and what is in it from left to right.
Row = tuple[str, Sequence[Panel]]


def frame(uid: str, title: str, means: str, rows: Sequence[Row], tags: Sequence[str] = ()) -> models.Dashboard:
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(means)
        .tags([TAG, *tags])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("utc")
        .link(_menu("Dashboards", TAG))
    )
    identity = count(1)
    for heading, panels in rows:
        built.with_row(dashboard.Row(heading).id(next(identity)))
        for panel in panels:
            built.with_panel(panel.id(next(identity)))
    return built.build()


def _menu(title: str, tag: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .as_dropdown(True)
        .keep_time(True)
    )
