"""Real servers for tests; the fixtures are in `plugin`, which the workspace's conftest.py loads."""

from quantmesh.local.testing.databases import ServiceDatabase
from quantmesh.local.testing.plugin import NewDatabase
from quantmesh.local.testing.running import RunningServer

__all__ = ["NewDatabase", "RunningServer", "ServiceDatabase"]
