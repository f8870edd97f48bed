"""Functions of the variables under the best Gaussian: their moments, and what these respond by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.fixed_draws import WhitenedELBO
from kl_plugins.variational.optimum.low_rank_scales import LowRankScales
from kl_plugins.variational.optimum.response import Curvature, Solutions, averages_errors

STEP = 1e-4
"""Of central differences, in sds."""
UNEXPLAINED = 2.0
"""A function jumps where its variance is more than so many times the most that its slopes allow.

Of a smooth function of standard-normal draws that is the mean of its squared gradient (Poincaré's inequality
for the normal distribution; H. Chernoff 1981, Annals of Probability 9).
"""
MOST_NUMBERS = 2**22
"""Values of the functions that are held at once."""


class FunctionMoments(NamedTuple):
    """Of each of m functions under the best Gaussian.

    Attributes
    ----------
    mean, sd : ndarray, shape (m,)
    mean_error : ndarray, shape (m,)
        Standard errors, as the draws are finitely many.
    sides : ndarray, shape (m, k)
        Derivatives of the means by the coordinates of `Curvature`.
    sides_of_sets : ndarray, shape (sets, m, k)
        The same over each set of draws, at the optimum that it gives to first order.
    rest : ndarray, shape (m,)
        The variance of what is no combination of the family's scores.
    rest_of_sets : ndarray, shape (sets, m)
        The same over each set, at its own optimum.
    jumps : ndarray of bool, shape (m,)
        Whether it varies by more than its slopes allow: the derivatives are not those of the means then.
    """

    mean: FloatArray
    sd: FloatArray
    mean_error: FloatArray
    sides: FloatArray
    sides_of_sets: FloatArray
    rest: FloatArray
    rest_of_sets: FloatArray
    jumps: NDArray[np.bool_]

    def sds(self, solved: Solutions) -> tuple[FloatArray, FloatArray]:
        """By linear response, with what does not respond, and their standard errors."""
        return solved.sds(self.sides, self.sides_of_sets, self.rest, self.rest_of_sets)


class SetMoments(NamedTuple):
    """Of each of m functions over one set of draws."""

    mean: FloatArray
    square: FloatArray
    """The mean of squares about the value at the Gaussian's mean."""
    steepness: FloatArray
    """The mean of the squared length of the gradient by the draws, which are standard normal."""
    side: FloatArray
    scores: FloatArray
    """Coefficients of z, and of products of z that the family has, in the closest combination of scores."""


@np.errstate(over="ignore", invalid="ignore")  # whoever asks looks whether moments are finite
def function_moments(function: Callable[[FloatArray], FloatArray], curvature: Curvature) -> FunctionMoments:
    """Moments of a function of points (n, d) with values of shape (n, m), by differences along the axes."""
    place, others = curvature.place, curvature.sets - 1
    elbos = [curvature.elbo.over(draws) for draws in np.split(curvature.elbo.draws, curvature.sets)]
    here = [_over_set(function, elbo, place) for elbo in elbos]
    means, squares, steepness, sides, scores = (np.stack(part) for part in zip(*here, strict=True))
    # What a set has at its own optimum, to first order, from a part of the way to there.
    ways = [place + shift / others for shift in curvature.shifts()]
    moved = [_over_set(function, elbo, way) for elbo, way in zip(elbos, ways, strict=True)]
    own_means = means + others * (np.stack([one.mean for one in moved]) - means)
    own_sides = sides + others * (np.stack([one.side for one in moved]) - sides)
    mean, centre = means.mean(axis=0), function(curvature.mean[None])[0]
    sd = np.sqrt(np.maximum(squares.mean(axis=0) - (mean - centre) ** 2, 0.0))
    # The closest combination of scores leaves the least, so that to first order it is the same for all.
    closest = np.concatenate([mean[None], scores.mean(axis=0)])
    rest = np.stack([_rest(function, elbo, place, closest) for elbo in elbos])
    moved_rest = np.stack([_rest(function, *there, closest) for there in zip(elbos, ways, strict=True)])
    own_rest = rest + others * (moved_rest - rest)
    beyond = squares - (means - centre) ** 2 > UNEXPLAINED * steepness
    jumps = beyond.sum(axis=0) > 0.5 * curvature.sets
    side = sides.mean(axis=0)
    return FunctionMoments(
        mean, sd, averages_errors(own_means), side, own_sides, rest.mean(axis=0), own_rest, jumps
    )


def _over_set(
    function: Callable[[FloatArray], FloatArray], elbo: WhitenedELBO, place: FloatArray
) -> SetMoments:
    family, root, d = elbo.family, elbo.reference.root, elbo.dimension
    assert not isinstance(family, LowRankScales)  # that of low rank is of all correlations
    _, change = elbo.unpacked(place)
    axes = family.spread(root, np.eye(d))
    centre = function(elbo.gaussian(place).mean[None])[0]
    first, second, steepness = np.zeros((3, len(centre)))
    of_means, of_scales = np.zeros((d, len(centre))), np.zeros((len(family.metric), len(centre)))
    for z, points in _points(elbo, place, max(len(centre), d)):
        away = function(points) - centre
        first += away.sum(axis=0)
        second += (away**2).sum(axis=0)
        entries = 0
        for a in range(d):
            slope = (function(points + STEP * axes[a]) - function(points - STEP * axes[a])) / (2.0 * STEP)
            columns = family.columns(a)
            steepness += (slope**2).sum(axis=0)
            of_means[a] += slope.sum(axis=0)
            of_scales[entries : entries + len(columns)] += z[:, columns].T @ slope
            entries += len(columns)
    count = len(elbo.draws)
    of_scales[family.logarithms] *= family.diagonal(change)[:, None]
    scores = np.concatenate([of_means, of_scales / family.metric[:, None]]) / count
    of_means = of_means if elbo.rotation is None else elbo.rotation.T @ of_means
    sides = (np.concatenate([of_means, of_scales]) / count / np.sqrt(elbo.weights)[:, None]).T
    return SetMoments(centre + first / count, second / count, steepness / count, sides, scores)


def _rest(
    function: Callable[[FloatArray], FloatArray], elbo: WhitenedELBO, place: FloatArray, closest: FloatArray
) -> FloatArray:
    """The mean square of what a constant and a combination of the scores leave of the functions.

    `closest`, shape (1 + d + k, m), is that combination: E[g'] z + E[∂ᵢg zⱼ] (zᵢ zⱼ − δᵢⱼ) / information.
    """
    family, d = elbo.family, elbo.dimension
    assert not isinstance(family, LowRankScales)
    total = np.zeros(closest.shape[1])
    for z, points in _points(elbo, place, max(closest.shape)):
        products = np.concatenate([z[:, [a]] * z[:, family.columns(a)] for a in range(d)], axis=1)
        known = closest[0] + z @ closest[1 : d + 1] + (products - family.logarithms) @ closest[d + 1 :]
        total += ((function(points) - known) ** 2).sum(axis=0)
    return total / len(elbo.draws)


def _points(elbo: WhitenedELBO, place: FloatArray, width: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """The draws z, and the points of the Gaussian at this place that they are, so many at a time."""
    shift, change = elbo.unpacked(place)
    size = max(1, MOST_NUMBERS // width)
    for start in range(0, len(elbo.draws), size):
        z = elbo.draws[start : start + size]
        spread = elbo.family.spread(change, z)
        yield z, elbo.reference.mean + elbo.family.spread(elbo.reference.root, shift + spread)
