"""The map that takes draws to standard normal ones, as far as they show that it is needed."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy.linalg import solve_triangular

from kl_plugins.estimate.draws.margins import Curves, Logarithms
from kl_plugins.estimate.draws.weighted import effective_number, standardised
from kl_plugins.ops.protocol import FloatArray

LOG_2PI = math.log(2.0 * math.pi)
_CERTAIN = 4.0
"""A term is taken in where it is so many standard errors from nothing; of normal draws next to none is."""
_POWERS = np.linspace(0.4, 1.6, 61)


class Stage(Protocol):
    """A part of the map, fitted to draws."""

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The images of points, and the logarithms of the determinant there."""


def log_normal_density(z: FloatArray) -> FloatArray:
    """That of standard normals at points of shape (n, d)."""
    found: FloatArray = -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * LOG_2PI
    return found


class Whitening:
    """The affine map to mean 0 and covariance 1, by a lower triangular matrix."""

    def __init__(self, points: FloatArray, weights: FloatArray):
        self.mean = weights @ points
        centred = points - self.mean
        self.factor = np.linalg.cholesky((centred * weights[:, None]).T @ centred)
        self.log_det = -float(np.sum(np.log(np.diagonal(self.factor))))

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        out = solve_triangular(self.factor, (points - self.mean).T, lower=True).T
        return out, np.full(len(points), self.log_det)


class Regressions:
    """Of white coordinates, the mean of each as a quadratic, its logarithmic scale as a linear function.

    Both are of the coordinates before it, and hold only the terms of which the draws leave no doubt.
    """

    def __init__(self, points: FloatArray, weights: FloatArray):
        root = math.sqrt(effective_number(weights))
        self.terms: dict[int, Any] = {}
        for j in range(1, points.shape[1]):
            before, y = points[:, :j], points[:, j]
            first, second = np.triu_indices(j)
            products = standardised(before[:, first] * before[:, second], weights)
            chosen = np.flatnonzero(abs((weights * y) @ products) * root > _CERTAIN)
            pairs, slopes = (first[chosen], second[chosen]), np.zeros(0)
            if len(chosen):
                design = np.column_stack([before[:, pairs[0]] * before[:, pairs[1]], before, np.ones(len(y))])
                scaled = np.sqrt(weights)
                slopes = np.linalg.lstsq(design * scaled[:, None], y * scaled, rcond=None)[0][:-1]
                y = y - _quadratic(points, j, pairs, slopes)
            mean, sd = weights @ y, math.sqrt(weights @ (y - weights @ y) ** 2)
            squares = ((y - mean) / sd) ** 2
            of_scale = abs((weights * (squares - 1.0)) @ before) / math.sqrt(weights @ (squares - 1.0) ** 2)
            scaling = np.flatnonzero(of_scale * root > _CERTAIN)
            exponents = _log_scales(squares, before[:, scaling], weights) if len(scaling) else np.zeros(1)
            if len(chosen) or len(scaling):
                self.terms[j] = pairs, slopes, mean, sd, scaling, exponents

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        out, log_det = points.copy(), np.zeros(len(points))
        for j, (pairs, slopes, mean, sd, scaling, exponents) in self.terms.items():
            centred = points[:, j] - mean - (_quadratic(points, j, pairs, slopes) if len(slopes) else 0.0)
            log_scale = math.log(sd) + _design(points[:, scaling]) @ exponents
            out[:, j] = centred * np.exp(-log_scale)
            log_det -= log_scale
        return out, log_det


def _quadratic(points: FloatArray, j: int, pairs: Any, slopes: FloatArray) -> FloatArray:
    """The chosen products and all coordinates before the j-th, times their slopes."""
    products = points[:, pairs[0]] * points[:, pairs[1]]
    found: FloatArray = products @ slopes[: len(pairs[0])] + points[:, :j] @ slopes[len(pairs[0]) :]
    return found


def _design(chosen: FloatArray) -> FloatArray:
    """One, and coordinates no further out than 3, so that a scale does not run away."""
    return np.column_stack([np.ones(len(chosen)), np.clip(chosen, -3.0, 3.0)])


