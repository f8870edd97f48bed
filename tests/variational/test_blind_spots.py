"""What draws of an approximation do not show: other modes, tails, ends of the support, no posterior."""

from __future__ import annotations

import io
import math
import re
import sys

import numpy as np
import pymc as pm
import pytest
from rich.console import Console
from scipy import stats

from graphs import log_add_exp
from kl_plugins import Dense, Diagonal, progress
from kl_plugins.estimate.tails import pareto_khat
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.evidence.importance import error_factor, importance, pareto_smoothed
from kl_plugins.variational.evidence.moments import Estimate, Moments, compare_moments
from kl_plugins.variational.evidence.proposals import Survey
from kl_plugins.variational.optimum.propriety import endless_direction, outside_support
from kl_plugins.variational.optimum.start_points import prior_points, symmetric_images
from kl_plugins.variational.target.density import TargetDensity, variables_in


def look(q, model, **options):
    return diagnose(q, model=model, **({"draws": 4_000, "random_seed": 1} | options))


# Modes


def mixture(labels):
    """Data at 0 and ±4 (or ±2 for two labels), means of components with nothing to tell them apart."""
    places = np.linspace(-4.0, 4.0, labels) if labels > 2 else np.array([-2.0, 2.0])
    data = (places[:, None] + stats.norm.ppf((np.arange(30) + 0.5) / 30)).ravel()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 5.0, shape=labels, initval=places)
        pm.NormalMixture("y", np.full(labels, 1.0 / labels), mu, 1.0, observed=data)
    return places, model


@pytest.mark.slow
@pytest.mark.parametrize("labels", [2, 3])
def test_exchanged_labels_are_modes(labels):
    """They are 25 sds apart; each is found once, and each has its part of the posterior."""
    places, model = mixture(labels)
    found = look(([*places], np.full(labels, 1 / 30)), model, full_rank=False)
    assert found.verdict.level == "reject"
    orders = {tuple(np.argsort(mode.point)) for mode in found.modes}
    assert len(found.modes) == len(orders) == math.factorial(labels) - 1
    for mode in found.modes:
        assert mode.share == pytest.approx(1.0 / math.factorial(labels), rel=0.2)
        assert mode.copy
        assert mode.height == pytest.approx(0.0, abs=1e-3)
    assert re.search(r"labels exchanged\. .*ordered", str(found.verdict))
    assert sum(mode.share for mode in found.modes) < 1.0


def test_a_narrow_mirror_image():
    """x² is known: modes at ±2, 160 sds apart."""
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 5.0)
        pm.Normal("y", x**2, 0.1, observed=4.0)
    found = look(([2.0], [0.025**2]), model)
    assert found.verdict.level == "reject"
    (mode,) = found.modes
    assert mode.point[0] == pytest.approx(-2.0, abs=1e-3)
    assert mode.share == pytest.approx(0.5, abs=0.05)
    assert found.full_rank is None  # in one dimension it would be the same


def test_a_mode_that_only_the_prior_knows():
    """Neither an image of the other mode nor within 30 sds of it."""
    with pm.Model() as model:
        x = pm.Uniform("x", -1.0, 1_000.0, default_transform=None, initval=0.0)
        pm.Potential("modes", log_add_exp(-0.5 * x**2, -0.5 * (x - 700.0) ** 2))
    assert [round(mode.point[0]) for mode in look(([0.0], [0.01]), model).modes] == [700]


@pytest.mark.slow
def test_a_turn_further_is_no_other_mode():
    with pm.Model() as model:
        pm.VonMises("angle", 3.0, 4.0)
    for turns in (0, -1):
        found = look(([3.0 + 2.0 * math.pi * turns], [0.3]), model)
        assert found.modes == ()
        assert found.verdict.discrepancies == ()
        assert abs(found.log_evidence.value) < 4.0 * found.log_evidence.error < 0.05


