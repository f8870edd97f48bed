"""Moments and quantiles of weighted draws."""

from __future__ import annotations

import numpy as np

from kl_plugins.ops.protocol import FloatArray


def effective_number(weights: FloatArray) -> float:
    """So many draws of equal weight are worth as much (L. Kish, 1965); weights add up to 1."""
    return float(1.0 / np.sum(weights**2))


def standardised(points: FloatArray, weights: FloatArray) -> FloatArray:
    """Points of shape (n, d) less their means, over their standard deviations."""
    centred = points - weights @ points
    scaled: FloatArray = centred / np.sqrt(weights @ centred**2)
    return scaled


def quantiles(points: FloatArray, weights: FloatArray, levels: FloatArray) -> FloatArray:
    """Quantiles of each coordinate, shape (levels, d), of points of shape (n, d)."""
    if np.ptp(weights) == 0.0:
        found: FloatArray = np.quantile(points, levels, axis=0)
        return found
    columns = []
    for column in points.T:
        order = np.argsort(column)
        reached = np.cumsum(weights[order]) - 0.5 * weights[order]
        columns.append(np.interp(levels, reached, column[order]))
    return np.array(columns).T
