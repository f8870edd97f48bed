"""Jumps of a log density: gradients do not see them, so that an optimum found by gradients may be none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.moments import jackknife_errors
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.fixed_draws import WhitenedELBO
from kl_plugins.variational.optimum.hessians import Target, resolution, whitened_target
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.scale_families import (
    Gaussian,
    ScaleFamily,
    scales_of,
    with_constant_metric,
)

PAIRS = 512
"""Draws, each with its mirror image, between which jumps are looked for."""
SHORT = 0.3
"""Length of short segments, in sds."""
BEAM = 128
"""Segments that are halved at a time."""
HALVINGS = 20
"""After so many a segment is some 10⁻⁶ sd long, and what the density still changes by is a jump."""
SMALLEST = 1e-3
"""Nats. What is left of a kink is less."""
BEYOND_ROUNDOFF = 20.0
"""A jump is so many times what rounding does to segments as short."""
COARSEST = 1e-3
"""Where floats are further apart than this, in sds, segments cannot be halved to tell jumps from rounding."""
BATCHES = 32
FEWEST_DRAWS, MOST_DRAWS = 2**11, 2**16
MOST_NUMBERS = 2**24
"""Draws times dimensions that the effect of a jump is measured with, at most."""
ERRORS = 3.0


class Discontinuity(NamedTuple):
    """A jump of the log density: how many nats, the place, and the coordinate that jumps there or −1."""

    size: float
    place: FloatArray
    coordinate: int


class Segments(NamedTuple):
    """Stretches between whitened points, with log densities and gradients at both ends."""

    start: FloatArray
    stop: FloatArray
    low: FloatArray
    high: FloatArray
    slope_low: FloatArray
    slope_high: FloatArray

    @property
    def unexplained(self) -> FloatArray:
        """What the density changes by and gradients at the ends do not tell: 0 of a quadratic function.

        None of it is unexplained where the density is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            told = np.einsum("nd,nd->n", self.slope_low + self.slope_high, self.stop - self.start)
            change = abs(self.high - self.low - 0.5 * told)
        return np.where(np.isfinite(change), change, 0.0)

    def take(self, chosen: NDArray[np.intp]) -> Segments:
        return Segments(*(part[chosen] for part in self))


def find_discontinuity(
    target: Target, family: ScaleFamily, gaussian: Gaussian, rng: np.random.Generator
) -> Discontinuity | None:
    """The largest jump that is met between draws of a Gaussian; None where none is.

    Long stretches, from draw to draw, meet rare jumps that are large; on short ones, from every draw in some
    direction, smooth functions bend so little that small jumps show.
    """
    if resolution(gaussian) > COARSEST:
        return None
    whitened = whitened_target(target, family, gaussian)
    half = rng.standard_normal((PAIRS, len(gaussian.mean)))
    steps = rng.standard_normal((2 * PAIRS, len(gaussian.mean)))
    points = np.concatenate([half, -half])
    beyond = points + SHORT * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    every = np.concatenate([points, beyond])
    values, slopes = whitened(every)
    chain, mirrored = np.arange(2 * PAIRS), np.arange(PAIRS)
    first, second = np.concatenate([chain[:-1], mirrored]), np.concatenate([chain[1:], mirrored + PAIRS])
    largest, along, place = 0.0, steps[0], points[0]
    for i, j in ((first, second), (chain, chain + 2 * PAIRS)):
        segments = Segments(every[i], every[j], values[i], values[j], slopes[i], slopes[j])
        left = _narrowed(whitened, segments, 100.0 * resolution(gaussian))
        if len(left.low) and left.unexplained[0] > largest:
            largest, along, place = float(left.unexplained[0]), left.stop[0] - left.start[0], left.start[0]
    if largest <= SMALLEST or largest <= BEYOND_ROUNDOFF * _roundoff(whitened, points, place, along):
        return None
    place = gaussian.mean + family.spread(gaussian.root, place[None])[0]
    axis = _axis(target, place, scales_of(gaussian), float(np.linalg.norm(along)), largest)
    return Discontinuity(largest, place, axis)


def _narrowed(whitened: Target, segments: Segments, shortest: float) -> Segments:
    """Segments halved until they are short, those with most unexplained first; none where that is nothing.

    Of a smooth function that falls eightfold each time, across a kink by half, across a jump it stays.
    """
    for _ in range(HALVINGS):
        size = segments.unexplained
        segments = segments.take(np.argsort(-size)[: BEAM * int(np.any(size > SMALLEST))])
        if not len(segments.low) or np.linalg.norm(segments.stop - segments.start, axis=1).max() < shortest:
            return segments
        segments = _halved(whitened, segments)
    return segments.take(np.argsort(-segments.unexplained)[:1])


def _halved(whitened: Target, segments: Segments) -> Segments:
    """Both halves of every segment."""
    middle = 0.5 * (segments.start + segments.stop)
    value, slope = whitened(middle)
    s = segments
    left = Segments(s.start, middle, s.low, value, s.slope_low, slope)
    right = Segments(middle, s.stop, value, s.high, slope, s.slope_high)
    return Segments(*(np.concatenate(pair) for pair in zip(left, right, strict=True)))


