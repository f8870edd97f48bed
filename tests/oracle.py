"""The judge: divergences and entropies of Gaussians in 60 digits, from the exact float64 inputs.

The textbook formulas are used on purpose: 60 digits can afford their cancellation, and they share nothing
with the library's own form. `test_oracle.py` checks them against quadrature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

mpmath.mp.dps = 60

Vector = list[mpmath.mpf]
Matrix = list[Vector]


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian given by its mean and the lower Cholesky factor of its covariance."""

    mean: Vector
    factor: Matrix


def vector(values: Any) -> Vector:
    return [mpmath.mpf(float(value)) for value in values]


def matrix(values: Any) -> Matrix:
    return [vector(row) for row in values]


def from_covariance(mean: Any, covariance: Any) -> Gaussian:
    return Gaussian(vector(mean), _cholesky(matrix(covariance)))


def from_factor(mean: Any, factor: Any) -> Gaussian:
    return Gaussian(vector(mean), matrix(factor))


def from_precision(mean: Any, precision: Any) -> Gaussian:
    """P = UUᵀ with U upper triangular, whose inverse is the transpose of Σ's lower factor."""
    reversed_rows = [row[::-1] for row in matrix(precision)[::-1]]
    upper = [row[::-1] for row in _cholesky(reversed_rows)[::-1]]
    lower = _transpose(upper)
    return Gaussian(vector(mean), _solve_lower(lower, _identity(len(lower))))


def from_regressions(mean: Any, coefficients: Any, scales: Any) -> Gaussian:
    """xₜ = Σₖ φₖ(t) xₜ₋ₖ + σ(t) εₜ: the factor's rows are combinations of those before them."""
    factor: Matrix = []
    for t, (row, scale) in enumerate(zip(matrix(coefficients), vector(scales), strict=True)):
        before = list(zip(row, reversed(factor), strict=False))
        own = [mpmath.fsum(phi * earlier[i] for phi, earlier in before) for i in range(len(scales))]
        own[t] += scale
        factor.append(own)
    return Gaussian(vector(mean), factor)


def from_band(mean: Any, band: Any) -> Gaussian:
    """Of the upper diagonals of a precision matrix."""
    rows = matrix(band)
    size, above = len(rows[0]), len(rows) - 1
    full = _diagonal(rows[above])
    for k in range(1, above + 1):
        for j in range(k, size):
            full[j - k][j] = full[j][j - k] = rows[above - k][j]
    return from_precision(mean, full)


def from_eigendecomposition(mean: Any, eigenvalues: Any, eigenvectors: Any) -> Gaussian:
    values, vectors = vector(eigenvalues), matrix(eigenvectors)
    scaled = [[w * x for w, x in zip(values, row, strict=True)] for row in vectors]
    covariance = [[mpmath.fdot(left, right) for right in vectors] for left in scaled]
    return Gaussian(vector(mean), _cholesky(covariance))


def from_low_rank(mean: Any, diagonal: Any, factor: Any) -> Gaussian:
    rows = matrix(factor)
    covariance = [[mpmath.fdot(left, right) for right in rows] for left in rows]
    for i, variance in enumerate(vector(diagonal)):
        covariance[i][i] += variance
    return Gaussian(vector(mean), _cholesky(covariance))


def from_variances(mean: Any, variances: Any) -> Gaussian:
    return Gaussian(vector(mean), _diagonal([mpmath.sqrt(v) for v in vector(variances)]))


def from_scales(mean: Any, scales: Any) -> Gaussian:
    return Gaussian(vector(mean), _diagonal(vector(scales)))


def joined(parts: Sequence[Gaussian]) -> Gaussian:
    """Independent groups of variables, one after another."""
    mean = [value for part in parts for value in part.mean]
    factor = [[mpmath.mpf(0)] * len(mean) for _ in mean]
    start = 0
    for part in parts:
        for i, row in enumerate(part.factor):
            factor[start + i][start : start + len(row)] = row
        start += len(part.mean)
    return Gaussian(mean, factor)


def kl(p: Gaussian, q: Gaussian) -> mpmath.mpf:
    """½ [tr(Σq⁻¹Σp) + (μp − μq)ᵀ Σq⁻¹ (μp − μq) − d + ln|Σq| − ln|Σp|]."""
    return cross_entropy(p, q) - entropy(p)


def cross_entropy(p: Gaussian, q: Gaussian) -> mpmath.mpf:
    """−E_p[ln q] = ½ [d ln 2π + ln|Σq| + tr(Σq⁻¹Σp) + (μp − μq)ᵀ Σq⁻¹ (μp − μq)]."""
    whitened = _solve_lower(q.factor, p.factor)
    gap = [[a - b] for a, b in zip(p.mean, q.mean, strict=True)]
    quadratic = mpmath.fsum((row[0] for row in _solve_lower(q.factor, gap)), squared=True)
    trace = mpmath.fsum((value for row in whitened for value in row), squared=True)
    return (len(p.mean) * mpmath.log(2 * mpmath.pi) + log_det(q) + trace + quadratic) / 2


def entropy(p: Gaussian) -> mpmath.mpf:
    return (len(p.mean) * (1 + mpmath.log(2 * mpmath.pi)) + log_det(p)) / 2


def log_det(p: Gaussian) -> mpmath.mpf:
    return 2 * mpmath.fsum(mpmath.log(row[i]) for i, row in enumerate(p.factor))


def relative_error(value: Any, exact: mpmath.mpf) -> float:
    return float(abs(mpmath.mpf(float(value)) - exact) / abs(exact))


def _identity(size: int) -> Matrix:
    return _diagonal([mpmath.mpf(1)] * size)


def _diagonal(values: Vector) -> Matrix:
    return [[x if i == j else mpmath.mpf(0) for j in range(len(values))] for i, x in enumerate(values)]


def _transpose(rows: Matrix) -> Matrix:
    return [list(column) for column in zip(*rows, strict=True)]


def _cholesky(rows: Matrix) -> Matrix:
    factor = _diagonal([mpmath.mpf(0)] * len(rows))
    for i, row in enumerate(rows):
        for j in range(i):
            factor[i][j] = (row[j] - mpmath.fdot(factor[i][:j], factor[j][:j])) / factor[j][j]
        factor[i][i] = mpmath.sqrt(row[i] - mpmath.fsum(factor[i][:i], squared=True))
    return factor


def _solve_lower(factor: Matrix, right: Matrix) -> Matrix:
    """Forward substitution, column by column."""
    columns = []
    for column in zip(*right, strict=True):
        solved: Vector = []
        for i, row in enumerate(factor):
            solved.append((column[i] - mpmath.fdot(row[:i], solved)) / row[i])
        columns.append(solved)
    return _transpose(columns)
