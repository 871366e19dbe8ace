"""The contract's own tests, and that the service carries what its sources compile to."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def npm_environment(tmp_path: Path) -> dict[str, str]:
    """Folders of its own, so that runs side by side do not share forge's cache."""
    return {**os.environ, "FOUNDRY_OUT": str(tmp_path / "out"), "FOUNDRY_CACHE_PATH": str(tmp_path / "cache")}


@pytest.mark.parametrize("script", ["contracts:test", "contracts:check"])
def test_contracts(workspace: Path, npm_environment: dict[str, str], script: str) -> None:
    ran = subprocess.run(
        ["npm", "run", "--silent", script],  # noqa: S607  npm is where the machine has it
        cwd=workspace,
        env=npm_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