def test_images_flip_signs_and_exchange_elements():
    variables = (Variable("mu", (3,)), Variable("w", (3,)), Variable("s", ()))
    point = np.arange(1.0, 8.0)
    found = {tuple(row) for row in symmetric_images(point, variables, np.random.default_rng(0))}
    assert tuple(-point) in found
    assert (-1.0, -2.0, -3.0, 4.0, 5.0, 6.0, 7.0) in found  # one variable
    assert (3.0, 2.0, 1.0, 4.0, 5.0, 6.0, 7.0) in found  # labels of one
    assert (3.0, 2.0, 1.0, 6.0, 5.0, 4.0, 7.0) in found  # labels that both share
    assert len(found) <= 24


def test_draws_of_the_prior():
    rng = np.random.default_rng(0)
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2.0, 1.0)
        pm.Normal("x", rate, 1.0, shape=2)
    assert prior_points(model, variables_in(model), rng).shape == (8, 3)
    with model:
        pm.Flat("anywhere")
    assert prior_points(model, variables_in(model), rng).shape == (0, 4)


# Tails


@pytest.mark.parametrize("k", [-0.5, 0.3, 0.9])
def test_the_shape_of_a_tail_is_that_of_pareto_smoothing(k):
    values = stats.genpareto(k).rvs(20_000, random_state=3)
    assert pareto_khat(values) == pytest.approx(pareto_smoothed(np.log(values))[1], abs=0.01)
    (factor,) = error_factor(values[:, None])
    assert factor == (1.0 if k < 0.5 else np.inf)
    assert 1.0 < error_factor(stats.genpareto(0.6).rvs((20_000, 1), random_state=3))[0] < 20_000**0.2


def test_errors_are_infinite_where_a_tail_holds_the_moment():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((5_000, 1))
    ratios = stats.norm.logpdf(x[:, 0], scale=1.05) - stats.norm.logpdf(x[:, 0])
    assert np.isfinite(importance(ratios, rng).moments(x).sd_error).all()
    wide = stats.t.logpdf(x[:, 0], 3) - stats.norm.logpdf(x[:, 0])
    assert np.isinf(importance(wide, rng).moments(x).sd_error).all()
    heavy = importance(np.log(stats.genpareto(1.2).rvs(5_000, random_state=4)), rng)
    assert np.isinf([heavy.log_evidence.error, heavy.kl_to_posterior.error]).all()
    assert str(Estimate(-3.25, np.inf)) == "-3.25 (error not known)"


@pytest.mark.slow
def test_no_error_of_a_moment_that_does_not_exist():
    with pm.Model() as model:
        pm.Cauchy("x", 0.0, 1.0)
        pm.Normal("y")
    found = look(([0.0, 0.0], [1.7, 1.0]), model, draws=20_000, random_seed=2)
    assert np.isinf(found.posterior.sd_error[0])
    assert np.isinf(found.marginal_kl.kl_to_error[0])
    assert found.posterior.sd_error[1] < 0.02
    assert found.verdict.level == "reject"
    assert "the sds of x are not known" in str(found.verdict) or "mean may be right or wrong" in str(
        found.verdict
    )


def test_bounds_of_standard_deviations_hold():
    """The logarithm of a Gamma variable has a long left tail; of shape ¾ its variance is known."""
    with pm.Model() as model:
        pm.Gamma("x", 0.75, 1.0, shape=2)
    target = TargetDensity(model)
    q = NamedMultivariateNormal(np.full(2, -0.6), Diagonal(np.full(2, 1.33)), target.variables)
    truth = math.sqrt(stats.loggamma(0.75).var())
    floors = np.array([Survey(target, q, 5_000, np.random.default_rng(seed)).sd_floor for seed in range(8)])
    assert (floors < truth).all()
    assert (floors > 0.7 * truth).all()


