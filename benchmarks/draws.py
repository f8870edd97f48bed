"""Estimates of KL(p‖q) from draws of both, measured: bias, spread, how often intervals hold the truth.

Ours beside ArviZ's `kl_divergence`, the nearest neighbours of Q. Wang, S. Kulkarni and S. Verdú, IEEE
Transactions on Information Theory 55, 2009 (their plain rule, Eq. 5, and that of equal distances, Eq. 29,
with intervals by subsampling, as R's kldest has them), and two Gaussians fitted to the draws. Intervals say
95 %.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree
from scipy.special import digamma, ndtr, ndtri

from benchmarks.common import Row, alone, json_number
from kl_plugins import Dense, MultivariateNormal, estimate_kl, kl

QUICK = {"repetitions": 2, "draws": 200}
SUBSAMPLES = 50
"""kldest takes 500, which changes its intervals little and its time tenfold."""


class Copula:
    """Margins of one kind, joined by a normal with correlations rho^|i−j|."""

    def __init__(self, margin: Any, d: int, rho: float):
        self.margin = margin
        self.normal = stats.multivariate_normal(np.zeros(d), _falling(d, rho))

    def rvs(self, size, random_state):
        return self.margin.ppf(ndtr(np.reshape(self.normal.rvs(size, random_state=random_state), (size, -1))))

    def logpdf(self, x):
        z = ndtri(np.clip(self.margin.cdf(x), 1e-300, 1.0 - 1e-16))
        return self.normal.logpdf(z) + np.sum(self.margin.logpdf(x) - stats.norm.logpdf(z), axis=-1)


class Bent:
    """A normal whose second number is bent along the first, as in a banana."""

    def __init__(self, d: int, bend: float):
        self.d, self.bend = d, bend

    def rvs(self, size, random_state):
        z = random_state.normal(size=(size, self.d))
        z[:, 1] = self.bend * (z[:, 0] ** 2 - 1.0) + 0.5 * z[:, 1]
        return z

    def logpdf(self, x):
        z = x.copy()
        z[:, 1] = (x[:, 1] - self.bend * (x[:, 0] ** 2 - 1.0)) / 0.5
        return np.sum(stats.norm.logpdf(z), axis=1) + np.log(2.0)


def _falling(d, rho):
    return rho ** abs(np.subtract.outer(np.arange(d), np.arange(d)))


def _normal(d, shift=0.0, matrix=None):
    return stats.multivariate_normal(np.full(d, shift), np.eye(d) if matrix is None else matrix)


PAIRS: dict[str, tuple[Any, Any]] = {
    **{f"N(0, I) ‖ N(0, I), d = {d}": (_normal(d), _normal(d)) for d in (1, 5, 10, 20)},
    **{f"N(0, I) ‖ N(1, I), d = {d}": (_normal(d), _normal(d, 1.0)) for d in (1, 5, 10, 20)},
    **{
        f"correlated normals, d = {d}": (
            _normal(d, 0.0, _falling(d, 0.5)),
            _normal(d, 0.3, 1.5 * _falling(d, -0.2)),
        )
        for d in (2, 10)
    },
    **{
        f"gamma margins, d = {d}": (Copula(stats.gamma(2.0), d, 0.5), Copula(stats.gamma(2.5), d, 0.3))
        for d in (2, 5, 10)
    },
    **{
        f"log-normal margins, d = {d}": (
            Copula(stats.lognorm(0.7), d, 0.5),
            Copula(stats.lognorm(0.8, scale=1.2), d, 0.5),
        )
        for d in (2, 5, 10)
    },
    **{
        f"log-normal ‖ normal, d = {d}": (
            Copula(stats.lognorm(0.3), d, 0.5),
            _normal(d, 1.05, 0.1 * _falling(d, 0.45)),
        )
        for d in (2, 10)
    },
    **{f"bananas, d = {d}": (Bent(d, 0.5), Bent(d, 0.3)) for d in (2, 10)},
}


def ours(x, y, rng):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimate_kl(x, y, random_state=rng)
    return found.value, 1.96 * found.error


def arviz(x, y, rng):
    """ArviZ has no intervals. It takes 500 draws."""
    import xarray as xr
    from arviz_stats import kl_divergence

    pair = [xr.Dataset({"x": (("chain", "draw", "i"), one[None])}) for one in (x, y)]
    return float(kl_divergence(*pair, num_samples=min(500, len(x)), round_to="none")), None


def plain(x, y, rng):
    """The nearest neighbour in either set."""
    return _subsampled(_nearest, x, y, rng)


def equal_distances(x, y, rng):
    """As many neighbours in either set as the further one of the nearest reaches."""
    return _subsampled(_of_equal_distances, x, y, rng)


def gaussians(x, y, rng):
    return _subsampled(_fitted, x, y, rng)


def _nearest(x, y):
    own, other = cKDTree(x).query(x, 2)[0][:, 1], cKDTree(y).query(x)[0]
    return x.shape[1] * np.mean(np.log(other / own)) + np.log(len(y) / (len(x) - 1.0))


def _of_equal_distances(x, y):
    trees = cKDTree(x), cKDTree(y)
    reach = np.maximum(trees[0].query(x, 2)[0][:, 1], trees[1].query(x)[0])
    found = []
    for tree, own in zip(trees, (1, 0), strict=True):
        near = tree.query_ball_point(x, reach * (1.0 + 1e-12))
        counts = np.array([len(one) for one in near]) - own
        distances = np.array(
            [np.linalg.norm(tree.data[own] - at, axis=1).max() for own, at in zip(near, x, strict=True)]
        )
        found.append((counts, distances))
    (own_count, own), (other_count, other) = found
    terms = x.shape[1] * np.log(other / own) + digamma(own_count) - digamma(other_count)
    return float(np.mean(terms) + np.log(len(y) / (len(x) - 1.0)))


def _fitted(x, y):
    p, q = (
        MultivariateNormal(one.mean(axis=0), Dense(np.atleast_2d(np.cov(one, rowvar=False))))
        for one in (x, y)
    )
    return float(kl(p, q))


def _subsampled(estimate, x, y, rng):
    """The estimate, and half of D. N. Politis and J. P. Romano's interval, 1994, of n^(2/3) draws each."""
    value = estimate(x, y)
    few = max(int(len(x) ** (2.0 / 3.0)), x.shape[1] + 2)
    found = [
        estimate(x[rng.permutation(len(x))[:few]], y[rng.permutation(len(y))[:few]])
        for _ in range(SUBSAMPLES)
    ]
    return value, 1.96 * np.std(found, ddof=1) * np.sqrt(few / len(x))


