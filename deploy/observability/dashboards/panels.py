"""The two kinds of panels: lines over time, and a number that an operator reads at a glance."""

from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models

# What provisioning has to name them: deploy/observability/README.md.
METRICS = models.DataSourceRef(type_val="prometheus", uid="prometheus")
# Where runbooks are published; the chart puts an address in its place.
RUNBOOKS = "docs/runbooks"
GRID_WIDTH = 24
_GRAPH_HEIGHT, _NUMBER_HEIGHT = 8, 4
_GREEN, _ORANGE, _RED = "green", "orange", "red"


class Query(NamedTuple):
    """`legend` is a template over labels, such as `{{method}}`; exemplars are dots that lead to traces."""

    expression: str
    legend: str
    exemplars: bool = False


class Limits(NamedTuple):
    """From where on a value asks for attention, and for action; the other way round where `act` is the smaller."""

    warn: float
    act: float


def graph(
    title: str,
    unit: str,
    *queries: Query,
    means: str,
    runbook: str = "",
    limits: Limits | None = None,
    width: int = 8,
    stacked: bool = False,
) -> timeseries.Panel:
    """`means` is what the panel's help says; `runbook` the alert that watches over the same thing."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(means)
        .datasource(METRICS)
        .unit(unit)
        .height(_GRAPH_HEIGHT)
        .span(width)
        .min(0)
        .fill_opacity(20 if stacked else 8)
        .line_width(1)
        .show_points(shapes.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.TABLE)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if limits is not None:
        panel.thresholds(_thresholds(limits)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        )
    for query in queries:
        panel.with_target(
            prometheus.Dataquery()
            .expr(query.expression)
            .legend_format(query.legend)
            .exemplar(query.exemplars)
            .range()
            .ref_id(_reference(queries, query))
        )
    return panel.links(_links(runbook))


def number(
    title: str,
    unit: str,
    expression: str,
    *,
    means: str,
    runbook: str = "",
    limits: Limits | None = None,
    width: int = 4,
    legend: str = "",
) -> stat.Panel:
    """The latest value, in the colour of its limits, over its recent course."""
    panel = (
        stat.Panel()
        .title(title)
        .description(means)
        .datasource(METRICS)
        .unit(unit)
        .height(_NUMBER_HEIGHT)
        .span(width)
        .no_value("no data")
        .graph_mode(shapes.BigValueGraphMode.AREA)
        .color_mode(shapes.BigValueColorMode.BACKGROUND if limits else shapes.BigValueColorMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id("A"))
        .links(_links(runbook))
    )
    if limits is not None:
        panel.thresholds(_thresholds(limits))
    return panel


def _reference(queries: tuple[Query, ...], query: Query) -> str:
    return "ABCDEFGH"[queries.index(query)]


def _thresholds(limits: Limits) -> dashboard.ThresholdsConfig:
    if limits.act >= limits.warn:
        colours = [(None, _GREEN), (limits.warn, _ORANGE), (limits.act, _RED)]
    else:
        colours = [(None, _RED), (limits.act, _ORANGE), (limits.warn, _GREEN)]
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value, colour) for value, colour in colours])
    )


def _links(runbook: str) -> list[Builder[models.DashboardLink]]:
    if not runbook:
        return []
    link = dashboard.DashboardLink(f"Runbook: {runbook}").url(f"{RUNBOOKS}/{runbook}.md").target_blank(True)
    return [link.type(models.DashboardLinkType.LINK)]
