"""The contract's own tests, and that the service carries what its sources compile to."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.timeout(600)
def test_the_contract_passes_its_suite_and_the_service_carries_it_as_compiled(workspace: Path, tmp_path: Path) -> None:
    # Folders of its own, so that runs side by side do not share forge's cache; in them it compiles once for both.
    folders = {"FOUNDRY_OUT": str(tmp_path / "out"), "FOUNDRY_CACHE_PATH": str(tmp_path / "cache")}
    for script in ("contracts:check", "contracts:test"):
        ran = subprocess.run(
            ["npm", "run", "--silent", script],  # noqa: S607  npm is where the machine has it
            cwd=workspace,
            env={**os.environ, **folders},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
