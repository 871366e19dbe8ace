"""Each distribution declares what its sources import, and nothing of ours that they do not.

What a distribution of ours declares counts for those that build on it: the chassis brings the stack of every service.
A service then starts from its own dependencies alone, as it does in its image.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Distribution:
    folder: Path
    name: str
    declared: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> "Distribution":
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        requirements = [*project["dependencies"], *(each for extra in extras for each in extra)]
        names = (match.group() for each in requirements if (match := _NAME.match(each)))
        return cls(path.parent, project["name"], frozenset(_canonical(name) for name in names))


def main() -> int:
    found = [Distribution.read(path) for path in sorted(ROOT.glob("*/*/pyproject.toml"))]
    ours = {each.name: each for each in found}
    problems = [line for each in found for line in _problems(each, ours)]
    for line in problems:
        sys.stdout.write(f"{line}\n")
    return 1 if problems else 0


def _problems(distribution: Distribution, ours: dict[str, Distribution]) -> Iterator[str]:
    available = _available(distribution, ours)
    imported: set[str] = set()
    providers = packages_distributions()
    for source in sorted((distribution.folder / "src").rglob("*.py")):
        for module, line in _imports(source):
            needed = _distributions(module, providers)
            imported |= needed
            if needed and not needed & available:
                where = f"{source.relative_to(ROOT)}:{line}"
                yield f"{where}: imports {module}; {distribution.name} does not declare {' or '.join(sorted(needed))}"
    for name in sorted(distribution.declared & ours.keys() - imported):
        yield f"{distribution.folder.relative_to(ROOT)}/pyproject.toml: declares {name}, which nothing imports"


def _available(distribution: Distribution, ours: dict[str, Distribution]) -> set[str]:
    names = {distribution.name, *distribution.declared}
    for name in distribution.declared & ours.keys():
        names |= _available(ours[name], ours)
    return names


def _imports(source: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno


def _distributions(module: str, providers: Mapping[str, list[str]]) -> set[str]:
    """The distributions that bring a module, any of which will do; none for the standard library."""
    top, _, rest = module.partition(".")
    if top == "quantmesh":
        return {f"quantmesh-{rest.split('.')[0]}"}
    if top in sys.stdlib_module_names:
        return set()
    return {_canonical(name) for name in providers.get(top, [top])}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
