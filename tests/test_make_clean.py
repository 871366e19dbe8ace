"""`make clean` stops the mesh wherever it keeps its state, before it removes what the mesh runs on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = """\
#!/bin/sh
echo "$@" >> asked
"""


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_the_mesh_is_stopped_first(workspace: Path, tmp_path: Path, folder: str | None) -> None:
    shutil.copy(workspace / "Makefile", tmp_path)
    for name in ("protos", "libs", "services", "scripts", "tests", ".venv/bin", folder or ".quantmesh"):
        (tmp_path / name).mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name != "QUANTMESH_STATE_FOLDER"}
    if folder is not None:
        environ["QUANTMESH_STATE_FOLDER"] = folder
    subprocess.run(["make", "clean"], cwd=tmp_path, env=environ, check=True, capture_output=True)  # noqa: S607
    assert (tmp_path / "asked").read_text() == "-m quantmesh.local clean\n"
    assert not (tmp_path / ".venv").exists()
