"""Numba's cache as images use it: compiled into one folder, copied to a writable one at the start of a container."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KERNEL = """
from numba import njit, types

twice = njit(types.float64(types.float64), cache=True)(lambda x: 2.0 * x)
"""
PROGRAM = """
import kernel
print(sum(kernel.twice.stats.cache_hits.values()), sum(kernel.twice.stats.cache_misses.values()))
"""
CPU = "x86-64-v3"


def hits_and_misses(source: Path, cache: Path, cpu: str = CPU) -> tuple[int, int]:
    """Of a process that loads the kernel."""
    environ = os.environ | {
        "PYTHONPATH": str(source),
        "NUMBA_CACHE_DIR": str(cache),
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": "",
    }
    command = [sys.executable, "-c", PROGRAM]
    hits, misses = subprocess.run(command, env=environ, capture_output=True, check=True, text=True).stdout.split()
    return int(hits), int(misses)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    (folder / "kernel.py").write_text(KERNEL)
    return folder


@pytest.fixture(scope="module")
def compiled(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    assert hits_and_misses(source, folder) == (0, 1)
    return folder


@pytest.fixture
def copied(compiled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(compiled, tmp_path / "copied")


def test_a_kernel_is_read_from_where_the_cache_was_copied_to_whatever_the_times(source: Path, copied: Path) -> None:
    # The layers of an image round them.
    os.utime(source / "kernel.py", (1, 1))
    files = {path: path.read_bytes() for path in copied.rglob("*.nb?")}
    assert hits_and_misses(source, copied) == (1, 0)
    assert {path: path.read_bytes() for path in copied.rglob("*.nb?")} == files != {}


def test_a_kernel_is_compiled_again_for_a_cpu_that_the_cache_was_not_made_for(source: Path, copied: Path) -> None:
    assert hits_and_misses(source, copied, cpu="x86-64-v2") == (0, 1)