def test_a_bound_makes_a_fault():
    truth = Moments(
        np.zeros(3), np.ones(3), np.array([np.inf, np.inf, 0.01]), np.array([np.inf, np.inf, 0.01])
    )
    given = Moments.exact(np.full(3, 0.5), np.array([0.6, 0.75, 1.0]))
    found = compare_moments("abc", given, truth, 0.1, floor=np.array([0.8, 0.8, 0.98]))
    assert [str(discrepancy) for discrepancy in found.discrepancies] == [
        "c (mean off by 0.500 ± 0.010 posterior sd)",
        "a (sd at most 0.75 times the posterior's; its mean may be right or wrong)",
    ]
    assert not found.known
    assert [discrepancy.name for discrepancy in compare_moments("abc", given, truth, 0.1).discrepancies] == [
        "c"
    ]


@pytest.mark.slow
def test_nothing_is_made_up_in_many_dimensions():
    """Mean-field of 120 correlated coordinates: not one draw in 20,000 comes near the posterior."""
    d = 120
    covariance = 0.1 * np.eye(d) + 0.9
    with pm.Model() as model:
        pm.MvNormal("x", np.zeros(d), chol=np.linalg.cholesky(covariance))
    found = look((np.zeros(d), 1.0 / np.diagonal(np.linalg.inv(covariance))), model, draws=20_000)
    assert found.verdict.level == "reject"
    assert found.verdict.discrepancies == ()
    assert np.isinf(found.posterior.sd_error).all()
    assert "means and sds: not known" in str(found.verdict)
    assert "Try variational.fit(model, method='fullrank_advi')" in found.verdict.advice


# The support


@pytest.fixture(scope="module")
def cut_model():
    """A Gaussian of which the posterior has lost what is beyond five sds."""
    with pm.Model() as model:
        x = pm.MvNormal("x", [1.0, 0.0], cov=[[4.0, 1.2], [1.2, 1.0]])
        pm.Potential("cut", pm.math.switch(x[0] > 11.0, -np.inf, 0.0))
    return model


def test_a_posterior_that_ends_within_reach(cut_model):
    q = (np.array([1.0, 0.0]), np.array([[4.0, 1.2], [1.2, 1.0]]))
    found = look(q, cut_model)
    assert found.verdict.level == "resample"
    assert "the log density is −∞ at x[0] = 13, 6 sd from the mean), so KL(q‖posterior) is inf" in str(found)
    assert found.kl_to_posterior.value == np.inf
    assert found.scalars()["elbo"].value == -np.inf
    assert found.bounds is None


def test_no_fit_is_certified_beyond_the_support(cut_model):
    with pytest.warns(UserWarning, match="KL.* is infinite"):
        found = fit(cut_model, method="fullrank_advi", random_seed=1, progressbar=False)
    assert not found.certificate.certified


def test_supports_are_followed_along_correlations():
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0, shape=2)
        pm.Potential("cut", pm.math.switch(pm.math.abs(x[0] - x[1]) > 3.0, -np.inf, 0.0))
    target = TargetDensity(model)
    near = Dense([[1.0, 0.99], [0.99, 1.0]])
    assert outside_support(target, NamedMultivariateNormal([0.0, 0.0], near, target.variables)) == ""
    apart = NamedMultivariateNormal([0.0, 0.0], Diagonal([1.0, 1.0]), target.variables)
    assert "x[0] = 4, 4 sd from the mean" in outside_support(target, apart)


# No posterior


def unpinned():
    pm.Flat("a")
    pm.Normal("b")


def ridge():
    pm.Normal("y", pm.Flat("a") + pm.Flat("b"), 1.0, observed=np.ones(5))


@pytest.mark.parametrize(("make", "along"), [(unpinned, "a"), (ridge, "a with b")])
def test_an_improper_posterior_is_refused(make, along):
    with pm.Model() as model:
        make()
    with pytest.raises(
        ValueError, match=rf"\(not normalisable\): its log density does not fall along {along},"
    ):
        look(([0.0, 0.3], [1.0, 1.0]), model)


