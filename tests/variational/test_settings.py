"""What callers may get wrong about settings, and what messages say of it."""

from __future__ import annotations

import re
from inspect import signature

import numpy as np
import pymc as pm
import pytest

from grounds import grounds
from kl_plugins.variational import (
    KLConvergence,
    NotConvergedWarning,
    diagnose,
    distance_to_optimum,
    fit,
    snapshot,
)
from kl_plugins.variational.evidence.importance import importance
from kl_plugins.variational.evidence.moments import Estimate, Moments
from kl_plugins.variational.optimum.fixed_draws import elbo_gap
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales
from kl_plugins.variational.report.stopping import Look, still_moving
from kl_plugins.variational.report.verdict import verdict_on


@pytest.fixture(scope="module")
def model():
    with pm.Model() as built:
        pm.Normal("x", 1.0, 2.0)
    return built


Q = ([1.0], [4.0])
CALLS = {
    "fit": lambda model, **given: fit(model, progressbar=False, **given),
    "distance": lambda model, **given: distance_to_optimum(Q, model, **given),
    "diagnose": lambda model, **given: diagnose(Q, model=model, progressbar=False, **given),
    "monitor": lambda model, **given: KLConvergence(**given),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"tolerance": np.inf}, ValueError),
        ({"tolerance": np.nan}, ValueError),
        ({"tolerance": 1e-300}, ValueError),
        ({"tolerance": "a"}, TypeError),
        ({"random_seed": "a"}, TypeError),
        ({"random_seed": -1}, ValueError),
    ],
)
def test_settings_of_all(model, call, given, error):
    (name,) = given
    with pytest.raises(error, match=f"^{name} must be"):
        CALLS[call](model, **given)


@pytest.mark.parametrize(
    ("call", "given", "error"),
    [
        ("fit", {"max_draws": 0}, ValueError),
        ("fit", {"max_draws": 511}, ValueError),
        ("fit", {"max_draws": 2.5}, ValueError),
        ("distance", {"max_draws": "many"}, TypeError),
        ("fit", {"max_evaluations": 0}, ValueError),
        ("distance", {"max_evaluations": 1e6}, ValueError),
        ("diagnose", {"max_evaluations": "many"}, TypeError),
        ("diagnose", {"full_rank": "maybe"}, TypeError),
        ("diagnose", {"draws": "x"}, TypeError),
        ("diagnose", {"optimum_tolerance": np.inf}, ValueError),
        ("monitor", {"every": 0}, ValueError),
        ("monitor", {"check": "no"}, TypeError),
        ("distance", {"max_draws": 100}, ValueError),
    ],
)
def test_settings_of_some(model, call, given, error):
    (name,) = given
    with pytest.raises(error, match=f"^{name} must be"):
        CALLS[call](model, **given)


def test_the_class_of_the_callback_instead_of_one(model):
    with model, pytest.raises(TypeError, match=r"class KLConvergence, .*: callbacks=\[KLConvergence\(\)\]"):
        pm.fit(10, callbacks=[KLConvergence], progressbar=False)
    assert list(signature(KLConvergence).parameters) == ["tolerance", "every", "check", "random_seed"]
    with pytest.raises(TypeError, match="positional argument"):
        KLConvergence(0.1, 10)


@pytest.mark.parametrize(
    ("rhat", "drift", "error", "at_rest", "said"),
    [
        (1.59, 0.06, 0.01, False, "less than the tolerance of 0.1, but more than a quarter of it (0.025)"),
        (1.59, 0.6, 0.01, False, "by 0.6 nats (Jeffreys divergence), more than the tolerance of 0.1"),
        (1.59, 0.01, 0.01, False, "little, but no less than after half as many iterations"),
        (1.59, 0.01, 0.05, True, "error of the average is 0.05 nats (at most 0.025 is wanted"),
        (1.02, 0.0, 0.01, True, "no parameter drifts (R̂ up to 1.02), the Monte Carlo error"),
    ],
)
def test_why_a_fit_was_not_stationary(rhat, drift, error, at_rest, said):
    assert said in still_moving(Look(1_000, error, rhat, drift, np.nan), 0.1, at_rest)


@pytest.mark.parametrize("approx", [None, "a", 3])
def test_no_approximation(approx):
    with pytest.raises(TypeError, match=f"^diagnose takes what .*, got {type(approx).__name__}"):
        diagnose(approx)


@pytest.mark.parametrize("given", [pm.ADVI, pm.MeanField])
def test_what_fits_an_approximation_is_none(model, given):
    """An object that fits one has it as an attribute, a class makes one."""
    stranger = given(model=model) if given is pm.ADVI else given
    for door in (snapshot, distance_to_optimum, diagnose, lambda one: KLConvergence()(one, None, 1)):
        with pytest.raises(TypeError, match=r"got ADVI, .* approx|got the class MeanField"):
            door(stranger)


