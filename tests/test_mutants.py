"""Every mutant still says what it is, applies to the tree, and names tests that exist; `make mutants` runs them."""

import ast
from pathlib import Path

import mutants
import pytest

ROOT, PATCHES = mutants.ROOT, sorted(mutants.PATCHES.glob("*.patch"))


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


def test_protections_are_named_once() -> None:
    protections = [mutants.read(patch).protection for patch in PATCHES]
    assert len(protections) >= 25
    assert len(set(protections)) == len(protections)