@pytest.mark.slow
def test_proper_posteriors_are_taken_as_such():
    with pm.Model() as model:
        pm.Cauchy("x", 0.0, 1.0)
        scale = pm.HalfCauchy("scale", 1.0)
        pm.VonMises("angle", 0.0, 1.0)
        pm.Uniform("u", 0.0, 1.0)
        sd = pm.HalfFlat("sd")
        mean = pm.Flat("mean", shape=2)
        pm.Normal("near", mean[0] + 1e3 * mean[1], 1e-3 * scale, observed=1.0)
        pm.Normal("y", mean[1], sd, observed=[1.0, 2.0, 4.0])
    target = TargetDensity(model)
    d = target.dimension
    for scale in (1e-3, 1.0, 1e3):
        q = NamedMultivariateNormal(np.full(d, 0.1), Diagonal(np.full(d, scale**2)), target.variables)
        assert endless_direction(target, q) == ""


# What it looks like


def test_an_exact_fit_has_no_error():
    with pm.Model() as model:
        pm.Normal("x", 1.0, 2.0)
    found = look(([1.0], [4.0]), model)
    assert found.verdict.level == "trust"
    assert found.importance.elbo.error == found.log_evidence.error == 0.0
    assert found.kl_to_posterior == (0.0, 0.0)
    assert found.full_rank is None
    assert "full-rank" not in str(found)
    assert "p/q is the same at all draws" in str(found)
    assert str(Estimate(2e-32, 3e-31)) == "0 (to rounding)"


def test_progress_is_shown_in_a_terminal(monkeypatch):
    monkeypatch.setattr(progress, "may_be_seen", lambda: True)
    with pm.Model() as model:
        pm.Normal("x")
    for terminal, wanted in ((True, True), (True, False), (False, True)):
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=terminal, force_jupyter=False, width=100)
        monkeypatch.setattr("rich.get_console", lambda console=console: console)
        look(([0.0], [1.0]), model, progressbar=wanted)
        assert ("looking for" in screen.getvalue()) == (terminal and wanted)


@pytest.mark.parametrize("lasting", [True, False])
def test_the_clock_is_seen_beside_any_stage(monkeypatch, lasting):
    monkeypatch.setattr(progress, "may_be_seen", lambda: True)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, force_jupyter=False, width=80)
    monkeypatch.setattr("rich.get_console", lambda: console)
    with progress.progress_line(True, lasting=lasting) as report:
        report("x" * 100)
    assert re.search("x… .*0:00:0", screen.getvalue())


def test_progress_in_a_notebook_without_widgets_is_silent(monkeypatch, recwarn):
    monkeypatch.setattr(progress, "may_be_seen", lambda: True)
    console = Console(file=io.StringIO(), force_jupyter=True)
    monkeypatch.setattr("rich.get_console", lambda: console)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # as if it were not installed
    monkeypatch.setattr(progress, "find_spec", {"ipywidgets": None}.get)
    for lasting in (True, False):
        with progress.progress_line(True, lasting=lasting) as report:
            report("looking for something")
    assert not [w for w in recwarn if "ipywidgets" in str(w.message)]


@pytest.mark.slow
def test_log_densities_without_gradients(monkeypatch):
    with pm.Model() as model:
        x = pm.Normal("x", shape=3)
        pm.Potential("sum", -pm.math.exp(0.1 * x[:, None] * np.linspace(0.0, 1.0, 400)).sum())
    target = TargetDensity(model)
    assert (
        target.terms[0].points_at_once <= 2**17 // 1_200
    )  # not the vector of 400 alone stays in the cache, but the matrix
    points = np.random.default_rng(1).standard_normal((50, 3))
    want, _ = target(points)
    for patience in (np.inf, 0.0):
        monkeypatch.setattr("kl_plugins.variational.target.density.PATIENCE", patience)
        np.testing.assert_allclose(target.values(points), want, rtol=1e-12)
    assert target.evaluations >= 150
