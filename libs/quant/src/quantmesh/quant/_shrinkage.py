"""Shrinkage of the sample covariance after Ledoit and Wolf. `centred` are observations less their means."""

import math

import numpy as np

from quantmesh.quant._samples import Floats

_ROOT_FIVE = math.sqrt(5.0)


def toward_constant_correlation(centred: Floats) -> Floats:
    """Honey, I shrunk the sample covariance matrix (2004), appendix B."""
    count, assets = centred.shape
    sample: Floats = centred.T @ centred / count
    deviations = np.sqrt(np.diagonal(sample))
    if assets < 2 or not np.all(deviations > 0.0):
        return sample
    correlations = sample / np.outer(deviations, deviations)
    mean_correlation = (float(correlations.sum()) - assets) / (assets * (assets - 1))
    target = mean_correlation * np.outer(deviations, deviations)
    np.fill_diagonal(target, np.diagonal(sample))
    squares = centred * centred
    spread = squares.T @ squares / count - sample * sample
    # theta[i, j] is the covariance of the errors of s_ii and s_ij.
    theta = (squares * centred).T @ centred / count - np.diagonal(sample)[:, None] * sample
    ratio = deviations[None, :] / deviations[:, None]
    crossed = ratio * theta
    np.fill_diagonal(crossed, 0.0)
    of_target = float(np.diagonal(spread).sum()) + mean_correlation * float(crossed.sum())
    distance = float(((target - sample) ** 2).sum())
    if distance == 0.0:
        return sample
    intensity = min(max((float(spread.sum()) - of_target) / distance / count, 0.0), 1.0)
    shrunk: Floats = intensity * target + (1.0 - intensity) * sample
    return shrunk


def toward_identity(centred: Floats) -> Floats:
    """A well-conditioned estimator for large-dimensional covariance matrices (2004), 3.3."""
    count, assets = centred.shape
    sample: Floats = centred.T @ centred / count
    mean_variance = float(np.trace(sample)) / assets
    target = mean_variance * np.eye(assets)
    distance = float(((sample - target) ** 2).sum())
    if distance == 0.0:
        return sample
    squares = centred * centred
    error = float((squares.T @ squares / count - sample * sample).sum()) / count
    intensity = min(error / distance, 1.0)
    shrunk: Floats = intensity * target + (1.0 - intensity) * sample
    return shrunk


def within_eigenvalues(centred: Floats) -> Floats:
    """Analytical nonlinear shrinkage of large-dimensional covariance matrices (2020), 4.7 and appendix C.

    The sample's eigenvalues have a limiting density, estimated with Epanechnikov's kernel, and its Hilbert transform.
    """
    count, assets = centred.shape[0] - 1, centred.shape[1]
    values, vectors = np.linalg.eigh(centred.T @ centred / count)
    positive = values[max(0, assets - count) :]
    positive = np.maximum(positive, 1e-14 * positive[-1])
    bandwidth = count ** (-1.0 / 3.0)
    widths = bandwidth * positive
    x = (positive[:, None] - positive) / widths
    density = 0.75 / _ROOT_FIVE * (np.maximum(1.0 - x * x / 5.0, 0.0) / widths).mean(axis=1)
    edge = np.abs(x) == _ROOT_FIVE
    logarithm = np.log(
        np.abs((_ROOT_FIVE - x) / np.where(edge, 1.0, _ROOT_FIVE + x)), where=~edge, out=np.zeros_like(x)
    )
    kernel = -0.3 / math.pi * x + 0.75 / (_ROOT_FIVE * math.pi) * (1.0 - x * x / 5.0) * logarithm
    hilbert = (kernel / widths).mean(axis=1)
    if assets <= count:
        ratio = assets / count
        scaled = math.pi * ratio * positive
        shrunk = positive / ((scaled * density) ** 2 + (1.0 - ratio - scaled * hilbert) ** 2)
    else:
        root = _ROOT_FIVE * bandwidth
        at_zero = (
            (0.3 / bandwidth**2 + 0.75 / root * (1.0 - 0.2 / bandwidth**2) * math.log((1.0 + root) / (1.0 - root)))
            * float((1.0 / positive).mean())
            / math.pi
        )
        null = 1.0 / (math.pi * (assets - count) / count * at_zero)
        shrunk = np.concatenate(
            [np.full(assets - count, null), positive / (math.pi * positive) ** 2 / (density**2 + hilbert**2)]
        )
    product = (vectors * shrunk) @ vectors.T
    symmetric: Floats = 0.5 * (product + product.T)
    return symmetric
