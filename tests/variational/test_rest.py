"""Fits of streams: what the noise of the steps says of the distance from the optimum, and how truly."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest

from kl_plugins import Diagonal, MultivariateNormal, jeffreys
from kl_plugins.variational import KLConvergence, NotConvergedWarning
from kl_plugins.variational.optimum.iterates import MOVING, Window
from kl_plugins.variational.optimum.rest import jeffreys_at_rest
from kl_plugins.variational.target.parameters import MeanFieldParameters

ROWS, BATCH = 1_000, 50


class Streams:
    """Mean-field fits of a regression of two correlated predictors, each of a stream of its own.

    The optimum is known: the posterior's mean, and the inverse of its precisions.
    """

    def __init__(self, runs, seed):
        self.rng = np.random.default_rng(seed)
        self.root = np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]])
        precision = ROWS * self.root @ self.root.T + 0.01 * np.eye(2)
        self.mean = np.linalg.solve(precision, ROWS * self.root @ self.root.T @ np.ones(2))
        self.sd = 1.0 / np.sqrt(np.diagonal(precision))
        start = self.mean + self.sd * self.rng.normal(size=(runs, 2))
        self.iterates = np.concatenate([start, np.tile(np.log(self.sd), (runs, 1))], axis=1)

    def slopes(self):
        """Of −ELBO by means and log scales, from one draw and one batch."""
        noise = self.rng.normal(size=(len(self.iterates), 2))
        scale = np.exp(self.iterates[:, 2:])
        w = self.iterates[:, :2] + scale * noise
        x = self.rng.normal(size=(len(w), BATCH, 2)) @ self.root.T
        rest = self.rng.normal(size=(len(w), BATCH)) + np.einsum("rbd,rd->rb", x, 1.0 - w)
        slope = 0.01 * w - ROWS / BATCH * np.einsum("rbd,rb->rd", x, rest)
        return np.concatenate([slope, slope * noise * scale - 1.0], axis=1)

    def run(self, steps, iterations):
        """Windows of the last half of the iterates."""
        kept = []
        for iteration in range(1, iterations + 1):
            self.iterates = self.iterates - steps(self.slopes(), iteration)
            if iteration > iterations // 2 and iteration % (iterations // 256) == 0:
                kept.append(self.iterates)
        rows = np.stack(kept[-128:], axis=1)
        group = SimpleNamespace(dimension=2)
        return [Window.of(one, lambda *args: MeanFieldParameters.whiten(group, *args)) for one in rows]

    def distance(self, average):
        p, q = (
            (m, Diagonal(np.exp(2.0 * s))) for m, s in (np.split(average, 2), (self.mean, np.log(self.sd)))
        )
        return jeffreys(MultivariateNormal(*p), MultivariateNormal(*q))


def descent(rate):
    """Steps along the gradient, in units in which the curvature is about 1."""
    return lambda slopes, iteration: rate * slopes / np.array([ROWS, ROWS, 2.0, 2.0])


def adam(rate):
    first = second = 0.0

    def steps(slopes, iteration):
        nonlocal first, second
        first, second = 0.9 * first + 0.1 * slopes, 0.999 * second + 0.001 * slopes**2
        return rate * first / (1.0 - 0.9**iteration) / np.sqrt(second / (1.0 - 0.999**iteration))

    return steps


@pytest.mark.slow
@pytest.mark.parametrize("steps", [descent(0.02), descent(0.05), adam(0.04)])
def test_the_bound_by_noise_covers_the_distance_from_the_optimum(steps):
    streams = Streams(runs=40, seed=1)
    windows = [one for one in streams.run(steps, 6_400) if one.rhat.max() <= MOVING]
    assert len(windows) >= 10
    covered = [streams.distance(one.average) <= jeffreys_at_rest(one) for one in windows]
    assert np.mean(covered) >= 0.9


def test_a_fit_without_a_whole_says_what_the_noise_of_its_steps_does():
    """Rows that somebody else hands in; and what would say more."""
    with pm.Model() as model:
        shown = pm.Data("shown", np.zeros(10))
        pm.Normal("y", pm.Normal("mean", 0.0, 10.0), observed=shown, total_size=100)
    with model:
        approximation = pm.MeanField()
    monitor = KLConvergence(tolerance=1.0, every=1)
    rng, (mu, rho) = np.random.default_rng(3), (approximation.params_dict[name] for name in ("mu", "rho"))

    def watched():
        for iteration in range(1, 2_000):
            mu.set_value(0.02 * rng.normal(size=1))
            rho.set_value(np.log(np.expm1(0.1 + 0.002 * rng.normal(size=1))))
            monitor(approximation, None, iteration)

    with pytest.warns(NotConvergedWarning), pytest.raises(StopIteration):
        watched()
    assert monitor.status == "stationary"
    assert 0.0 < monitor.history[-1].at_most < 0.1
    for words in ("total_size of y is 100", "at 95 % confidence", "pm.Minibatch with total_size"):
        assert words in monitor.message
