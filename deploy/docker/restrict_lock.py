"""Of a lock with hashes, the entries of the packages whose names are on standard input, `name==version` or bare."""

import re
import sys
from pathlib import Path

_NAME = re.compile(r"^([a-z0-9][a-z0-9._-]*)")


def entries(lock: str) -> dict[str, list[str]]:
    """Each package's pins with their hashes, by name; several where the version depends on the platform."""
    found: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", lock):
        if name := _NAME.match(entry):
            found.setdefault(name[1], []).append(entry.rstrip())
    return found


def main() -> int:
    locked = entries(Path(sys.argv[1]).read_text())
    wanted = {name[1] for line in sys.stdin if (name := _NAME.match(line))}
    ours = {name for name in wanted if name.startswith("quantmesh-")}
    if missing := wanted - ours - locked.keys():
        sys.stderr.write(f"not in the lock: {', '.join(sorted(missing))}\n")
        return 1
    sys.stdout.writelines(f"{pin}\n" for name in sorted(wanted - ours) for pin in locked[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
