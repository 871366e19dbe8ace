"""Grafana's dashboards of the mesh, as code. `python -m dashboards` writes their JSON."""
