"""Load the settings of services from given environments, as each service does at its start.

Reads from standard input a JSON list of {"service": ..., "environment": {...}}; writes
{"variables": {service: {name: "open" or "secret"}}, "complaints": [a list of sentences per environment]}.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping

from quantmesh.chassis.cache import open_redis
from quantmesh.chassis.settings import ServiceSettings, WrongSettings

_PREFIX = "QUANTMESH_"


def main() -> None:
    wanted = json.load(sys.stdin)
    settings = {name: settings_of(name) for name in sorted({each["service"] for each in wanted})}
    answer = {
        "variables": {name: variables_of(kind) for name, kind in settings.items()},
        "complaints": [complaints(settings[each["service"]], each["environment"]) for each in wanted],
    }
    json.dump(answer, sys.stdout)


def settings_of(service: str) -> type[ServiceSettings]:
    entry = importlib.import_module(f"quantmesh.{service}.__main__")
    found = [
        value
        for value in vars(entry).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == entry.__name__
    ]
    if len(found) > 1:
        sys.exit(f"{entry.__file__} has {len(found)} classes of settings, not one")
    return found[0] if found else ServiceSettings


def variables_of(settings: type[ServiceSettings]) -> dict[str, str]:
    """Targets of peers are no variable of their own."""
    return {
        f"{_PREFIX}{name}".upper(): "secret" if "SecretStr" in str(field.annotation) else "open"
        for name, field in settings.model_fields.items()
        if name != "targets"
    }


def complaints(settings: type[ServiceSettings], environment: Mapping[str, str]) -> list[str]:
    # Fields are read from the process' own environment.
    os.environ.clear()
    os.environ.update(environment)
    try:
        loaded = settings.load(environment)
    except WrongSettings as wrong:
        return str(wrong).splitlines()
    return [] if not loaded.redis_url else _unreadable(open_redis, "QUANTMESH_REDIS_URL", loaded.redis_url)


def _unreadable(open_client: Callable[[str], object], variable: str, address: str) -> list[str]:
    """Clients read their address before they connect."""
    try:
        open_client(address)
    except ValueError as error:
        return [f"{variable}: {error}"]
    return []


if __name__ == "__main__":
    main()
