#!/opt/quantmesh/bin/python -I
"""The image's command: `service`, `service worker`, `service migrate`."""

import os
import sys

command = [sys.executable, "-m", f"quantmesh.{os.environ['QUANTMESH_SERVICE']}", *sys.argv[1:]]
os.execv(sys.executable, command)  # noqa: S606 - the image has no shell
