"""What an upgrade is gated by says no where it could not look."""

import subprocess
import sys
from pathlib import Path


def test_a_revision_that_is_not_there_is_no_success(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/check_previous_code.py", "v0.0.0-nowhere"],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "there is no revision v0.0.0-nowhere here\n")
