"""Kernels called from a linked library, as an image has them, against the same kernels called by Numba."""

import ctypes
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba import njit, types

DOCKER = Path(__file__).resolve().parents[2] / "deploy" / "docker"
pytestmark = pytest.mark.skipif(shutil.which("ld") is None, reason="linking needs ld: install binutils")


def scaled_sums(rows: Any, factor: Any, count: Any, sums: Any) -> Any:
    """Asks for memory of its own and answers something."""
    scratch = np.empty(rows.shape[1])
    for i in range(count):
        for j in range(scratch.size):
            scratch[j] = factor * rows[i, j]
        sums[i] = 0.0
        for j in range(scratch.size):
            sums[i] += scratch[j]
    return count


def is_rising(values: Any) -> bool:
    last = -np.inf
    for value in values:
        if not value > last:
            return False
        last = value
    return True


def add_pair(pair: Any, total: Any) -> None:
    total[:] = pair[0] + pair[1]


SIGNATURES: dict[Callable[..., Any], Callable[[Any], Any]] = {
    scaled_sums: lambda kinds: kinds.int64(
        kinds.Array(kinds.float64, 2, "C", readonly=True), kinds.float64, kinds.int64, kinds.float64[::1]
    ),
    is_rising: lambda kinds: kinds.boolean(kinds.Array(kinds.float64, 1, "C", readonly=True)),
    add_pair: lambda kinds: kinds.void(kinds.UniTuple(kinds.float64[::1], 2), kinds.float64[::1]),
}
Kernels = dict[str, Callable[..., Any]]


def module_of(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def compiled() -> Kernels:
    compiler: Any = njit
    return {f.__name__: compiler(signature(types), error_model="numpy")(f) for f, signature in SIGNATURES.items()}


@pytest.fixture(scope="module")
def ahead() -> Iterator[ModuleType]:
    yield module_of(DOCKER / "ahead" / "numba" / "__init__.py", "ahead")
    for name in [name for name in sys.modules if name.partition(".")[0] == "ahead"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def linked(compiled: Kernels, ahead: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    folder = tmp_path_factory.mktemp("kernels")
    link_kernels = module_of(DOCKER / "link_kernels.py", "link_kernels")
    for kernel in compiled.values():
        (folder / f"{link_kernels.name_of(kernel)}.o").write_bytes(link_kernels.object_of(link_kernels.alone(kernel)))
    assert link_kernels.link(folder, folder / "kernels.so") == len(SIGNATURES)
    library = ctypes.CDLL(str(folder / "kernels.so"))
    yield {f.__name__: ahead.Kernel(f, signature(ahead.types), library) for f, signature in SIGNATURES.items()}
    del sys.modules["link_kernels"]


def test_answers_and_arrays_are_those_of_numba_to_the_last_bit(compiled: Kernels, linked: Kernels) -> None:
    rows = np.random.default_rng(1).normal(size=(50, 333))
    expected, sums = np.zeros(50), np.zeros(50)
    assert linked["scaled_sums"](rows, 1.7, 49, sums) == compiled["scaled_sums"](rows, 1.7, 49, expected) == 49
    assert sums.tobytes() == expected.tobytes()
    assert sums[49] == 0.0


def test_truth_comes_back_as_truth(linked: Kernels) -> None:
    assert linked["is_rising"](np.array([1.0, 2.0, 3.0])) is True
    assert linked["is_rising"](np.array([1.0, 3.0, 2.0])) is False


def test_a_tuple_of_arrays_is_taken_apart(linked: Kernels) -> None:
    total = np.zeros(3)
    assert linked["add_pair"]((np.ones(3), np.arange(3.0)), total) is None
    assert total.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "values",
    [np.arange(3), np.arange(6.0)[::2], np.ones((1, 3)), np.arange(3.0, dtype=np.float32)],
    ids=["integers", "strided", "two dimensions", "single precision"],
)
def test_arrays_that_the_code_would_misread_are_refused(linked: Kernels, values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="the kernel takes float64 in 1 dimension"):
        linked["is_rising"](values)


def test_what_may_not_be_written_is_not(linked: Kernels) -> None:
    total = np.zeros(3)
    total.setflags(write=False)
    with pytest.raises(TypeError, match="the kernel takes"):
        linked["add_pair"]((np.ones(3), np.ones(3)), total)


def test_a_tuple_of_another_length_is_refused(linked: Kernels) -> None:
    with pytest.raises(TypeError, match="2 in a tuple, not 1"):
        linked["add_pair"]((np.ones(3),), np.zeros(3))


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ("flags\t\t: fpu sse4_2 avx avx2 bmi1 bmi2 f16c fma movbe abm aes", set()),
        ("flags\t\t: fpu sse4_2 avx f16c aes", {"abm", "avx2", "bmi1", "bmi2", "fma", "movbe"}),
        ("Features\t: fp asimd", set()),
    ],
    ids=["of the third level", "of the second", "emulated"],
)
def test_a_processor_that_the_code_would_die_on_is_named_before(
    ahead: ModuleType, flags: str, missing: set[str]
) -> None:
    assert ahead._kernels.missing_features(f"processor\t: 0\n{flags}\nprocessor\t: 1\n") == missing
