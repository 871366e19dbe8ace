"""What the processes of a mesh export on their operators' ports."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from quantmesh.local.testing.mesh import Mesh

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}


def exported(mesh: Mesh) -> dict[str, set[str]]:
    """The labels of each series; without any where nothing was observed yet."""
    labels: dict[str, set[str]] = {}
    for url in mesh.ops_urls.values():
        for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").raise_for_status().text):
            for suffix in SUFFIXES.get(family.type, ("",)):
                labels.setdefault(family.name + suffix, set())
            for sample in family.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    return labels
