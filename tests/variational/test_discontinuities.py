"""Log densities that jump: gradients do not see it, so that nothing is certified by them."""

from __future__ import annotations

import math

import numpy as np
import pymc as pm
import pytest

from kl_plugins.variational import KLConvergence, NotConvergedWarning, diagnose, distance_to_optimum, fit
from kl_plugins.variational.optimum.discontinuities import displacement_by_discontinuities, find_discontinuity
from kl_plugins.variational.optimum.nonconvergence import why_not_converged
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, TriangularScales
from kl_plugins.variational.target.density import TargetDensity


def normal(x):
    return -0.5 * np.sum(x**2, axis=1), -x


def plus(change, slope=None):
    """A standard normal log density with a function of the first coordinate added."""

    def target(x):
        values, gradients = normal(x)
        gradients = gradients.copy()
        gradients[:, 0] += 0.0 if slope is None else slope(x[:, 0])
        return values + change(x[:, 0]), gradients

    return target


def funnel(x):
    v, rest = x[:, 0], x[:, 1:]
    squares = np.sum(rest**2, axis=1) * np.exp(-v)
    k = rest.shape[1]
    slope = np.concatenate([(-v / 9 - 0.5 * k + 0.5 * squares)[:, None], -rest * np.exp(-v)[:, None]], axis=1)
    return -(v**2) / 18 - 0.5 * k * v - 0.5 * squares, slope


def cauchy(x):
    return -np.log1p(x**2).sum(axis=1), -2.0 * x / (1.0 + x**2)


SMOOTH = {
    "normal": normal,
    "kink": plus(lambda x: -2.0 * abs(x), lambda x: -2.0 * np.sign(x)),
    "steep": plus(lambda x: 5.0 * np.tanh(200.0 * x), lambda x: 1_000.0 * (1.0 - np.tanh(200.0 * x) ** 2)),
    "rounded": plus(lambda x: (x + 1e12) - 1e12),
    "rounded in places": plus(
        lambda x: np.where(x > 1.0, (np.sin(1e9 * x) + 1e13) - 1e13 - np.sin(1e9 * x), 0)
    ),
    "funnel": funnel,
    "Cauchy": cauchy,
}
JUMPING = {
    "switch": plus(lambda x: np.where(x > 0.0, 0.0, -5.0)),
    "small": plus(lambda x: np.where(x > 1.5, 0.0, -0.1)),
    "floor": plus(lambda x: np.floor(10.0 * x)),
}


def standard(d, family):
    family = MeanFieldScales(d) if family == "mean-field" else TriangularScales(((d, True),))
    return family, Gaussian(np.zeros(d), family.from_hessian(np.eye(d)))


@pytest.mark.parametrize("name", SMOOTH)
def test_no_jumps_are_seen_in_what_is_continuous(name):
    for d in (2, 30):
        family, gaussian = standard(d, "mean-field")
        for seed in range(5):
            assert find_discontinuity(SMOOTH[name], family, gaussian, np.random.default_rng(seed)) is None


@pytest.mark.parametrize("family", ["mean-field", "full-rank"])
@pytest.mark.parametrize("name", JUMPING)
def test_jumps_are_found_and_placed(name, family):
    places = {"switch": (0.0, 5.0), "small": (1.5, 0.1), "floor": (None, 1.0)}
    for d in (1, 20):
        scales, gaussian = standard(d, family)
        jump = find_discontinuity(JUMPING[name], scales, gaussian, np.random.default_rng(1))
        place, size = places[name]
        assert jump.size == pytest.approx(size, rel=1e-3)
        assert jump.coordinate == 0
        assert place is None or jump.place[0] == pytest.approx(place, abs=1e-4)


def test_small_jumps_are_found_beside_much_that_bends():
    family, gaussian = standard(10, "mean-field")

    def target(x):
        values, gradients = funnel(x)
        return values + np.where(x[:, 0] > 0.0, 0.0, -0.5), gradients

    for seed in range(3):
        assert find_discontinuity(
            target, family, gaussian, np.random.default_rng(seed)
        ).size == pytest.approx(0.5)


