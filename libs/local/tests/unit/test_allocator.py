"""Memory that an answer frees serves the next one."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from quantmesh.local import allocator

# Answers of seven blocks of 4 MiB each; how many pages the kernel had to map for the third.
ANSWERS = """
import resource

def faults_of_an_answer() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(4 * 2**20) for _ in range(7)]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults_of_an_answer(), faults_of_an_answer()
print(faults_of_an_answer())
"""
PAGES = 7 * 4 * 2**20 // os.sysconf("SC_PAGE_SIZE")


def faults(told: Mapping[str, str]) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", ANSWERS]
    return int(subprocess.run(command, env={**environment, **told}, stdout=subprocess.PIPE, check=True).stdout)


@pytest.mark.parametrize("told", [allocator.OF_SERVICES, allocator.OF_POSTGRES])
def test_what_an_answer_freed_is_not_mapped_again_for_the_next(told: Mapping[str, str]) -> None:
    assert faults(told) < PAGES / 100
    # By glibc's own rules most of it is.
    assert faults({}) > PAGES / 2
