"""Confidence intervals of estimates whose errors have Student's distribution."""

from quantmesh.quant.errors import DomainError


def check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise DomainError("confidence", confidence, "between 0 and 1")


def half_width(degrees_of_freedom: int, confidence: float) -> float:
    """Of a two-sided interval, in standard errors."""
    # SciPy takes a while to import: on first use.
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, 0.5 + 0.5 * confidence))
