"""What is secret lies in Secrets and nowhere else."""

import json

from environment import secret_values
from release import Release
from test_settings import started

# Shorter values are names and addresses.
_SECRET_LENGTH = 16


def test_no_secret_is_written_into_another_object(release: Release) -> None:
    passwords = {
        value
        for name in release.secrets()
        for key, value in secret_values(release, name).items()
        if len(value) >= _SECRET_LENGTH and not key.lower().endswith(("username", "email"))
    }
    written = {str(m): json.dumps(m.content) for m in release.manifests if m.kind != "Secret"}
    assert [name for name, text in written.items() if any(password in text for password in passwords)] == []


def test_settings_that_are_secret_come_from_secrets(release: Release) -> None:
    secret_names = {name for each in started() for name in each.secret}
    assert secret_names
    open_names = {key for each in release.config_maps().values() for key in each.data}
    plain_names = {v.name for w in release.workloads() for c in w.pod.all_containers for v in c.env if v.value}
    assert secret_names & (open_names | plain_names) == set()
