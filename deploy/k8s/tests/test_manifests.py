"""Every chart in every environment: linted strictly, rendered, and held against the schema of each kind."""

from functools import cache
from pathlib import Path

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml
from release import distinct_manifests
from rendering import CHARTS, UMBRELLA, Manifest, charts, environments, lint, render, values_of

_SCHEMAS = Path(__file__).parent / "schemas"
# Groups whose kinds the API server itself has; those of operators are in schemas/.
_BUILT_IN = ("apps", "autoscaling", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "v1")


def _oldest_version() -> str:
    """The first that the umbrella says it runs on: ">=1.33.0-0"."""
    wanted = yaml.safe_load((CHARTS / UMBRELLA / "Chart.yaml").read_text())["kubeVersion"]
    return str(wanted).removeprefix(">=").rpartition(".")[0]


@pytest.mark.parametrize("environment", [None, *environments()])
@pytest.mark.parametrize("chart", charts())
def test_a_chart_is_linted_strictly_and_renders(chart: str, environment: str | None) -> None:
    assert lint(chart, environment) == []
    render(chart, environment)


def test_a_packaged_chart_is_the_chart_with_all_its_parts(tmp_path: Path) -> None:
    """What is released has files in place of the links."""
    values = values_of(UMBRELLA, "prod")
    archive = helm_python.package(CHARTS / UMBRELLA, destination=tmp_path, version="1.2.3", app_version="1.2.3")
    with helm_python.Chart.load(archive) as packaged, helm_python.Chart.load(CHARTS / UMBRELLA) as folder:
        assert packaged.metadata["version"] == "1.2.3"
        assert set(packaged.render(values, name=UMBRELLA)) == set(folder.render(values, name=UMBRELLA))


def _group(manifest: Manifest) -> str:
    return str(manifest.content["apiVersion"]).split("/", 1)[0]


def test_objects_are_what_the_oldest_api_server_takes() -> None:
    assert _complaints(distinct_manifests(), _oldest_version()) == []


def test_the_newest_api_server_has_every_kind_still() -> None:
    """What is stable is never taken from a version of a kind, only whole versions of kinds are."""
    one_of_each = {(m.content["apiVersion"], m.kind): (name, m) for name, m in distinct_manifests()}
    assert _complaints(list(one_of_each.values()), kubernetes_validate.latest_version()) == []


def _complaints(manifests: list[tuple[str, Manifest]], version: str) -> list[str]:
    complaints = []
    for name, manifest in manifests:
        if _group(manifest) in _BUILT_IN:
            try:
                kubernetes_validate.validate(manifest.content, version, strict=True)
            except kubernetes_validate.ValidationError as wrong:
                complaints.append(f"{name}: {'.'.join(map(str, wrong.path))}: {wrong.message}")
    return complaints


@cache
def _schema(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    path = _SCHEMAS / f"{kind.lower()}.{api_version.replace('/', '.')}.yaml"
    assert path.exists(), f"{path.name}: the schema of a kind that a chart makes"
    schema = yaml.safe_load(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_custom_resources_fit_their_schema() -> None:
    complaints = [
        f"{name}: {'.'.join(map(str, wrong.path))}: {wrong.message}"
        for name, manifest in distinct_manifests()
        if _group(manifest) not in _BUILT_IN
        for wrong in _schema(str(manifest.content["apiVersion"]), manifest.kind).iter_errors(manifest.content)
    ]
    assert complaints == []


def test_no_schema_is_left_of_a_kind_that_no_chart_makes() -> None:
    used = {
        f"{m.kind.lower()}.{str(m.content['apiVersion']).replace('/', '.')}.yaml"
        for _, m in distinct_manifests()
        if _group(m) not in _BUILT_IN
    }
    assert {path.name for path in _SCHEMAS.iterdir()} == used
