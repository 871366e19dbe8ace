"""The collector's configuration, as far as it can be judged without a collector.

That is: the options that its components know, what pipelines are made of, and what the chart gives to it.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy/observability"
CHART = ROOT / "deploy/k8s/charts/observability"
BASE = yaml.safe_load((FOLDER / "collector.yaml").read_text())
OVERLAYS = {
    path.stem.removeprefix("collector-"): yaml.safe_load(path.read_text())
    for path in sorted(FOLDER.glob("collector-*.yaml"))
}
# Of the components' documentation at 0.140, as far as they are used here; a misspelled option ends the collector.
QUEUE = {"sending_queue": {"queue_size": int}, "retry_on_failure": {"max_elapsed_time": str}}
OPTIONS: dict[str, dict[str, Any]] = {
    "extensions": {
        "health_check": {"endpoint": str},
        "basicauth": {"client_auth": {"username": str, "password": str}},
    },
    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": str, "max_recv_msg_size_mib": int}}}},
    "processors": {
        "memory_limiter": {"check_interval": str, "limit_percentage": int, "spike_limit_percentage": int},
        "resource": {"attributes": list},
        "batch": {"timeout": str, "send_batch_size": int, "send_batch_max_size": int},
    },
    "exporters": {
        "otlp": {"endpoint": str, "compression": str, "tls": {"insecure": bool}, **QUEUE},
        "elasticsearch": {
            "endpoint": str,
            "user": str,
            "password": str,
            "logs_index": str,
            "mapping": {"mode": str},
            "retry": {"enabled": bool, "max_retries": int, "initial_interval": str, "max_interval": str},
        },
        "opensearch": {
            "http": {"endpoint": str, "auth": {"authenticator": str}},
            "dataset": str,
            "namespace": str,
            "retry_on_failure": {"max_elapsed_time": str},
        },
        "debug": {"verbosity": str},
        "nop": {},
    },
}


def merged(base: Any, over: Any) -> Any:
    """As the collector merges: mappings by key, all else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base.get(key), value) for key, value in over.items()}
    return over


def complaints(configuration: dict[str, Any]) -> list[str]:
    found = []
    for kind, components in OPTIONS.items():
        for name, options in configuration[kind].items():
            component = name.partition("/")[0]
            if component not in components:
                found.append(f"{kind}: {name} is none that is known")
            else:
                found += wrong_options(f"{kind}.{name}", options, components[component])
    return found


def wrong_options(place: str, options: Any, known: Any) -> list[str]:
    if not isinstance(known, dict):
        return [] if isinstance(options, known) else [f"{place} is no {known.__name__}"]
    if not isinstance(options, dict):
        return [f"{place} is no mapping"]
    unknown = [f"{place}.{name} is unknown" for name in options.keys() - known.keys()]
    return unknown + [
        each
        for name in options.keys() & known.keys()
        for each in wrong_options(f"{place}.{name}", options[name], known[name])
    ]


ALL = {"base": BASE} | {name: merged(BASE, overlay) for name, overlay in OVERLAYS.items()}


@pytest.mark.parametrize("name", ALL)
def test_components_have_options_that_they_know(name: str) -> None:
    assert complaints(ALL[name]) == []


def test_a_misspelled_option_and_an_unknown_component_are_found() -> None:
    misspelled = merged(BASE, {"processors": {"batch": {"time_out": "1s"}}, "exporters": {"jaeger": {}}})
    assert complaints(misspelled) == [
        "processors.batch.time_out is unknown",
        "exporters: jaeger is none that is known",
    ]


@pytest.mark.parametrize("name", ALL)
def test_pipelines_are_made_of_what_is_there_in_the_order_that_protects_the_memory(name: str) -> None:
    configuration = ALL[name]
    assert set(configuration["service"]["pipelines"]) == {"traces", "logs"}
    for pipeline in configuration["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert pipeline[kind]
            assert set(pipeline[kind]) <= set(configuration[kind])
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"
    assert set(configuration["service"]["extensions"]) == set(configuration["extensions"])
    for exporter in configuration["exporters"].values():
        authenticator = exporter.get("http", {}).get("auth", {}).get("authenticator")
        assert authenticator is None or authenticator in configuration["extensions"]


def test_logs_and_traces_go_where_the_overlay_says() -> None:
    exporters = {
        name: {kind: pipeline["exporters"] for kind, pipeline in each["service"]["pipelines"].items()}
        for name, each in ALL.items()
    }
    assert exporters == {
        "base": {"traces": ["otlp/jaeger"], "logs": ["nop"]},
        "elasticsearch": {"traces": ["otlp/jaeger"], "logs": ["elasticsearch"]},
        "opensearch": {"traces": ["otlp/jaeger"], "logs": ["opensearch"]},
        "debug": {"traces": ["debug"], "logs": ["debug"]},
    }


def test_the_chart_brings_every_file_and_every_variable_that_they_read() -> None:
    files = sorted(FOLDER.glob("collector*.yaml"))
    deployment = (CHART / "templates/deployment.yaml").read_text()
    given = set(re.findall(r"name: ([A-Z_]+)", deployment))
    for path in files:
        assert (CHART / "files" / path.name).resolve() == path
        assert set(re.findall(r"\$\{env:(\w+)\}", path.read_text())) <= given
    ports = {int(port) for port in re.findall(r"containerPort: (\d+)", deployment)}
    telemetry = BASE["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]
    endpoints = [BASE["extensions"]["health_check"], BASE["receivers"]["otlp"]["protocols"]["grpc"]]
    assert ports == {telemetry["port"]} | {int(each["endpoint"].rpartition(":")[2]) for each in endpoints}
