"""The normal distribution of the revaluation against mpmath."""

import mpmath
import pytest

from quantmesh.quant import _revaluation_formulas as formulas


@pytest.mark.parametrize("d", [0.0, 0.3, -1.0, 2.5, -4.0, 6.5, 8.9, -12.0, 40.0])
def test_the_normal_tail_has_its_absolute_accuracy(d: float) -> None:
    with mpmath.workdps(40):
        assert formulas.density(d) * formulas.tail_ratio(d) == pytest.approx(float(mpmath.ncdf(-abs(d))), abs=2e-16)
        assert formulas.density(d) == pytest.approx(float(mpmath.npdf(d)), rel=4e-15, abs=1e-307)