@pytest.mark.parametrize("family", ["mean-field", "full-rank"])
@pytest.mark.parametrize(("place", "size", "d"), [(0.0, 5.0, 1), (0.0, 5.0, 5), (1.0, 2.0, 3)])
def test_what_gradients_miss(place, size, d, family):
    """Of a jump of h at c it is (h φ(c))² by the mean and (c h φ(c))²/2 by the scale."""
    scales, gaussian = standard(d, family)
    target = plus(lambda x: np.where(x > place, 0.0, -size))
    density = size * math.exp(-0.5 * place**2) / math.sqrt(2.0 * math.pi)
    exact = density**2 * (1.0 + 0.5 * place**2)
    gap = displacement_by_discontinuities(target, scales, gaussian, 0.5 * exact, np.random.default_rng(1))
    assert abs(gap.value - exact) < 4.0 * gap.error < exact
    far = plus(lambda x: np.where(x > 3.0, 0.0, -0.2))
    assert (
        displacement_by_discontinuities(far, scales, gaussian, 0.0025, np.random.default_rng(1)).most < 0.0025
    )


@pytest.mark.parametrize("name", ["normal", "funnel", "Cauchy"])
def test_gradients_miss_nothing_of_what_is_smooth(name):
    family, gaussian = standard(4, "mean-field")
    for seed in range(3):
        gap = displacement_by_discontinuities(
            SMOOTH[name], family, gaussian, 0.1, np.random.default_rng(seed)
        )
        assert abs(gap.value) < 4.0 * gap.error + 1e-12


@pytest.fixture(scope="module")
def switched():
    """The best Gaussian has mean 0.868 and sd 0.496, 3.07 nats from the one that gradients lead to."""
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("step", pm.math.switch(x > 0.0, 0.0, -5.0))
    return model


def test_fits_of_a_jumping_density_are_not_certified(switched):
    with pytest.warns(UserWarning, match=r"jumps, by 5 nats at x = 0 .*sigmoid.*marginalise.*MCMC"):
        approximation = fit(switched, random_seed=1, progressbar=False)
    assert not approximation.certificate.certified
    distance = distance_to_optimum(approximation, random_seed=2)
    assert not distance.reached
    assert not distance.known
    assert distance.obstacle.reason is Reason.DISCONTINUOUS
    assert np.isnan([distance.jeffreys, distance.kl_to_optimum, distance.elbo_gap]).all()
    assert distance.interval == (0.0, math.inf)
    assert "= 0" not in str(distance).split(":")[0]
    assert "could not be computed: the log density jumps" in str(distance)
    found = diagnose(approximation, draws=4_000, random_seed=1)
    assert "Make it smooth" in found.verdict.advice
    for words in ("at the optimum", "not converged", "reparametrise", "independence"):
        assert words not in str(found)
    assert "not known" in str(found.scalars()["jeffreys_to_optimum"])


@pytest.mark.slow
def test_a_watched_fit_of_a_jumping_density_claims_rest_at_most(switched):
    monitor = KLConvergence(1.0, every=5, random_seed=1)
    with switched, pytest.warns(NotConvergedWarning, match="stationary after .*not compared .*jumps"):
        pm.fit(
            20_000,
            obj_optimizer=pm.adam(learning_rate=0.05),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
        )
    assert monitor.status == "stationary"
    assert np.isnan(monitor.history[-1].to_optimum)


@pytest.mark.slow
def test_jumps_are_the_reason_where_nothing_rests():
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 3.0)
        pm.Normal("y", pm.math.floor(x), 1.0, observed=np.linspace(-0.5, 3.0, 20))
    with pytest.warns(UserWarning, match=r"not certified: the log density jumps.* by many nats"):
        approximation = fit(model, random_seed=1, progressbar=False)
    assert not approximation.certificate.certified


@pytest.mark.parametrize("flat", [pm.Flat, pm.HalfFlat])
def test_an_improper_density_is_no_matter_of_rounding(flat):
    with pm.Model() as model:
        flat("x")
    target = TargetDensity(model)
    family = MeanFieldScales(1)
    drifted = Gaussian(np.array([1e9]), np.array([1e9]))
    reason = str(why_not_converged(target, family, drifted, 0.025, np.random.default_rng(1)))
    assert "the posterior is improper" in reason
    assert f"does not fall along {target.variables[0].name}" in reason
