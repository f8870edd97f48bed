"""A log density in the coordinates of a Gaussian, and its expected Hessian there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily, scales_of

Target = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Points of shape (n, d) → log densities and gradients."""

HESSIAN_STEP = 1e-4
"""Of central differences of gradients, in sds; longer near the resolution of floats."""


def whitened_target(target: Target, family: ScaleFamily, gaussian: Gaussian) -> Target:
    """The log density of x = m + C z as a function of z."""

    def density(z: FloatArray) -> tuple[FloatArray, FloatArray]:
        values, gradients = target(gaussian.mean + family.spread(gaussian.root, z))
        return values, family.pull(gaussian.root, gradients)

    return density


def resolution(gaussian: Gaussian) -> float:
    """The spacing of float64 numbers at the means, in standard deviations: the largest of the coordinates."""
    return float(np.max(np.spacing(abs(gaussian.mean)) / scales_of(gaussian)))


def expected_hessian(
    target: Target,
    family: ScaleFamily,
    reference: Gaussian,
    centres: FloatArray,
    symmetric: bool = True,
    ratios: FloatArray | None = None,
) -> FloatArray | None:
    """Mean of −∇² log p at the whitened points `centres`, by differences of gradients; whitened too.

    Before it is made symmetric its asymmetry is its error.
    """
    d = len(reference.mean)
    # The error of the difference is of the order of step², that of rounding of resolution / step.
    step = max(HESSIAN_STEP, float(np.cbrt(resolution(reference))))
    offsets = step * np.concatenate([np.eye(d), -np.eye(d)])
    points = (centres[:, None, :] + offsets).reshape(-1, d)
    _, gradients = whitened_target(target, family, reference)(points)
    pulled = gradients.reshape(len(centres), 2, d, d)
    with np.errstate(invalid="ignore"):  # gradients far out may be infinite, and are left out
        hessians = (pulled[:, 1] - pulled[:, 0]) / (2.0 * step)
    finite = np.isfinite(hessians).all(axis=(1, 2))
    if not finite.any():
        return None
    hessian: FloatArray = np.average(
        hessians[finite], axis=0, weights=ratios_or_ones(centres, ratios)[finite]
    )
    return 0.5 * (hessian + hessian.T) if symmetric else hessian


def positive_eigen(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvectors, and the square roots of the eigenvalues' sizes, none smaller than 10⁻⁵ of the largest."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.abs(values))
    largest = float(roots.max())
    return vectors, np.maximum(roots, 1e-5 * largest if largest > 0.0 else 1.0)


def ratios_or_ones(draws: FloatArray, ratios: FloatArray | None) -> FloatArray:
    """The weights of draws, whose mean is 1: those that are given, else all equal."""
    return np.ones(len(draws)) if ratios is None else ratios
