"""Pin every third-party dependency of every distribution, with its hashes, for every platform, in requirements.lock."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """All in one lock: what runs together in one virtual environment is resolved together."""
    wanted: set[str] = set()
    for path in (*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        wanted.update(project["dependencies"])
        for extra in project.get("optional-dependencies", {}).values():
            wanted.update(extra)
    wanted.update(line for line in (ROOT / "requirements-dev.in").read_text().splitlines() if line[:1].isalpha())
    ours = {name for name in wanted if name.startswith("quantmesh-")}
    command = [
        *(str(Path(sys.executable).parent / "uv"), "pip", "compile", "-"),
        *("--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--output-file", str(ROOT / "requirements.lock")),
        *sys.argv[1:],
    ]
    return subprocess.run(command, input="\n".join(sorted(wanted - ours)), text=True, cwd=ROOT, check=False).returncode  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
