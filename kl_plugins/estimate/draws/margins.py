"""Maps that make each coordinate normal by itself: a logarithm of both tails, and a smooth monotone curve."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from kl_plugins.estimate.draws.weighted import effective_number, quantiles
from kl_plugins.ops.protocol import FloatArray

_LEVELS = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
"""The quantiles at which slopes are free."""
_ROUGHNESS, _BARRIER = 4.0, 1e-2
_STEPS, _CLOSE = 40, 1e-4
_CENTRES = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
_WIDTHS = (0.05, 0.15, 0.4, 1.0, 2.0)
_GAIN = 0.02
"""A coordinate is left as it is unless its logarithm is so much closer to a normal one, in nats a draw."""


class Logarithms:
    """arsinh((x − centre)/width) of coordinates that have a long tail, chosen by the likelihood of a normal.

    It is like a logarithm in both tails (N. L. Johnson's system S_U, Biometrika 36, 1949).
    """

    def __init__(self, points: FloatArray, weights: FloatArray):
        marks = quantiles(points, weights, _CENTRES)
        spread = marks[5] - marks[1]
        self.centre, self.width = np.zeros(points.shape[1]), np.full(points.shape[1], np.inf)
        centred = points - weights @ points
        best = 0.5 * np.log(weights @ centred**2) - _GAIN
        for centre in marks:
            for share in _WIDTHS:
                width = share * np.where(spread > 0.0, spread, 1.0)
                u = (points - centre) / width
                image = np.arcsinh(u)
                score = 0.5 * np.log(weights @ (image - weights @ image) ** 2) + np.log(width)
                score += 0.5 * (weights @ np.log1p(u**2))
                better = score < best
                self.centre[better], self.width[better], best[better] = (
                    centre[better],
                    width[better],
                    score[better],
                )

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The images of points, and the logarithms of the determinant there."""
        out, log_det = points.copy(), np.zeros(len(points))
        for j in np.flatnonzero(np.isfinite(self.width)):
            u = (points[:, j] - self.centre[j]) / self.width[j]
            out[:, j] = np.arcsinh(u)
            log_det -= 0.5 * np.log1p(u**2) + np.log(self.width[j])
        return out, log_det

    def in_order(self, order: Any) -> Logarithms:
        """The same of the coordinates in another order."""
        found = copy(self)
        found.centre, found.width = self.centre[order], self.width[order]
        return found


class Curves:
    """Of each coordinate the monotone curve T that makes it most normal.

    The slope of T is piecewise linear and positive, and constant beyond the last knots. Its values at the
    knots maximise the log likelihood Σ (log T′ − ½ T²), which is concave in them, less a penalty on their
    differences, by Newton's method.
    """

    def __init__(self, points: FloatArray, weights: FloatArray):
        n, d = points.shape
        marks = quantiles(points, weights, _LEVELS)
        self.centre = marks[len(_LEVELS) // 2]
        self.scale = np.sqrt(weights @ (points - weights @ points) ** 2)
        gaps = np.maximum(np.diff((marks - self.centre) / self.scale, axis=0), 1e-6)
        first = (marks[0] - self.centre) / self.scale
        self.knots = np.concatenate([first[None], first + np.cumsum(gaps, axis=0)])  # (K, d)
        count = len(_LEVELS)
        slopes, integrals = self._basis((points - self.centre) / self.scale)
        values = np.concatenate([np.ones((d, n, 1)), integrals], axis=2)
        slopes = np.concatenate([np.zeros((d, n, 1)), slopes], axis=2)
        differences = np.diff(np.eye(count), axis=0)[None] / np.sqrt(gaps.T)[:, :, None]
        penalty = np.zeros((d, count + 1, count + 1))
        penalty[:, 1:, 1:] = _ROUGHNESS * np.swapaxes(differences, 1, 2) @ differences
        counts = weights * effective_number(weights)
        self.theta = _most_normal(values, slopes, penalty, counts)

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The images of points, and the logarithms of the determinant there."""
        slopes, integrals = self._basis((points - self.centre) / self.scale)
        free = self.theta[:, 1:, None]
        out = self.theta[:, 0] + (integrals @ free)[..., 0].T
        log_det = np.sum(np.log((slopes @ free)[..., 0].T / self.scale), axis=1)
        return out, log_det

    def _basis(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Hat functions at the knots, and their integrals from the first knot on, both (d, n, K)."""
        knots = self.knots
        gaps = np.diff(knots, axis=0)
        d, n, count = t.shape[1], len(t), len(knots)
        inside = np.clip(t, knots[0], knots[-1])
        hats, integrals = np.zeros((d, n, count)), np.zeros((d, n, count))
        for m, gap in enumerate(gaps):
            u = np.clip((inside - knots[m]) / gap, 0.0, 1.0).T
            last = m == count - 2
            here = (inside >= knots[m]).T & ((inside < knots[m + 1]).T | last)
            hats[..., m] += np.where(here, 1.0 - u, 0.0)
            hats[..., m + 1] += np.where(here, u, 0.0)
            integrals[..., m] += gap[:, None] * (u - 0.5 * u**2)
            integrals[..., m + 1] += gap[:, None] * 0.5 * u**2
        integrals[..., 0] += np.minimum(t - knots[0], 0.0).T
        integrals[..., -1] += np.maximum(t - knots[-1], 0.0).T
        return hats, integrals


def _most_normal(
    values: FloatArray, slopes: FloatArray, penalty: FloatArray, counts: FloatArray
) -> FloatArray:
    """The coefficients, (d, K + 1), of the likeliest curve of each coordinate."""
    d, _, size = values.shape
    theta = np.ones((d, size))
    theta[:, 0] = -((values[:, :, 1:].sum(axis=2)) @ counts) / counts.sum()
    weighted_values = values * counts[:, None]

    def loss(theta: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            image, slope = ((part @ theta[..., None])[..., 0] for part in (values, slopes))
            found = (0.5 * image**2 - np.log(slope)) @ counts
            found += 0.5 * np.sum(theta * (penalty @ theta[..., None])[..., 0], axis=1)
            found -= _BARRIER * np.log(theta[:, 1:]).sum(axis=1)
        return np.where(np.isfinite(found) & (theta[:, 1:] > 0.0).all(axis=1), found, np.inf)

    now = loss(theta)
    diagonal = np.arange(1, size)
    for _ in range(_STEPS):
        image, slope = ((part @ theta[..., None])[..., 0] for part in (values, slopes))
        relative = slopes / slope[..., None]
        weighted = relative * counts[:, None]
        gradient = np.swapaxes(weighted_values, 1, 2) @ image[..., None] - weighted.sum(axis=1)[..., None]
        gradient += penalty @ theta[..., None]
        gradient[:, 1:, 0] -= _BARRIER / theta[:, 1:]
        hessian = (
            np.swapaxes(weighted_values, 1, 2) @ values + np.swapaxes(weighted, 1, 2) @ relative + penalty
        )
        hessian[:, diagonal, diagonal] += _BARRIER / theta[:, 1:] ** 2
        step = np.linalg.solve(hessian, gradient)[..., 0]
        decrement = np.sum(step * gradient[..., 0], axis=1)
        active = decrement > _CLOSE
        if not active.any():
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(step[:, 1:] > 0.0, theta[:, 1:] / step[:, 1:], np.inf).min(axis=1)
        length = np.where(active, np.minimum(1.0, 0.95 * room), 0.0)
        for _ in range(30):
            tried = theta - length[:, None] * step
            found = loss(tried)
            worse = active & ~(found <= now - 0.1 * length * decrement)
            if not worse.any():
                break
            length[worse] *= 0.5
        better = found < now
        theta[better], now[better] = tried[better], found[better]
        if not better.any():
            break
    return theta
