"""Which build runs: the first question when two replicas differ."""

from prometheus_client import Info

_BUILD = Info("quantmesh_build", "What this process runs")


def show_build(program: str, revision: str) -> None:
    _BUILD.info({"program": program, "revision": revision})
