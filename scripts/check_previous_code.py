"""Runs the code of an earlier revision on today's schemas: `python scripts/check_previous_code.py [REVISION]`.

While a release goes out, the schema is new and pods of the release before still serve. Services whose migrations have
changed since the revision, by default the commit before, run the integration tests that they had in it, on databases
that today's migrations made. This file is also the plugin of pytest that makes those databases.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MIGRATION = re.compile(r"services/(\w+)/src/quantmesh/\w+/migrations/versions/")
# Numerics have no schema, and their kernels would be compiled anew at another place.
_AS_TODAY = ("quant",)
_MIGRATE = """
import sys
from quantmesh.chassis.migration import run_migrations
run_migrations(*sys.argv[1:])
"""


def main() -> int:
    revision = sys.argv[1] if len(sys.argv) > 1 else "HEAD^"
    if _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False).returncode:
        if len(sys.argv) > 1:
            sys.exit(f"there is no revision {revision} here")
        sys.stdout.write(f"skipped: this clone has no {revision}; git fetch --deepen=1 gets the commit before\n")
        return 0
    changed = _git("diff", "--name-only", revision, "--", "services").stdout.decode().splitlines()
    services = sorted({match[1] for path in changed if (match := _MIGRATION.match(path))})
    if not services:
        sys.stdout.write(f"no schema has changed since {revision}\n")
        return 0
    sys.stdout.write(f"{', '.join(services)}: the code of {revision} on today's schema\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="quantmesh-") as folder:
        tree = Path(folder)
        # Postgres runs as another user where this is root.
        tree.chmod(0o711)
        with zipfile.ZipFile(io.BytesIO(_git("archive", "--format=zip", revision).stdout)) as archive:
            archive.extractall(tree)
        (tree / "node_modules").symlink_to(ROOT / "node_modules")
        return _run_tests(tree, [f"services/{service}/tests/integration" for service in services])


def _run_tests(tree: Path, tests: list[str]) -> int:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([*_sources(tree), str(ROOT / "scripts")])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "check_previous_code", *tests]
    return subprocess.run(command, cwd=tree, env=environ, check=False).returncode  # noqa: S603  our own command


def pytest_configure() -> None:
    from quantmesh.local.testing import databases

    by_then = vars(databases)["run_migrations"]

    def run_migrations(service: str, url: str, migrations: Path | None = None) -> None:
        if migrations is not None:
            by_then(service, url, migrations)
            return
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(_sources(ROOT))}
        command = [sys.executable, "-c", _MIGRATE, service, url]
        subprocess.run(command, env=environ, check=True)  # noqa: S603  our own command

    vars(databases)["run_migrations"] = run_migrations


def _sources(tree: Path) -> list[str]:
    """In front of the installed packages."""
    return [str(path) for path in sorted(tree.glob("*/*/src")) if path.parent.name not in _AS_TODAY]


def _git(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=check)  # noqa: S603, S607


if __name__ == "__main__":
    sys.exit(main())