METHODS: dict[str, Callable[..., tuple[float, float | None]]] = {
    "kl_plugins": ours,
    "ArviZ": arviz,
    "nearest neighbours": plain,
    "equal distances": equal_distances,
    "two Gaussians": gaussians,
}


def truth(p, q):
    try:
        return float(kl(p, q))
    except (NotImplementedError, TypeError):
        x = p.rvs(400_000, random_state=np.random.default_rng(0))
        return float(np.mean(p.logpdf(x) - q.logpdf(x)))


def rows(repetitions: int = 40, draws: int = 1000) -> list[Row]:
    """Of each pair and method: bias, standard deviation, half of the interval, its coverage and seconds.

    An infinite error is the answer that the draws do not tell; intervals are those of the others.
    """
    found = []
    for name, (p, q) in PAIRS.items():
        exact = truth(p, q)
        row: Row = {"pair": name, "kl": exact, "draws": draws, "methods": {}}
        for called, method in METHODS.items():
            values, halves, start = [], [], time.process_time()
            for seed in range(repetitions):
                rng = np.random.default_rng(seed)
                x, y = (np.reshape(side.rvs(draws, random_state=rng), (draws, -1)) for side in (p, q))
                value, half = method(x, y, rng)
                values.append(value)
                halves.append(half)
            took = (time.process_time() - start) / repetitions
            off = np.array(values) - exact
            of_intervals = {}
            if halves[0] is not None:
                widths = np.array(halves)
                answered = np.isfinite(widths)
                of_intervals = {
                    "half": json_number(np.mean(widths[answered])),
                    "covered": float(np.mean((abs(off) <= widths)[answered])),
                    "answered": float(np.mean(answered)),
                }
            row["methods"][called] = {
                "bias": json_number(off.mean()),
                "sd": json_number(off.std()),
                "seconds": took,
            } | of_intervals
        found.append(row)
    return found


if __name__ == "__main__":
    alone("draws", rows, QUICK, __doc__)
