"""Log densities by nearest neighbours of draws that look normal, and their bias there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma, gammaln

from kl_plugins.estimate.clock import Clock, TimeIsUpError
from kl_plugins.estimate.draws.gaussianising import OF_NORMALS, Map, log_normal_density
from kl_plugins.estimate.draws.weighted import effective_number
from kl_plugins.ops.protocol import FloatArray

NEIGHBOURS = 5
_MOST = 4000
"""So many draws of a side are searched at most, evenly taken; the map is fitted to all."""
_REPLICATES, _WORK = (6, 12), 6000


def searched(count: int) -> slice:
    """Which of so many draws are searched."""
    return slice(None, None, max(1, -(-count // _MOST)))


def log_density(
    tree: cKDTree, weights: FloatArray, at: FloatArray, *, own: FloatArray | None = None
) -> FloatArray:
    """log p̂ at points: the weight of the neighbours over the volume of the ball that they fill.

    A draw is no neighbour of itself. `own` are the weights of the points where these are the draws of the
    tree; others may hold some of them, where one set of draws is both sides, by different weights. With equal
    weights it is the density of L. F. Kozachenko and N. N. Leonenko, 1987.
    """
    d, k = at.shape[1], min(NEIGHBOURS, len(weights) - 1)
    distances, places = tree.query(at, k + 1)
    first = (distances[:, 0] == 0.0).astype(int)[:, None] if own is None else np.ones((len(at), 1), int)
    chosen = first + np.arange(k)
    places = np.take_along_axis(places, chosen, axis=1)
    furthest = np.take_along_axis(distances, chosen[:, -1:], axis=1)[:, 0]
    held = weights[places]
    mass = held.sum(axis=1) - 0.5 * held[:, -1]
    log_volume = 0.5 * d * math.log(math.pi) - gammaln(0.5 * d + 1.0)
    log_volume = log_volume + d * np.log(np.maximum(furthest, 1e-300))
    rest = np.zeros(len(at)) if own is None else np.log1p(-own)
    found: FloatArray = np.log(mass) - rest + float(digamma(k)) - math.log(k - 0.5) - log_volume
    return found


@dataclass(frozen=True)
class Remainder:
    """What the neighbours find beyond the map, and what both are off by, of draws for which the map is right.

    Attributes
    ----------
    terms : array
        log p̂ less the log density of the map, at each of the points that were looked at.
    weights : array
        Those of these points, which add up to 1.
    of_map, of_neighbours : array, shape (replicates,)
        Averages of the errors of log densities over the points: for normal draws, to which maps were fitted.
    """

    terms: FloatArray
    weights: FloatArray
    of_map: FloatArray
    of_neighbours: FloatArray

    @property
    def value(self) -> float:
        """The average over the points, without the bias."""
        return float(self.weights @ self.terms - self.of_neighbours.mean())

    @property
    def map_bias(self) -> float:
        return float(self.of_map.mean())

    @property
    def variance(self) -> float:
        """That of the value, with what the bias is uncertain by."""
        return float(self.of_neighbours.var(ddof=1) * (1.0 + 1.0 / len(self.of_neighbours)))

    @property
    def bias_variance(self) -> float:
        return float(self.of_map.var(ddof=1) / len(self.of_map))


def remainder(
    fitted: Map,
    weights: FloatArray,
    at: tuple[FloatArray, FloatArray] | None,
    rng: np.random.Generator,
    clock: Clock,
) -> Remainder:
    """Of a side's draws and their map: at the draws themselves, or at points z of the map and their weights.

    The replicates have as many draws as the side, of the same weights, and go through the same.
    """
    n, d = fitted.z.shape
    some = searched(n)
    held = weights[some] / weights[some].sum()

    def found(z: FloatArray, at: FloatArray | None) -> FloatArray:
        if at is None:
            return log_density(cKDTree(z[some]), held, z[some], own=held)
        return log_density(cKDTree(z[some]), held, at)

    if at is None:
        over, inner = held, None
        terms = found(fitted.z, None) - log_normal_density(fitted.z[some])
    else:
        picked = searched(len(at[0]))
        inner, over = at[0][picked], at[1][picked] / at[1][picked].sum()
        terms = found(fitted.z, inner) - log_normal_density(inner)
        # As the map was fitted, points of others look further out than they are.
        worth = effective_number(weights)
        inner = inner * math.sqrt(max((worth - d - 2.0) / (worth + 1.0), 0.1))
    of_map, of_neighbours = [], []
    least, most = _REPLICATES
    for done in range(int(np.clip(_WORK // n, least, most))):
        if done > 1:
            try:
                clock.check()
            except TimeIsUpError:
                clock.cut = True
                break
        normal = rng.normal(size=(n, d))
        one = Map(normal, weights, OF_NORMALS, slice(None))
        z, log_det = (one.z, one.log_det) if inner is None else one(inner)
        truth = log_normal_density(normal if inner is None else inner)
        by_map = log_normal_density(z) + log_det
        of_map.append((weights if inner is None else over) @ (by_map - truth))
        by_neighbours = found(one.z, None if inner is None else z)
        of_neighbours.append(over @ (by_neighbours - log_normal_density(z[some] if inner is None else z)))
    return Remainder(terms, over, np.array(of_map), np.array(of_neighbours))
