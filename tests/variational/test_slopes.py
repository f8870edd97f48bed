"""Where the posterior has another shape than an approximation: slopes at its draws, and who is named."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

from kl_plugins import Dense, Diagonal
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.evidence.proposals import gaussian_draws
from kl_plugins.variational.evidence.slopes import SlopeMisfit, slope_misfit
from kl_plugins.variational.optimum.distance import distance_to_optimum
from kl_plugins.variational.target.density import TargetDensity

CORRELATED = np.array([[4.0, 1.2], [1.2, 1.0]])
LEFT_OUT = np.diag(1.0 / np.diagonal(np.linalg.inv(CORRELATED)))


@pytest.fixture(scope="module")
def target():
    with pm.Model() as model:
        pm.MvNormal("x", [1.0, -2.0], cov=CORRELATED)
    return TargetDensity(model)


@pytest.mark.parametrize(
    ("mean", "covariance", "expected"),
    [
        ([1.0, -2.0], Dense(CORRELATED), [0.0, 0.0]),
        # the correlation of 0.6 that a mean-field optimum leaves out
        ([1.0, -2.0], Diagonal(np.diagonal(LEFT_OUT)), [0.6, 0.6]),
        # half a conditional sd of the first coordinate, which is 0.8 times 2
        ([1.8, -2.0], Dense(CORRELATED), [0.5, 0.3]),
        # a variance of 1.2 times the posterior's
        ([1.0, -2.0], Dense(1.2 * CORRELATED), [0.2, 0.2]),
    ],
)
def test_misfits_of_gaussians(target, mean, covariance, expected):
    q = NamedMultivariateNormal(np.array(mean), covariance, (Variable("x", (2,)),))
    points, _ = gaussian_draws(q, 1_000, np.random.default_rng(1))
    found = slope_misfit(target, q, points)
    assert np.all(abs(found.value - expected) <= 4.0 * found.error + 1e-9)
    assert np.all(found.error < 0.03)


def test_the_worst_is_first_and_nothing_within_its_error():
    misfit = SlopeMisfit(np.array([0.3, 2.0, 0.12, 0.5, np.nan]), np.array([0.01, 0.1, 0.02, 0.3, np.nan]))
    assert misfit.beyond(0.1).tolist() == [1, 0]


def test_slopes_that_are_not_finite_are_left_out():
    q = NamedMultivariateNormal(np.zeros(1), Diagonal(np.ones(1)), (Variable("x", (1,)),))

    class Broken:
        dimension = 1

        def __call__(self, points):
            return np.zeros(len(points)), np.where(points < 1.0, -points, np.nan)

    points, _ = gaussian_draws(q, 1_000, np.random.default_rng(1))
    assert slope_misfit(Broken(), q, points).value < 1e-9
    assert np.isnan(slope_misfit(Broken(), q, points + 9.0).value)


def funnel():
    v = pm.Normal("v", 0.0, 3.0)
    pm.Normal("x", 0.0, pm.math.exp(0.5 * v), shape=9)


def banana():
    a = pm.Normal("a", 1.0, 0.7)
    pm.Normal("b", a**2, 0.22)
    pm.Normal("bystander")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "first", "others"),
    [(funnel, "v", {f"x[{i}]" for i in range(9)}), (banana, "a", {"b"})],
)
def test_funnels_and_bananas_are_named(make, first, others):
    """Neal's funnel and Rosenbrock's banana: no weights are any good there, and moments are not known."""
    with pm.Model() as model:
        make()
    found = diagnose(fit(model, random_seed=1, progressbar=False), model=model, random_seed=1)
    named = [found.names[i] for i in found.slopes.beyond(0.1)]
    assert found.verdict.level == "reject"
    assert f"along {first}," in found.verdict.conclusion or found.verdict.discrepancies
    assert named[0] == first
    assert {*named} == {first, *others}


@pytest.mark.slow
def test_variables_are_named_in_many_dimensions():
    """Mean field of 120 dimensions: of neighbours in a chain, correlated, and others that are not."""
    with pm.Model() as model:
        pm.Normal("alone", shape=60)
        chain = pm.Normal("chain", shape=60)
        pm.Potential("steps", -2.0 * ((chain[1:] - chain[:-1]) ** 2).sum())
    precision = 1.0 + 4.0 * np.r_[1.0, np.full(58, 2.0), 1.0]
    q = (np.zeros(120), np.r_[np.ones(60), 1.0 / precision])
    found = diagnose(q, model=model, random_seed=1, draws=4_000)
    assert found.verdict.level == "reject"
    named = {found.names[i] for i in found.slopes.beyond(0.1)}
    assert named == {f"chain[{i}]" for i in range(60)}
    assert "chain[" in str(found.verdict)
    assert "alone[" not in str(found.verdict)


def test_the_density_is_compiled_once(monkeypatch):
    """What a diagnosis asks of the log density, the search for the optimum asks of the same function."""
    made = []
    build = TargetDensity.__init__

    def counted(self, *args, **kwargs):
        made.append(self)
        build(self, *args, **kwargs)

    monkeypatch.setattr(TargetDensity, "__init__", counted)
    with pm.Model() as model:
        pm.Normal("x", 3.0, 2.0)
    found = diagnose((np.array([3.0]), np.array([4.0])), model=model, random_seed=1, draws=2_200)
    assert len(made) == 1
    assert 0 < found.distance.evaluations < made[0].evaluations
    alone = distance_to_optimum((np.array([3.0]), np.array([4.0])), model, tolerance=0.1, random_seed=1)
    assert len(made) == 2
    assert 0 < made[1].evaluations - alone.evaluations < 10  # at its start, before the search
