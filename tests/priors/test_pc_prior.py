"""Penalised-complexity priors: known densities, mass, the statement about `at`, draws, and life in models."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

from kl_plugins.priors import pc_prior
from priors_known import CASES, INF, sum_and_difference

PROBABILITY = 0.1
HEAVY = {"autoregression"}
"""The graph is of multivariate normals, which take long to compile."""


def slow_if_heavy(names):
    """The names as parameters of a test, the heavy ones slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in names]


CLOSED = slow_if_heavy(name for name, case in CASES.items() if case.distance)


@cache
def prior(name):
    return CASES[name].prior(PROBABILITY)


@cache
def compiled(function, name):
    """A function of a case's prior and of values, of vectors."""
    values = pt.dvector("values")
    return pytensor.function([values], function(prior(name), values))


def slope_of_logp(variable, values):
    return pt.grad(pm.logp(variable, values).sum(), values)


def logp(name, theta):
    return compiled(pm.logp, name)(np.atleast_1d(np.asarray(theta, dtype=float)))


def cdf(name, theta):
    return np.exp(compiled(pm.logcdf, name)(np.atleast_1d(np.asarray(theta, dtype=float))))


def mass(name, start, end):
    """The integral of the density between parameters."""

    def density(theta):
        return np.exp(logp(name, theta.ravel())).reshape(theta.shape)

    found = integrate.tanhsinh(density, start, end, rtol=1e-7)
    return float(found.integral)


@pytest.mark.parametrize("name", CLOSED)
def test_known_densities(name):
    case = CASES[name]
    lower, upper = max(case.bounds[0], -3.0), min(case.bounds[1], 12.0)
    theta = np.linspace(lower, upper, 42)[1:-1]
    expected = case.log_density(theta, PROBABILITY)
    np.testing.assert_allclose(logp(name, theta), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_if_heavy(CASES))
def test_mass_is_one_and_beyond_at_it_is_the_probability(name):
    case = CASES[name]
    ends = sorted({*case.bounds, *case.nearer} | ({case.base} if case.inside else set()))
    masses = [mass(name, *piece) for piece in pairwise(ends)]
    beyond = [
        found
        for found, (start, end) in zip(masses, pairwise(ends), strict=True)
        if end <= case.nearer[0] or start >= case.nearer[1]
    ]
    assert abs(sum(masses) - 1.0) < 1e-6
    assert abs(sum(beyond) - PROBABILITY) < 1e-6
    np.testing.assert_allclose(np.cumsum(masses)[:-1], cdf(name, ends[1:-1]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_if_heavy(CASES))
def test_draws_follow_the_cumulative_probability(name):
    draws = pm.draw(prior(name), 600, random_seed=4)
    assert stats.kstest(cdf(name, draws), "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_if_heavy(CASES))
def test_gradients_near_the_base_and_far_from_it(name):
    case = CASES[name]
    for theta in case.places:
        step = 1e-4 * abs(theta - case.finite_base)
        around = logp(name, theta + step * np.array([-2.0, -1.0, 1.0, 2.0]))
        slope = around @ [1.0, -8.0, 8.0, -1.0] / (12.0 * step)
        (found,) = compiled(slope_of_logp, name)([theta])
        np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-6 + 1e-9 / step)


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_if_heavy(CASES))
def test_outside_of_the_bounds_there_is_nothing(name):
    lower, upper = CASES[name].bounds
    for beyond in (lower, lower - 1.0, upper, upper + 1.0):
        assert logp(name, beyond)[0] == -INF
    assert cdf(name, lower - 1.0)[0] == 0.0
    assert cdf(name, upper + 1.0)[0] == 1.0


@pytest.mark.parametrize("name", slow_if_heavy(name for name, case in CASES.items() if case.inside))
def test_at_the_base_the_density_is_that_of_its_neighbours(name):
    base, (_, nearest, *_) = CASES[name].base, CASES[name].places
    near = base + np.array([-1.0, 1.0]) * 1e-5 * abs(nearest - base)
    np.testing.assert_allclose(logp(name, near), logp(name, base)[0], rtol=1e-4)
    assert np.isfinite(compiled(slope_of_logp, name)([base]))