def _log_scales(squares: FloatArray, chosen: FloatArray, weights: FloatArray) -> FloatArray:
    """The likeliest logarithmic scale, a linear function, of normals with such squares; by Newton steps."""
    design = _design(chosen)
    found = np.zeros(design.shape[1])
    for _ in range(30):
        share = weights * squares * np.exp(-2.0 * design @ found)
        hessian = 2.0 * design.T @ (design * share[:, None]) + 1e-9 * np.eye(len(found))
        step = np.linalg.solve(hessian, design.T @ (share - weights))
        found = found + np.clip(step, -0.5, 0.5)
        if np.max(abs(step)) < 1e-6:
            break
    return found


class Radius:
    """A power of the distance from the middle, for tails that are heavy, or light, in all directions."""

    def __init__(self, points: FloatArray, weights: FloatArray):
        d = points.shape[1]
        squares = np.sum(points**2, axis=1)
        # K. V. Mardia, Measures of multivariate skewness and kurtosis, Biometrika 57, 1970.
        excess = weights @ squares**2 - d * (d + 2.0)
        self.power, self.log_scale, self.dimension = 1.0, 0.0, d
        if abs(excess) * math.sqrt(effective_number(weights) / (8.0 * d * (d + 2.0))) > _CERTAIN:
            logs = 0.5 * np.log(squares)
            with np.errstate(over="ignore"):
                scales = np.array([0.5 * math.log(d / (weights @ np.exp(2.0 * b * logs))) for b in _POWERS])
            heights = d * scales + d * (_POWERS - 1.0) * (weights @ logs) + np.log(_POWERS)
            best = int(np.argmax(heights))
            self.power, self.log_scale = float(_POWERS[best]), float(scales[best])

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.power == 1.0:
            return points, np.zeros(len(points))
        with np.errstate(divide="ignore"):
            logs = 0.5 * np.log(np.sum(points**2, axis=1))
        factor = self.log_scale + (self.power - 1.0) * np.maximum(logs, -300.0)
        return points * np.exp(factor)[:, None], self.dimension * factor + math.log(self.power)


class Map:
    """Stages one after the other, fitted to draws of shape (n, d), and the coordinates' order.

    Logarithms are fitted once, to the draws of both sides, and stay as they are.
    """

    def __init__(self, points: FloatArray, weights: FloatArray, stages: tuple[Any, ...], order: Any):
        self.kinds, self.order = stages, order
        self.stages: list[Stage] = []
        z, log_det = points[:, order], np.zeros(len(points))
        for kind in stages:
            stage = kind if isinstance(kind, Logarithms) else kind(z, weights)
            self.stages.append(stage)
            z, change = stage(z)
            log_det = log_det + change
        self.z, self.log_det = z, log_det
        self.height = float(weights @ self.log_density)

    @property
    def log_density(self) -> FloatArray:
        """That of the draws if the map made them normal."""
        return log_normal_density(self.z) + self.log_det

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        z, log_det = points[:, self.order], np.zeros(len(points))
        for stage in self.stages:
            z, change = stage(z)
            log_det = log_det + change
        return z, log_det

    def refitted(self, points: FloatArray, weights: FloatArray) -> Map:
        """The same stages, fitted to other draws."""
        return Map(points, weights, self.kinds, self.order)


OF_NORMALS = Curves, Whitening
"""The stages that are not empty where draws are normal: what an estimate of such draws suffers from."""


def likeliest_map(points: FloatArray, weights: FloatArray, logarithms: Logarithms) -> Map:
    """The map, of those that differ in the order of their stages, that makes the draws likeliest.

    Coordinates that look normal come first: others are regressed on them.
    """
    scaled = standardised(points, weights)
    shape = abs(weights @ scaled**3) + 0.5 * abs(weights @ scaled**4 - 3.0)
    order = np.argsort(shape, kind="stable")
    shared = logarithms.in_order(order)
    if points.shape[1] == 1:
        return Map(points, weights, (shared, *OF_NORMALS), order)
    by_itself = (Whitening, Regressions, Curves, Whitening, Radius)
    candidates = [(shared, Curves, Whitening, Regressions, Whitening, Radius), by_itself]
    if np.isfinite(logarithms.width).any():
        candidates.append((shared, *by_itself))
    return max((Map(points, weights, stages, order) for stages in candidates), key=lambda found: found.height)
