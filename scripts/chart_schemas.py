"""Write values.schema.json of the charts, so that Helm refuses an unknown key or a value that a service would refuse.

What charts share lies in charts/common/schemas; the settings of a service come from its own settings class. The schema
of a chart that is no service's is written by hand: here it gets `global` and `definitions` alone.
With --check only say which files are not what would be written.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from load_settings import settings_of

from quantmesh.chassis.settings import ServiceSettings
from quantmesh.local.workspace import ServiceDeclaration, Workspace

ROOT = Path(__file__).resolve().parent.parent
CHARTS = ROOT / "deploy/k8s/charts"
FRAGMENTS = CHARTS / "common/schemas"
# What the templates set themselves, from `global` and the graph.
_SET_BY_CHARTS = {
    "consumers_paused", "database_pool_size", "environment", "evm_url", "gateway_bind", "grpc_bind", "log_level",
    "nats_url", "ops_bind", "otlp_endpoint", "prediction_registry", "redis_url", "revision", "serve_jobs",
    "shutdown_seconds", "stream_replicas", "targets", "tls_folder", "trace_sample_ratio",
}  # fmt: skip
_SECRETS_SET_BY_CHARTS = {"auth_service_secrets", "database_url", "migration_url", "sentry_dsn", "service_secret"}
_REFERENCE = re.compile(r"#/definitions/(\w+)")

Schema = dict[str, Any]


def main() -> int:
    schemas = dict(_schemas())
    if "--check" not in sys.argv[1:]:
        for path, text in schemas.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in schemas.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run .venv/bin/python scripts/chart_schemas.py\n")
    return 1 if stale else 0


def _schemas() -> Iterator[tuple[Path, str]]:
    services = {service.name: service for service in Workspace.read(ROOT).services}
    for chart in sorted(path.parent for path in CHARTS.glob("*/Chart.yaml")):
        path = chart / "values.schema.json"
        if chart.name in services:
            yield path, _text(_of_service(services[chart.name]))
        elif path.exists():
            yield path, _text(_with_shared(json.loads(path.read_text())))


def _of_service(service: ServiceDeclaration) -> Schema:
    settings, secrets = _fields(settings_of(service.name))
    part = _fragment("part") | {"settings": _closed(settings)}
    properties = part | {"secrets": _closed({name: {"$ref": "#/definitions/secret"} for name in secrets})}
    if (FRAGMENTS / f"{service.name}.json").exists():
        properties |= _fragment(service.name)
    if service.worker:
        properties |= {"worker": _closed(part)}
    return _with_shared({"$schema": "http://json-schema.org/draft-07/schema#", **_closed(properties)})


def _fields(settings: type[ServiceSettings]) -> tuple[dict[str, Schema], list[str]]:
    """The fields that values may set, with the schema of each; and those that are secret."""
    fields: dict[str, Schema] = settings.model_json_schema()["properties"]
    secret = {name for name, schema in fields.items() if "writeOnly" in json.dumps(schema)}
    plain = {name: _plain(schema) for name, schema in fields.items() if name not in secret | _SET_BY_CHARTS}
    return plain, sorted(secret - _SECRETS_SET_BY_CHARTS)


def _plain(schema: Schema) -> Schema:
    """Without what says nothing of the value; of several types the first, since values have no null and no decimals."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "default", "description"}}
    kept |= kept.pop("anyOf", [{}])[0]
    return kept | ({"items": _plain(kept["items"])} if "items" in kept else {})


def _closed(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _with_shared(schema: Schema) -> Schema:
    """`global`, `common` (into which Helm puts the library's values), and the definitions that are referred to."""
    shared = _fragment("definitions")
    properties = schema["properties"] | {"global": _fragment("global"), "common": {"type": "object"}}
    own = {name: value for name, value in schema.get("definitions", {}).items() if name not in shared}
    used = _used({"properties": properties, "definitions": own}, shared)
    definitions = own | {name: shared[name] for name in sorted(used)}
    return schema | {"properties": properties, "definitions": definitions}


def _used(schema: Schema, shared: dict[str, Schema]) -> set[str]:
    names = set(_REFERENCE.findall(json.dumps(schema))) & shared.keys()
    return names.union(*(_used(shared[name], shared) for name in names))


def _fragment(name: str) -> dict[str, Any]:
    fragment: dict[str, Any] = json.loads((FRAGMENTS / f"{name}.json").read_text())
    return fragment


def _text(schema: Schema) -> str:
    """A line per property and definition, so that a difference shows what it is about."""
    lines = []
    for key, value in schema.items():
        if key in {"properties", "definitions"}:
            entries = ",\n".join(f"    {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{entries}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
