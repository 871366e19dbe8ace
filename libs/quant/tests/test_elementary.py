"""The functions under every formula, in both their Python and compiled forms, against mpmath."""

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh import quant
from quantmesh.quant import _elementary, _elementary_kernels

Floats = NDArray[np.float64]
Compiled = Callable[[Floats, Floats], Floats]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    exponential, logarithm, mills = _elementary.exponential, _elementary.logarithm_of_ratio, _elementary.mills_ratio

    def evaluate(x: Any, y: Any, out: Any) -> None:
        for i in range(x.size):
            out[0, i] = exponential(x[i])
            out[1, i] = logarithm(y[i], 3.7)
            out[2, i] = mills(abs(x[i]))

    kernel: Any = numba.njit(evaluate)

    def run(x: Floats, y: Floats) -> Floats:
        out = np.empty((3, x.size))
        kernel(x, y, out)
        return out

    assert _elementary_kernels.INLINE["error_model"] == "numpy"
    return run


def test_compiled_functions_are_right_to_a_few_units_in_the_last_place(compiled: Compiled) -> None:
    generator = np.random.default_rng(1)
    x = np.concatenate([generator.uniform(-700, 700, 2000), generator.uniform(-1e-3, 1e-3, 500)])
    y = np.concatenate([10 ** generator.uniform(-300, 300, 2000), 3.7 * (1 + generator.uniform(-1e-6, 1e-6, 500))])
    powers, logarithms, tails = compiled(x, y)
    with mpmath.workdps(40):
        for i in range(0, x.size, 7):
            assert powers[i] == pytest.approx(float(mpmath.exp(mpmath.mpf(x[i]))), rel=5e-16)
            ratio = mpmath.mpf(y[i]) / mpmath.mpf(3.7)
            assert logarithms[i] == pytest.approx(float(mpmath.log(ratio)), rel=5e-16)
            z = mpmath.mpf(abs(x[i]))
            exact = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(z * z / 2) * mpmath.erfc(z / mpmath.sqrt(2))
            assert tails[i] == pytest.approx(float(exact), rel=1e-15)
            assert _elementary.mills_ratio(float(z)) == pytest.approx(float(exact), rel=1e-15)
            assert _elementary.mills_slope(float(z)) == pytest.approx(float(1 - z * exact), rel=1e-15)
            assert _elementary.logarithm_of_ratio(y[i], 3.7) == pytest.approx(float(mpmath.log(ratio)), rel=5e-16)


def test_exponential_saturates_at_both_ends(compiled: Compiled) -> None:
    ends = np.array([-1e6, -709.0, 709.5, 1e6])
    assert compiled(ends, np.ones(4))[0].tolist() == [0.0, 0.0, math.inf, math.inf]
    assert [_elementary.exponential(x) for x in ends] == [0.0, 0.0, math.inf, math.inf]


def test_importing_the_library_loads_nothing_heavy() -> None:
    program = (
        "import sys, quantmesh.quant as q; "
        "q.black_scholes.price('call', 100, 90, 1, 0, 0, 0.2); "
        "print('numba' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "False"


def test_the_code_version_names_release_and_source() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", quant.version.code_version())


@pytest.mark.parametrize("place", ["pricer.py", "exotics/pricer.py"])
def test_the_code_version_changes_with_every_module_however_deep(tmp_path: Path, place: str) -> None:
    source = tmp_path / place
    source.parent.mkdir(exist_ok=True)
    source.write_text("ANSWER = 1\n")
    before = quant.version.hash_of_sources(tmp_path)
    assert quant.version.hash_of_sources(tmp_path) == before
    source.write_text("ANSWER = 2\n")
    assert quant.version.hash_of_sources(tmp_path) != before