def _roundoff(whitened: Target, draws: FloatArray, place: FloatArray, along: FloatArray) -> float:
    """What rounding changes the density by over a step, in most places: at draws, or around the jump."""
    found = []
    aside = np.arange(2.0, 34.0)[:, None] * along
    for start in (draws[:: len(draws) // 64], np.concatenate([place + aside, place - aside])):
        low, slope_low = whitened(start)
        high, slope_high = whitened(start + along)
        found.append(Segments(start, start + along, low, high, slope_low, slope_high).unexplained)
    return float(np.max(np.quantile(found, 0.75, axis=1)))


def _axis(target: Target, place: FloatArray, scales: FloatArray, length: float, size: float) -> int:
    """The coordinate along which alone the density jumps most, at a place next to the jump; −1 if none."""
    offsets = 2.0 * length * np.diag(scales)
    above, _ = target(place + offsets)
    below, _ = target(place - offsets)
    change = abs(above - below)
    axis = int(np.argmax(np.where(np.isfinite(change), change, -1.0)))
    return axis if change[axis] > 0.5 * size else -1


class SquaredDisplacement(NamedTuple):
    """The Jeffreys divergence, in nats, by which jumps would move an optimum, with its standard error."""

    value: float
    error: float

    @property
    def most(self) -> float:
        """What it is at most, infinite where draws do not tell."""
        bound = self.value + ERRORS * self.error
        return bound if np.isfinite(bound) else np.inf


def displacement_by_discontinuities(
    target: Target, family: ScaleFamily, gaussian: Gaussian, goal: float, rng: np.random.Generator
) -> SquaredDisplacement:
    """How far jumps move the optimum that gradients found, over as many draws as it takes to tell.

    Without jumps E[f z] = E[∇f] and E[f (z zᵀ − I)] = E[∇f zᵀ] of a function f of standard-normal z (Stein).
    What the left sides are more than the right ones is the part of the ELBO's gradient that averages
    of gradients leave out; its squared length in coordinates in which the Hessian is about the identity is
    the Jeffreys divergence of Newton's step. The quadratic function that the average gradients imply is taken
    out of f first: it changes nothing but the noise.
    """
    d = len(gaussian.mean)
    # A low rank can move nowhere where all correlations cannot.
    family, gaussian = with_constant_metric(family, gaussian)
    whitened = whitened_target(target, family, gaussian)
    control = normal_draws(max(FEWEST_DRAWS, 1 << (4 * d - 1).bit_length()), d, rng)
    rotation = WhitenedELBO(target, family, gaussian, control).rotation
    values, slopes = whitened(control)
    finite = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
    mean_slope = slopes[finite].mean(axis=0)
    hessian = slopes[finite].T @ control[finite] / finite.sum()
    hessian = 0.5 * (hessian + hessian.T)
    level = values[finite].mean() - 0.5 * np.trace(hessian)
    unchanged = family.change(np.zeros(len(family.metric)))

    def difference(z: FloatArray) -> FloatArray:
        """What averages of gradients leave out, at the draws z: its mean is the ELBO's gradient by jumps."""
        values, slopes = whitened(z)
        bent = z @ hessian
        rest = values - level - z @ mean_slope - 0.5 * np.einsum("nd,nd->n", z, bent)
        rows = rest[:, None] * z - (slopes - mean_slope - bent)
        means = rows.mean(axis=0)
        scales = family.slope(rows, z, unchanged) - rest.mean() * family.logarithms
        return np.concatenate(
            [means if rotation is None else means @ rotation, scales / np.sqrt(family.metric)]
        )

    draws, most = FEWEST_DRAWS, max(FEWEST_DRAWS, min(MOST_DRAWS, MOST_NUMBERS // d))
    found = np.empty((0, d + len(family.metric)))
    while True:
        half = rng.standard_normal((BATCHES, draws // (2 * BATCHES), d))
        fresh = [difference(np.concatenate([part, -part])) for part in half]
        found = np.concatenate([found, fresh])
        gap = _squared_length(found)
        if not np.isfinite(gap.value) or abs(gap.value - goal) > ERRORS * gap.error or 2 * draws > most:
            return gap
        draws *= 2


def _squared_length(rows: FloatArray) -> SquaredDisplacement:
    """|E row|² from products of different rows, without the noise's own length; jackknifed error."""
    n = len(rows)
    total, squares = rows.sum(axis=0), np.einsum("nk,nk->n", rows, rows)
    value = (total @ total - squares.sum()) / (n * (n - 1))
    without = total @ total - 2.0 * rows @ total + squares
    left_out = (without - squares.sum() + squares) / ((n - 1) * (n - 2))
    return SquaredDisplacement(float(value), float(jackknife_errors(left_out)))
