"""Pin every third-party dependency, with its hashes, for every platform: of every distribution in requirements.lock, of
what proves the charts in a lock of its own."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART_TESTS = ROOT / "deploy" / "k8s" / "tests"


def main() -> int:
    """All distributions in one lock: what runs together in one virtual environment is resolved together."""
    wanted: set[str] = set()
    for path in (*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        wanted.update(project["dependencies"])
        for extra in project.get("optional-dependencies", {}).values():
            wanted.update(extra)
    wanted |= named_in(ROOT / "requirements-dev.in")
    ours = {name for name in wanted if name.startswith("quantmesh-")}
    return pin(wanted - ours, ROOT / "requirements.lock") or pin(
        named_in(CHART_TESTS / "requirements.in"), CHART_TESTS / "requirements.lock"
    )


def named_in(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if line[:1].isalpha()}


def pin(wanted: set[str], lock: Path) -> int:
    command = [
        *(str(Path(sys.executable).parent / "uv"), "pip", "compile", "-"),
        *("--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--output-file", str(lock)),
        *sys.argv[1:],
    ]
    return subprocess.run(command, input="\n".join(sorted(wanted)), text=True, cwd=ROOT, check=False).returncode  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
