"""Each service starts alone: with its own distribution, those of ours that it declares, and what all of them declare.

Every service gets a virtual environment with nothing else, built from uv's cache by hard links, and imports each of its
modules there. One is also started, with no server within reach: it must live, and say what it waits for.
"""

import os
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from quantmesh.local.network import LOOPBACK, free_port, http_status

ROOT = Path(__file__).resolve().parent.parent
STARTED = "portfolio"
_START_SECONDS = 30.0
# Alembic runs these, and they migrate as they are imported.
_NOT_IMPORTED = "migrations"
_IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@dataclass(frozen=True)
class Distribution:
    folder: Path
    dependencies: tuple[str, ...]
    extras: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> "Distribution":
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        return cls(folder, tuple(project["dependencies"]), tuple(project.get("optional-dependencies", {})))

    @property
    def requirement(self) -> str:
        return f"{self.folder}[{','.join(self.extras)}]" if self.extras else str(self.folder)

    @property
    def modules(self) -> list[str]:
        source = self.folder / "src"
        found = sorted(path.relative_to(source).with_suffix("") for path in source.rglob("*.py"))
        names = [path.parent if path.name == "__init__" else path for path in found if _NOT_IMPORTED not in path.parts]
        return [".".join(path.parts) for path in names]


def main() -> int:
    began = time.monotonic()
    services = [Distribution.read(path.parent) for path in sorted(ROOT.glob("services/*/pyproject.toml"))]
    # Beside the packages installed here, where uv's hard links reach.
    with tempfile.TemporaryDirectory(prefix="alone-", dir=sys.prefix) as folder, ThreadPoolExecutor(2) as pool:
        problems = [each for each in pool.map(lambda service: check(service, Path(folder)), services) if each]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{len(services) - len(problems)} services start alone ({time.monotonic() - began:.0f} s)\n")
    return 1 if problems else 0


def check(service: Distribution, folder: Path) -> str:
    """What is wrong, empty where nothing is."""
    name = service.folder.name
    python = _environment(service, folder / name)
    command = [str(python), "-c", _IMPORT_ALL, *service.modules]
    imported = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if imported.returncode:
        return f"{name} alone cannot be imported:\n{imported.stderr[-2000:]}"
    return _start(service, python) if name == STARTED else ""


def _environment(service: Distribution, folder: Path) -> Path:
    """Its interpreter."""
    uv = str(Path(sys.executable).with_name("uv"))
    python = folder / "bin" / "python"
    _run(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder))
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--link-mode", "hardlink"]
    install += ["--constraint", str(ROOT / "requirements.lock")]
    for part in _with_libraries(service):
        install += ["--editable", part.requirement]
    try:
        _run(*install, "--offline")
    except subprocess.CalledProcessError:
        # Something is not in the cache.
        _run(*install)
    return python


def _with_libraries(distribution: Distribution) -> list[Distribution]:
    found = [distribution]
    for part in found:
        for dependency in part.dependencies:
            name, _, extras = dependency.removesuffix("]").partition("[")
            library = ROOT / "libs" / name.removeprefix("quantmesh-")
            if name.startswith("quantmesh-") and all(library != each.folder for each in found):
                found.append(replace(Distribution.read(library), extras=tuple(filter(None, extras.split(",")))))
    return found


def _start(service: Distribution, python: Path) -> str:
    name = service.folder.name
    ops_port, nobody = free_port(), f"{LOOPBACK}:{free_port()}"
    peers = tomllib.loads((service.folder / "pyproject.toml").read_text())["tool"]["quantmesh"]["peers"]
    environ = {
        "PATH": os.environ["PATH"],
        "QUANTMESH_DATABASE_URL": f"postgresql://nobody:nothing@{nobody}/quantmesh",
        "QUANTMESH_NATS_URL": f"nats://{nobody}",
        "QUANTMESH_REDIS_URL": f"redis://{nobody}",
        "QUANTMESH_GRPC_BIND": f"{LOOPBACK}:{free_port()}",
        "QUANTMESH_OPS_BIND": f"{LOOPBACK}:{ops_port}",
        **{f"QUANTMESH_{peer.upper()}_TARGET": nobody for peer in peers},
    }
    command = [str(python), "-m", f"quantmesh.{name}"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while (alive := http_status(ops_port, "/healthz")) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        ready = http_status(ops_port, "/readyz")
        process.terminate()
        output, _ = process.communicate(timeout=_START_SECONDS)
    finally:
        process.kill()
    if (alive, ready, process.returncode) == (200, 503, 0):
        return ""
    return f"{name} alone: health {alive}, readiness {ready} with no server, exit {process.returncode}:\n{output}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stderr=subprocess.PIPE)  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