def normal(mean):
    return pm.Normal.dist(mean, 1.0)


def deviation(name, **settings):
    return pc_prior(
        name,
        lambda sigma: pm.Normal.dist(0.0, sigma),
        0.0,
        at=2.0,
        probability=0.1,
        bounds=(0, INF),
        **settings,
    )


@pytest.fixture(scope="module")
def model():
    with pm.Model(coords={"group": ["a", "b", "c"]}) as made:
        deviation("one")
        deviation("several", shape=2)
        deviation("groups", dims="group")
        pc_prior("rho", sum_and_difference, 0.0, at=0.5, probability=0.1, bounds=(-1, 1), shape=(2, 1))
        pc_prior("mean", normal, 0, at=np.float32(2.0), probability=0.1)
        deviation("started", initval=5.0, transform=None)
    return made


def test_shapes_dims_and_transforms_in_a_model(model):
    shapes = {name: variable.shape for name, variable in model.initial_point().items()}
    assert shapes == {
        "one_interval__": (),
        "several_interval__": (2,),
        "groups_interval__": (3,),
        "rho_interval__": (2, 1),
        "mean": (),
        "started": (),
    }
    assert model.initial_point()["started"] == 5.0
    assert model.named_vars_to_dims["groups"] == ("group",)
    assert all(np.isfinite(value) for value in model.point_logps(round_vals=15).values())


def test_prior_draws_of_a_model(model):
    draws = pm.sample_prior_predictive(500, model=model, random_seed=1).prior
    assert draws["several"].shape == (1, 500, 2)
    assert abs(float((draws["groups"] > 2.0).mean()) - 0.1) < 0.03
    assert abs(float((abs(draws["rho"]) > 0.5).mean()) - 0.1) < 0.03
    assert np.corrcoef(np.squeeze(draws["several"]).T)[0, 1] < 0.2


@pytest.mark.slow
def test_a_model_goes_to_another_process(model):
    point = model.initial_point()
    copy = cloudpickle.loads(cloudpickle.dumps(model))
    assert copy.compile_logp()(point) == model.compile_logp()(point)
    again = pm.draw(copy["rho"], 5, random_seed=1)
    np.testing.assert_array_equal(again, pm.draw(model["rho"], 5, random_seed=1))


def test_single_precision():
    with pytensor.config.change_flags(floatX="float32"):
        made = pc_prior.dist(normal, 0.0, at=2.0, probability=0.1, shape=3)
        assert made.dtype == "float32"
        value = pt.vector("value")
        found = pytensor.function([value], slope_of_logp(made, value))
        np.testing.assert_allclose(found([1.0, 2.0, -3.0]), np.log(0.1) / 2 * np.array([1, 1, -1]), rtol=1e-5)


def test_distributions_that_are_given_as_others_are(model):
    """Bounds in a list, arrays without dimensions, and a frozen distribution of SciPy as the base."""
    case = CASES["Student's t"]
    given = pc_prior.dist(
        case.family, stats.norm(), at=np.array(10), probability=np.array(0.1), bounds=[2, np.inf]
    )
    np.testing.assert_allclose(pm.logp(given, 7.0).eval(), logp("Student's t", 7.0)[0], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deviation", "correlation", "Student's t", "Bernoulli"])
def test_nuts_agrees_with_the_prior(name):
    case = CASES[name]
    with pytensor.config.change_flags(mode="FAST_RUN"), pm.Model():
        pc_prior("x", case.family, case.base, at=case.at, probability=PROBABILITY, bounds=case.bounds)
        draws = pm.sample(
            2_000,
            tune=1_000,
            chains=2,
            cores=1,
            random_seed=3,
            progressbar=False,
            compute_convergence_checks=False,
        )
    found = np.ravel(draws.posterior["x"])[::5]
    assert stats.kstest(cdf(name, found), "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_spawned_processes():
    with pm.Model():
        deviation("x")
        draws = pm.sample(
            300, tune=300, chains=2, cores=2, mp_ctx="spawn", random_seed=3, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    assert draws.posterior["x"].shape == (2, 300)
