"""Dashboards show what a running mesh exports."""

import httpx
from dashboards.catalogue import dashboards

from quantmesh.local.testing.mesh import Mesh
from tests.metrics_page import series_labels
from tests.promql import TARGET_LABELS, selections

from .accounts import API, funded_portfolio
from .exported import exported

OPTION = {"option_type": "call", "spot": 100, "strike": 90, "time_to_expiry": 0.5, "rate": 0.01, "volatility": 0.3}


def test_every_panel_asks_for_what_the_running_mesh_exports(mesh: Mesh, user: httpx.Client) -> None:
    funded_portfolio(user)
    user.post(f"{API}/options/price", json=OPTION).raise_for_status()
    recorded = {series for series in series_labels() if ":" in series}
    series = exported(mesh)
    asked = {
        (name, matched)
        for dashboard in dashboards()
        for panel in dashboard.panels or []
        for target in getattr(panel, "targets", None) or []
        for name, matched in selections(target.expr)
        # What Prometheus itself makes: of rules, and of each scrape.
        if name not in recorded | {"up"}
    }
    assert {name for name, _ in asked} <= set(series)
    for name, matched in asked:
        if series[name]:
            assert matched - TARGET_LABELS <= series[name], name
    observed = {"quantmesh_http_seconds_count", "quantmesh_rpc_seconds_count", "quantmesh_peer_seconds_count"}
    assert all(series[name] for name in observed)
