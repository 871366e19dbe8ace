"""Every mutant still says what it is, applies to the tree, and names tests that exist; `make mutants` runs them."""

import ast
import re
from pathlib import Path

import mutants
import pytest

ROOT, PATCHES = mutants.ROOT, sorted(mutants.PATCHES.glob("*.patch"))
PAGE = ROOT / "docs/protections.md"


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_mutant_applies_and_names_tests_that_exist(patch: Path) -> None:
    mutant = mutants.read(patch)
    assert mutants.apply(mutant, ROOT, "--check"), "the patch no longer applies: make it anew for what is there now"
    for test in mutant.tests:
        path, _, name = test.partition("::")
        defined = {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in defined, f"{path} has no test {name}"


def test_a_mutant_is_noticed_by_each_of_its_tests_or_not_well(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_one():\n    assert False\n\n\ndef test_other():\n    pass\n")
    one, other = "test_two.py::test_one", "test_two.py::test_other"
    assert mutants.run_tests(tmp_path, [one]) == "red"
    assert mutants.run_tests(tmp_path, [one, other]) == "not noticed by test_other"


def test_protections_are_named_once() -> None:
    protections = [mutants.read(patch).protection for patch in PATCHES]
    assert len(protections) >= 25
    assert len(set(protections)) == len(protections)


def test_each_promise_and_fault_of_the_page_has_its_tests_and_mutants() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines() if "`" in line]
    named: set[str] = set()
    for promise, *cells in (row for row in rows if len(row) == 3):
        tests, taken_out = (set(re.findall("`([^`]+)`", cell)) for cell in cells)
        assert tests, f"{promise}: no test shows it"
        assert taken_out, f"{promise}: no mutant takes it out"
        missing = sorted(test for test in tests if not (ROOT / test).is_file())
        assert not missing, f"{promise}: {missing} are not there"
        named |= taken_out
    assert named == {patch.stem for patch in PATCHES}
