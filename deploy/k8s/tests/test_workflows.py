"""Workflows of GitHub Actions fit their schema, and name each action by its commit."""

import re
import subprocess
import sys
from pathlib import Path

from release import ROOT

_WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
_PINNED = re.compile(r"^\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def test_workflows_fit_their_schema_and_every_job_has_a_time_limit() -> None:
    check = Path(sys.executable).parent / "check-jsonschema"
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        done = subprocess.run(
            [check, "--builtin-schema", schema, *_WORKFLOWS], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_pinned_to_a_commit() -> None:
    used = [
        line.partition("uses: ")[2] for path in _WORKFLOWS for line in path.read_text().splitlines() if "uses: " in line
    ]
    assert used
    assert [action for action in used if not _PINNED.match(action)] == []
