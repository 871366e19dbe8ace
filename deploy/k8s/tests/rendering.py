"""Charts, linted and rendered as `helm` would, by the Helm that helm-python-sdk carries. As a command:
`.venv-ops/bin/python deploy/k8s/tests/rendering.py CHART [ENVIRONMENT]` writes the manifests.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

K8S = Path(__file__).resolve().parent.parent
CHARTS = K8S / "charts"
UMBRELLA = "quantmesh"
RELEASE, NAMESPACE = "quantmesh", "quantmesh"

Values = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """One rendered object. `template` is the file that it comes from."""

    template: str
    content: dict[str, object]

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def metadata(self) -> dict[str, Any]:
        metadata = self.content["metadata"]
        assert isinstance(metadata, dict), f"{self.template}: metadata is {metadata!r}"
        return metadata

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def environments() -> list[str]:
    return sorted(path.stem for path in (K8S / "environments").glob("*.yaml"))


def charts() -> list[str]:
    """Every chart that can be installed: all but libraries."""
    paths = sorted(CHARTS.glob("*/Chart.yaml"))
    return [path.parent.name for path in paths if yaml.safe_load(path.read_text()).get("type") != "library"]


def values_of(chart: str, environment: str | None) -> Values:
    """What a release in that environment gives to the chart; for a part of the umbrella, what the umbrella gives it."""
    given = (
        helm_python.values_from_yaml((K8S / "environments" / f"{environment}.yaml").read_text()) if environment else {}
    )
    if chart == UMBRELLA:
        return given
    with helm_python.Chart.load(CHARTS / UMBRELLA) as umbrella:
        merged = umbrella.merge_values(given)
    return {**merged.get(chart, {}), "global": merged.get("global", {})}


def render(
    chart: str, environment: str | None = None, more: Values | None = None, *, revision: int = 1
) -> list[Manifest]:
    """`more` is laid over the environment's values, as a further `-f` file would be. Hooks are among the manifests."""
    return render_values(chart, laid_over(values_of(chart, environment), more or {}), revision=revision)


def render_values(chart: str, values: Values, *, revision: int = 1) -> list[Manifest]:
    """The first revision is an installation, each later one an upgrade."""
    # Loaded anew each time: rendering takes charts whose condition is false out of the loaded one.
    with helm_python.Chart.load(CHARTS / chart) as loaded:
        rendered = loaded.render(
            values,
            name=RELEASE,
            namespace=NAMESPACE,
            revision=revision,
            is_install=revision == 1,
            is_upgrade=revision > 1,
        )
    return [
        Manifest(template, document)
        for template, text in sorted(rendered.items())
        if not template.endswith("NOTES.txt")
        for document in yaml.load_all(text, Loader=UniqueKeys)
        if document is not None
    ]


def lint(chart: str, environment: str | None = None) -> list[str]:
    """The complaints of `helm lint --strict`."""
    values = values_of(chart, environment)
    report = helm_python.lint(CHARTS / chart, values, strict=True, namespace=NAMESPACE)
    warning = 2
    return [f"{m['path']}: {m['error']}" for m in report["messages"] if m["severity"] >= warning]


def laid_over(base: Values, more: Values) -> Values:
    """As Helm merges values files: maps by key, all else replaced."""
    merged = dict(base)
    for key, value in more.items():
        old = merged.get(key)
        merged[key] = laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


class UniqueKeys(yaml.CSafeLoader):
    """Refuses a map that names a key twice, of which YAML readers keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"twice in one map: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


if __name__ == "__main__":
    for manifest in render(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None):
        sys.stdout.write(f"---\n# {manifest.template}\n{yaml.safe_dump(manifest.content, sort_keys=False)}")