def test_particles_are_refused_by_name(model):
    particles = pm.Empirical(size=10, model=model)
    for door in (snapshot, distance_to_optimum, diagnose, lambda one: KLConvergence()(one, None, 1)):
        with pytest.raises(TypeError, match=r"EmpiricalGroup is not .*: fit one of these \(method='advi'"):
            door(particles)


def test_a_gap_within_its_noise_is_none():
    def quartic(points):
        return -0.25 * (points**4).sum(axis=1), -(points**3)

    family, best = MeanFieldScales(1), Gaussian(np.zeros(1), np.array([0.76]))
    gaps = [
        elbo_gap(quartic, family, best, best._replace(mean=np.array([shift])), 64, np.random.default_rng(1))
        for shift in (1e-6, 0.3)
    ]
    assert gaps[0][0] == 0.0
    assert gaps[1][0] < -0.01  # that is more than noise


def test_a_start_where_the_models_own_has_no_gradient():
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0)
        pm.Potential("root", pm.math.sqrt(pm.math.abs(x)) - 2.0 * (x - 3.0) ** 2)
    with pytest.raises(ValueError, match="gradient is not finite at its initial point"):
        fit(model, progressbar=False)
    found = fit(model, start={"x": 2.0}, random_seed=1, progressbar=False)
    assert found.certificate.certified


def evidence(log_ratios, **changes):
    """Of a fit whose moments are not seen to be wrong."""
    one, rng = np.ones(1), np.random.default_rng(1)
    moments = Moments.exact(0.0 * one, one)
    given = {
        "names": ["x"],
        "raw": moments,
        "weighted": moments,
        "moment_k": np.zeros(1),
        "truth": moments,
        "source": "draws",
        "importance": importance(log_ratios, rng),
        "missed": Estimate(0.0, 0.1),
    }
    return grounds(**(given | changes))


def test_more_draws_are_advised_only_where_they_help():
    rng = np.random.default_rng(2)
    heavy = evidence(1.2 * rng.exponential(size=20_000))
    assert heavy.importance.k.value > 0.8
    advice = verdict_on(heavy).advice
    assert "more draws" not in advice
    assert "non-centred" in advice
    few = evidence(-0.7 * np.log1p(-(np.arange(150) + 0.5) / 150))  # the quantiles of such a tail
    assert few.importance.threshold < few.importance.k.value < 0.7
    assert verdict_on(few).advice.startswith("Diagnose with more draws")


def test_equal_ratios_beside_a_missing_tail_do_not_contradict_it():
    text = str(verdict_on(evidence(np.zeros(1_000), outside="the log density is −∞ at x = -4.5")))
    assert "is the posterior" not in text
    assert "right wherever the posterior has mass" in text


@pytest.mark.slow
def test_the_end_of_a_fit_says_whose_distance_it_tells():
    with pm.Model():
        pm.Normal("x", np.arange(3.0), 1.0, shape=3)
        monitor = KLConvergence(0.001, random_seed=1)
        pattern = r"(?s)The average is .* nats from .*, the last iterate .*monitor\.write_back\(\) puts"
        with pytest.warns(NotConvergedWarning, match=pattern):
            approximation = pm.fit(
                1_500,
                obj_optimizer=pm.sgd(learning_rate=0.001),
                callbacks=[monitor],
                progressbar=False,
                random_seed=1,
            )
    (last,) = re.findall(r"the last iterate (\d[\d.e-]*\d)", monitor.message)
    truth = distance_to_optimum(approximation, random_seed=2).jeffreys
    assert float(last) == pytest.approx(truth, rel=0.01)


@pytest.mark.slow
def test_minibatches_that_have_no_whole_are_told_what_can_be_done():
    data = np.random.default_rng(1).normal(2.0, 1.0, size=500)

    def build(observed, **options):
        with pm.Model() as built:
            pm.Normal("y", pm.Normal("mean", 0.0, 10.0), 1.0, observed=observed, **options)
        return built

    full = build(data)
    with pm.Model() as small:
        shown = pm.Data("shown", data[:100])
        pm.Normal("y", pm.Normal("mean", 0.0, 10.0), 1.0, observed=shown, total_size=len(data))
    monitor = KLConvergence(10.0)
    with small, pytest.warns(NotConvergedWarning) as caught:
        approximation = pm.fit(
            1_100,
            obj_optimizer=pm.sgd(learning_rate=1e-6),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
        )
    (warning,) = [str(one.message) for one in caught]
    assert monitor.status == "not stationary"
    assert "at most 1.1 is wanted) by" in warning
    assert "variational.fit;" not in warning
    assert re.search(r"total_size of y is 500.*snapshot\(approximation\)", warning)
    with pytest.raises(ValueError, match=r"another model.*snapshot\(approximation\)"):
        distance_to_optimum(approximation, full)
    assert distance_to_optimum(snapshot(approximation), full, random_seed=1).jeffreys > 1.0
