"""The environment variables that a container starts with, as the kubelet would put them together."""

import base64

from objects import Container
from outside import UNKNOWN, made_by_operators
from release import Release

# What stands for a value that only the outside knows, where any word would not do.
_EXAMPLES = {
    "QUANTMESH_AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode(),
    "QUANTMESH_AUTH_SERVICE_SECRETS": "{}",
    "QUANTMESH_BLOCKCHAIN_PRIVATE_KEY": "1" * 64,
    "QUANTMESH_SENTRY_DSN": "https://key@sentry.test/1",
}


def environment_of(release: Release, container: Container) -> dict[str, str]:
    """Later sources win, and single variables over all of them. Raises KeyError where a source is missing."""
    found: dict[str, str] = {}
    for source in container.env_from:
        if source.config_map_ref:
            found |= release.config_maps()[source.config_map_ref.name].data
        if source.secret_ref and not (source.secret_ref.optional and not _exists(release, source.secret_ref.name)):
            found |= secret_values(release, source.secret_ref.name)
    for variable in container.env:
        origin = variable.value_from
        if origin is None:
            found[variable.name] = variable.value
        elif origin.secret_key_ref:
            key = origin.secret_key_ref
            if _exists(release, key.name):
                value = secret_values(release, key.name)[key.key]
                found[variable.name] = _EXAMPLES.get(variable.name, value) if value == UNKNOWN else value
            else:
                assert key.optional, f"{variable.name}: the Secret {key.name} is not there"
        elif origin.config_map_key_ref:
            found[variable.name] = release.config_maps()[origin.config_map_key_ref.name].data[
                origin.config_map_key_ref.key
            ]
        else:
            found[variable.name] = "of the pod itself"
    return found


def _exists(release: Release, name: str) -> bool:
    return name in release.secrets() or name in made_by_operators(release)


def secret_values(release: Release, name: str) -> dict[str, str]:
    """Of a Secret of the release its own, of one that an operator makes an example."""
    if secret := release.secrets().get(name):
        return {key: base64.b64decode(value).decode() for key, value in secret.data.items()} | secret.string_data
    made = made_by_operators(release)[name]
    return {key: _EXAMPLES.get(key, value) if value == UNKNOWN else value for key, value in made.items()}
