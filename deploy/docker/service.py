#!/opt/quantmesh/bin/python -I
"""The image's command: `service`, `service worker`, `service migrate`."""

import os
import shutil
import sys
from pathlib import Path

compiled, writable = Path("/opt/kernels"), Path(os.environ["NUMBA_CACHE_DIR"])
# Numba must be able to write where it reads, and the root is read-only. Half a copy would be taken for a whole one.
if sys.argv[1:] != ["migrate"] and not writable.exists():
    unfinished = writable.with_suffix(".unfinished")
    shutil.copytree(compiled, unfinished, dirs_exist_ok=True)
    unfinished.rename(writable)
command = [sys.executable, "-m", f"quantmesh.{os.environ['QUANTMESH_SERVICE']}", *sys.argv[1:]]
os.execv(sys.executable, command)  # noqa: S606 - the image has no shell
