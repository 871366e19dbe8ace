"""Takes each protection out by a small patch, runs the tests that are named for it, and demands that each fails.

`tests/mutants/<name>.patch` begins with the protection and its tests (`protection:` and `test:` lines), then comes the
diff, which is applied to a copy of the tree. `python scripts/mutants.py [NAME ...]` runs some of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests/mutants"
# Compiled kernels stay where they are: no mutant is of the numerics.
_LEFT_OUT = ("__pycache__", ".pytest_cache", "node_modules", "quant")
_COPIED = ("libs", "services", "tests", "conftest.py", "pyproject.toml")
_SECONDS = 180
_SECONDS_OF_ALL = 1_800
_TOLD_LINES = 15
_RED, _GREEN = "red", "green"


@dataclass(frozen=True)
class Mutant:
    name: str
    protection: str
    tests: tuple[str, ...]
    diff: str


@dataclass(frozen=True)
class Outcome:
    """`verdict` is "red" where the tests noticed; anything else is not well."""

    mutant: Mutant
    verdict: str
    seconds: float


def read(patch: Path) -> Mutant:
    head, separator, _ = patch.read_text().partition("\n--- ")
    fields = [line.partition(": ") for line in head.splitlines() if line]
    protections = [value for key, _, value in fields if key == "protection"]
    tests = tuple(value for key, _, value in fields if key == "test")
    if not separator or len(protections) != 1 or not tests or len(fields) != 1 + len(tests):
        raise ValueError(f"{patch.name}: begins with one `protection:` line and `test:` lines, then comes the diff")
    return Mutant(patch.stem, protections[0], tests, patch.read_text()[len(head) + 1 :])


def apply(mutant: Mutant, tree: Path, *options: str) -> bool:
    """Whether the patch applies; `--check` only tries, `--reverse` takes it back."""
    # Outside any repository, whose index has nothing to say here.
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    command = ["git", "apply", "--no-index", *options, "-"]
    done = subprocess.run(  # noqa: S603  our own command
        command, cwd=tree, env=environ, input=mutant.diff, text=True, capture_output=True, check=False
    )
    return done.returncode == 0


def copy_tree(into: Path) -> None:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copy2(source, into / name)


def run_tests(tree: Path, tests: Sequence[str], seconds: int = _SECONDS) -> str:
    """ "red" where each of the tests failed, "green" where all passed; else what went wrong."""
    sources = [str(source) for source in sorted([*tree.glob("libs/*/src"), *tree.glob("services/*/src")])]
    environ = {
        **os.environ,
        # In front of the installed packages, which are the tree that was copied.
        "PYTHONPATH": os.pathsep.join(sources),
        # A patch changes a file within the second that compiled modules are dated by.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    # Plain tracebacks: for prettier ones sources are parsed, where Python 3.11 can fail ("AST constructor recursion").
    command = [sys.executable, "-m", "pytest", "-q", "--tb=native", "-p", "no:xdist", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(  # noqa: S603  our own command
            [*command, f"--junitxml={report}", *tests],
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"hung for {seconds} s"
    did_not_run = "\n".join(["the tests did not run", *done.stdout.splitlines()[-_TOLD_LINES:]])
    if not report.exists():
        return did_not_run
    root = ET.parse(report).getroot()  # noqa: S314  pytest wrote it just now
    suite = root.find("testsuite")
    counts = {} if suite is None else suite.attrib
    if int(counts.get("errors", 0)) or not int(counts.get("tests", 0)):
        return did_not_run
    if int(counts.get("skipped", 0)):
        return "tests were skipped"
    # By its function, whatever the parameters with which it does.
    failed = {
        case.attrib["name"].partition("[")[0] for case in root.iter("testcase") if case.find("failure") is not None
    }
    missed = sorted({test.rpartition("::")[2] for test in tests} - failed)
    if not failed:
        return _GREEN
    return f"not noticed by {', '.join(missed)}" if missed else _RED


def try_out(mutant: Mutant, tree: Path) -> str:
    if not apply(mutant, tree):
        return "the patch no longer applies"
    try:
        verdict = run_tests(tree, mutant.tests)
    finally:
        apply(mutant, tree, "--reverse")
    return "survived: the tests passed" if verdict == _GREEN else verdict


def main() -> int:
    known = {patch.stem: read(patch) for patch in sorted(PATCHES.glob("*.patch"))}
    unknown = set(sys.argv[1:]) - set(known)
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    mutants = [known[name] for name in sys.argv[1:] or known]
    width = max(len(mutant.name) for mutant in mutants)
    with tempfile.TemporaryDirectory(prefix="quantmesh-mutants-") as folder:
        tree = Path(folder).resolve()
        tree.chmod(0o755)
        copy_tree(tree)
        print(f"without any mutant: the tests of {len(mutants)}", end=" ", flush=True)
        before = run_tests(tree, sorted({test for mutant in mutants for test in mutant.tests}), _SECONDS_OF_ALL)
        print(before, flush=True)
        if before != _GREEN:
            return 1
        outcomes = []
        for number, mutant in enumerate(mutants, 1):
            print(f"[{number:2d}/{len(mutants)}] {mutant.name:{width}}", end="  ", flush=True)
            began = time.monotonic()
            outcomes.append(Outcome(mutant, try_out(mutant, tree), time.monotonic() - began))
            print(f"{outcomes[-1].verdict} ({outcomes[-1].seconds:.1f} s)", flush=True)
    print()
    for outcome in outcomes:
        print(f"{outcome.mutant.name:{width}}  {outcome.verdict:12}  {outcome.mutant.protection}")
    missed = [outcome.mutant.name for outcome in outcomes if outcome.verdict != _RED]
    print(f"\n{len(outcomes) - len(missed)} of {len(outcomes)} protections are watched by their tests")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
