"""Write what the services declare in `[tool.quantmesh]` where charts read it: `include "common.graph" . | fromYaml`.

With --check only say whether the file is what would be written.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quantmesh.local.workspace import ServiceDeclaration, Workspace

ROOT = Path(__file__).resolve().parent.parent
GRAPH = ROOT / "deploy/k8s/charts/common/templates/_graph.tpl"
_TEMPLATE = """\
{{{{/* Written by scripts/declare_graph.py from [tool.quantmesh] of each pyproject.toml. */}}}}
{{{{- define "common.graph" -}}}}
services:
{services}
{{{{- end -}}}}
"""


def main() -> int:
    written = graph_template(Workspace.read(ROOT))
    if "--check" not in sys.argv[1:]:
        GRAPH.write_text(written)
    elif GRAPH.read_text() != written:
        sys.stderr.write(f"{GRAPH.relative_to(ROOT)} is stale: run .venv/bin/python scripts/declare_graph.py\n")
        return 1
    return 0


def graph_template(workspace: Workspace) -> str:
    # JSON is YAML; a line per service shows what a change changes.
    services = (f"  {service.name}: {json.dumps(_node(service))}" for service in workspace.services)
    return _TEMPLATE.format(services="\n".join(services))


def _node(service: ServiceDeclaration) -> dict[str, Any]:
    declared = asdict(service)
    node = {key: declared[key] for key in ("ports", "servers", "peers", "consumers", "worker")}
    if "auth" not in {service.name, *service.peers}:
        node["peers"] = ("auth", *service.peers)  # whoever answers calls asks for keys
    return {key: value for key, value in node.items() if value or key in {"servers", "peers"}}


if __name__ == "__main__":
    sys.exit(main())
