"""Diagnoses of approximations whose discrepancies are known in closed form."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import posteriors
from graphs import log_add_exp
from grounds import grounds
from kl_plugins import (
    BlockDiagonal,
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    Precision,
    kl,
)
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.evidence.bounds import bounds_from_divergence, error_bounds
from kl_plugins.variational.evidence.importance import importance, khat_threshold
from kl_plugins.variational.evidence.modes import Mode
from kl_plugins.variational.evidence.moments import Estimate, Moments, compare_moments
from kl_plugins.variational.evidence.proposals import factored, gaussian_draws, wide_draws, wide_log_density
from kl_plugins.variational.evidence.references import compare, reference_draws
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.report.verdict import verdict_on
from kl_plugins.variational.target.density import variables_in
from kl_plugins.variational.target.transforms import constrained, unconstrained
from traces import inference_data

RHO = 0.9
CORRELATED = np.array([[1.0, RHO, 0.0], [RHO, 1.0, 0.0], [0.0, 0.0, 4.0]])
MEAN = np.array([1.0, 2.0, 3.0])
FITS = {
    "exact": (MEAN, CORRELATED),
    "mean-field": (MEAN, np.array([1 - RHO**2, 1 - RHO**2, 4.0])),
    "narrow": (MEAN, 0.7 * CORRELATED),
}


@pytest.fixture(scope="module")
def gaussian_model():
    """Its posterior is its prior, a Gaussian."""
    with pm.Model() as model:
        pm.MvNormal("x", MEAN[:2], cov=CORRELATED[:2, :2])
        pm.Normal("s", 3.0, 2.0)
    return model


@pytest.fixture(scope="module")
def diagnoses(gaussian_model):
    return {name: diagnose(fit, model=gaussian_model, random_seed=1) for name, fit in FITS.items()}


@pytest.fixture(scope="module")
def positive_model():
    with pm.Model() as model:
        pm.HalfNormal("sigma", 1.0)
        pm.Uniform("u", 2.0, 5.0, shape=2)
    return model


@pytest.fixture(scope="module")
def heavy_diagnosis():
    """A posterior, Student's t, whose tails no draw of its best Gaussian goes to; and draws of it."""
    rng = np.random.default_rng(2)
    with pm.Model() as model:
        pm.StudentT("t", nu=4.0, mu=0.0, sigma=1.0)
        pm.Normal("other", 0.0, 1.0)
    draws = {"t": rng.standard_t(4.0, (4, 5_000)), "other": rng.standard_normal((4, 5_000))}
    return diagnose(fit(model, random_seed=1, progressbar=False), draws, random_seed=1)


# Importance sampling


@pytest.mark.slow
@pytest.mark.parametrize("k", [0.2, 0.5, 0.8])
def test_khat_is_the_shape_of_the_tail(k):
    rng = np.random.default_rng(3)
    found = [importance(np.log(stats.genpareto(k).rvs(20_000, random_state=rng)), rng).k for _ in range(12)]
    values, errors = np.array([(one.value, one.error) for one in found]).T
    assert abs(values.mean() - k) < 0.05
    assert 0.4 < values.std() / errors.mean() < 1.7


def test_equal_ratios_are_perfect():
    found = importance(np.full(1_000, -3.0), np.random.default_rng(0))
    assert (found.k.value, found.elbo.value, found.log_evidence.value) == (0.0, -3.0, -3.0)
    assert found.ess == pytest.approx(1_000)
    assert found.kl_to_posterior.value == 0.0


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_ratios_of_a_few_values_have_no_tail(share):
    rng = np.random.default_rng(0)
    ratios = np.where(rng.random(4_000) < share, 0.0, -5.0) + 1e-15 * rng.normal(size=4_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = importance(ratios, rng)
    assert found.k == (0.0, 0.0)
    assert found.reliable


def test_elbo_evidence_and_moments_of_a_shifted_gaussian():
    """p = N(0.5, 1) times e², q = N(0, 1): ELBO = 2 − KL, evidence 2, weighted mean 0.5."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal(50_000)
    found = importance(2.0 + stats.norm.logpdf(x, 0.5) - stats.norm.logpdf(x), rng)
    moments = found.moments(x[:, None])
    for estimate, truth in (
        (found.elbo, 2.0 - 0.125),
        (found.log_evidence, 2.0),
        (found.kl_to_posterior, 0.125),
        (Estimate(moments.mean[0], moments.mean_error[0]), 0.5),
        (Estimate(moments.sd[0], moments.sd_error[0]), 1.0),
    ):
        assert abs(estimate.value - truth) < 4.0 * estimate.error < 0.1


def test_draws_without_posterior_mass():
    rng = np.random.default_rng(5)
    ratios = rng.normal(size=4_000)
    ratios[:1_000] = -np.inf
    found = importance(ratios, rng)
    assert found.elbo.value == -np.inf
    assert np.isfinite(found.k.value)
    with pytest.raises(ValueError, match="finite at 0 of 4000 draws"):
        importance(np.full(4_000, -np.inf), rng)


def test_threshold_of_khat():
    assert khat_threshold(100) == pytest.approx(0.5)
    assert khat_threshold(2_200) == pytest.approx(0.7, abs=1e-3)
    assert khat_threshold(10**6) == 0.7


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(-1883.5731, 0.0069), "-1883.5731 ± 0.0069"),
        (Estimate(3.0, 0.25), "3.00 ± 0.25"),
        (Estimate(304.6, 42.0), "305 ± 42"),
        (Estimate(1.2e-8, 3e-9), "1.2e-08 ± 3e-09"),
        (Estimate(0.5, 0.0), "0.5"),
    ],
)
def test_estimates_show_the_digits_they_know(estimate, text):
    assert str(estimate) == text


# Draws

STRUCTURES = {
    "diagonal": Diagonal([0.25, 4.0, 1.0]),
    "isotropic": Isotropic(2.0, dim=3),
    "dense": Dense(CORRELATED),
    "precision": Precision(np.linalg.inv(CORRELATED)),
    "low rank": LowRank([1.0, 2.0, 3.0], [[1.0], [0.5], [-1.0]]),
    "blocks": BlockDiagonal((Dense(CORRELATED[:2, :2]), Diagonal([4.0]))),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_draws_of_every_structure(structure):
    covariance = STRUCTURES[structure]
    q = factored(NamedMultivariateNormal(MEAN, covariance, (Variable("x", (3,)),)))
    other = stats.multivariate_normal(MEAN, covariance.matrix())
    np.testing.assert_allclose(q.std**2 * np.ones(3), np.diagonal(covariance.matrix()), rtol=1e-12)
    for draw in (gaussian_draws, wide_draws):
        points, densities = draw(q, 4_000, np.random.default_rng(1))
        if draw is gaussian_draws:
            np.testing.assert_allclose(densities, other.logpdf(points), rtol=1e-9)
            whitened = np.linalg.solve(np.linalg.cholesky(covariance.matrix()), (points - MEAN).T)
            np.testing.assert_allclose(np.cov(whitened), np.eye(3), atol=0.1)
        weights = np.exp(other.logpdf(points) - densities)  # at most 2, of mean 1
        assert weights.max() <= 2.0 + 1e-9
        assert abs(weights.mean() - 1.0) <= 4.0 * weights.std() / math.sqrt(4_000) + 1e-9


@pytest.mark.parametrize("covariance", [Diagonal([0.25, 4.0]), Dense([[1.0, 1.2], [1.2, 2.0]])])
def test_wide_draws_have_the_density_that_they_say(covariance):
    q = NamedMultivariateNormal([1.0, -2.0], covariance, (Variable("x", (2,)),))
    points, densities = wide_draws(q, 20_000, np.random.default_rng(6))
    np.testing.assert_allclose(densities, wide_log_density(q, points), rtol=1e-12)
    sd = np.asarray(q.std)
    edges = [
        np.concatenate([-(10.0 ** np.linspace(3, 0.7, 60)), np.linspace(-5, 5, 400)[1:-1]]) for _ in range(2)
    ]
    grid = [np.unique(np.concatenate([edge, -edge])) for edge in edges]
    mesh = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1) * sd + q.mean
    density = np.exp(wide_log_density(q, mesh.reshape(-1, 2))).reshape(mesh.shape[:2])
    for axis in (0, 1):
        marginal = np.trapezoid(density, grid[1 - axis], axis=1 - axis) * sd.prod()
        cdf = np.concatenate([[0.0], np.cumsum(0.5 * (marginal[1:] + marginal[:-1]) * np.diff(grid[axis]))])
        assert cdf[-1] == pytest.approx(1.0, abs=3e-3)
        standardised = (points[:, axis] - q.mean[axis]) / sd[axis]
        test = stats.kstest(standardised, lambda x, g=grid[axis], c=cdf: np.interp(x, g, c / c[-1]))
        assert test.pvalue > 1e-3


# Bounds


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("scale", [0.5, 0.9, 1.0, 1.1, 1.3])
def test_errors_are_within_the_bounds(shift, scale):
    """p = N(shift, scale²), q = N(0, 1): D₂ has a closed form where scale² < 2."""
    precision = 2.0 / scale**2 - 1.0
    # ∫ p²/q = exp(shift²/(2 − scale²)) / (scale √(2 − scale²))
    divergence = shift**2 / (2.0 - scale**2) - math.log(scale**2 * math.sqrt(precision))
    bounds = bounds_from_divergence(Estimate(divergence, 0.0), np.ones(1))
    assert abs(shift) <= bounds.mean[0] + 1e-12
    assert abs(scale - 1.0) <= bounds.sd[0] + 1e-12
    if (shift, scale) == (0.1, 1.0):
        assert bounds.mean[0] < 0.11  # nearly attained


def test_bounds_from_draws():
    rng = np.random.default_rng(7)
    x = rng.standard_normal(50_000)
    found = error_bounds(importance(stats.norm.logpdf(x, 0.2) - stats.norm.logpdf(x), rng), np.ones(1))
    # 2 (CUBO₂ − ELBO) is D₂ + 2 KL(q‖p) here.
    assert abs(found.divergence.value - (0.04 + 2 * 0.02)) < 4.0 * found.divergence.error < 0.02
    heavy = importance(np.log(stats.genpareto(0.8).rvs(20_000, random_state=rng)), rng)
    assert error_bounds(heavy, np.ones(1)) is None


# Verdicts


@pytest.mark.slow
def test_an_exact_fit_is_trusted(diagnoses):
    found = diagnoses["exact"]
    assert found.verdict.level == "trust"
    assert found.verdict.discrepancies == ()
    assert abs(found.importance.elbo.value) < 1e-8  # the evidence is 1
    assert found.importance.k.value == 0.0
    assert found.bounds.divergence.value < 1e-9
    assert found.distance.jeffreys < 1e-6
    assert found.information_gained == pytest.approx({"x": 0.0, "s": 0.0}, abs=1e-12)


def test_an_exact_fit_far_from_zero_is_trusted():
    """Floats there are 1.5e-8 apart."""
    with pm.Model() as model:
        pm.Normal("x", 1e8, 1e-6)
    found = diagnose(([1e8], [1e-12]), model=model, draws=4_000, random_seed=1)
    assert found.verdict.level == "trust"
    assert abs(found.posterior.mean[0] - 1e8) < 1e-7
    assert found.posterior.sd[0] == pytest.approx(1e-6, rel=0.1)


def test_mean_field_is_refused_where_it_is_wrong(diagnoses):
    found = diagnoses["mean-field"]
    assert found.verdict.level == "reject"
    assert {discrepancy.name for discrepancy in found.verdict.discrepancies} == {"x[0]", "x[1]"}
    for discrepancy in found.verdict.discrepancies:
        assert discrepancy.sd_ratio.value == pytest.approx(math.sqrt(1 - RHO**2), rel=0.05)
    assert "mean-field's independence is the cause" in found.verdict.advice
    assert found.distance.jeffreys < 1e-6  # and yet it is the best of its family
    loss = -0.5 * math.log(1 - RHO**2)
    assert found.full_rank.kl_to.value == pytest.approx(loss, abs=1e-3)
    gain = found.full_rank.elbo_gain  # without error, as both families have an exact optimum
    assert abs(gain.value - loss) < 4.0 * gain.error + 1e-12
    assert abs(found.kl_to_posterior.value - loss) < 4.0 * found.kl_to_posterior.error < 0.1
    assert found.bounds is None


def test_a_fit_that_weights_repair(diagnoses):
    found = diagnoses["narrow"]
    assert found.verdict.level == "resample"
    assert {discrepancy.name for discrepancy in found.verdict.discrepancies} == {"x[0]", "x[1]", "s"}
    assert "Refit with variational.fit: the best approximation of its family is right" in found.verdict.advice
    np.testing.assert_allclose(found.weighted.sd, np.sqrt(np.diag(CORRELATED)), rtol=0.05)
    assert found.importance.k.value == pytest.approx(0.3, abs=0.2)  # 1 − the ratio of variances
    # KL(q‖p) = ½ d (0.7 − 1 − ln 0.7)
    truth = 1.5 * (0.7 - 1.0 - math.log(0.7))
    assert abs(found.importance.elbo.value + truth) < 4.0 * found.importance.elbo.error
    gap = found.distance
    assert abs(gap.elbo_gap - truth) < max(4.0 * gap.elbo_gap_error, 1e-6)


@pytest.mark.slow
def test_a_tail_out_of_reach(heavy_diagnosis):
    found = heavy_diagnosis
    for verdict in (found.verdict, found.verdict_without_reference):
        assert verdict.level == "reject"
        assert [discrepancy.name for discrepancy in verdict.discrepancies] == ["t"]
    truth = math.sqrt(2.0)
    wide = found.survey.moments
    assert abs(wide.sd[0] - truth) < 3.0 * wide.sd_error[0] < 0.15
    assert found.weighted.sd[0] < 0.95 * truth
    assert found.moment_k[0] > 0.65 > found.moment_k[1]


RIGHT = Moments.exact(np.zeros(2), np.ones(2))
NARROW = Moments.exact(np.zeros(2), np.array([0.7, 1.0]))
Q = NamedMultivariateNormal(np.zeros(2), Diagonal(np.ones(2)), (Variable("x", (2,)),))
FAR = OptimumDistance(
    optimum=Q, jeffreys=50.0, kl_to_optimum=25.0, kl_from_optimum=25.0, sampling_error=0.01, reached=True
)
ROUGH = replace(FAR, sampling_error=2.0, reached=False, reason="few draws")


def evidence(**changes):
    """Of a fit whose first sd is a fifth too small, which weights repair."""
    truth = Moments(np.zeros(2), np.ones(2), np.full(2, 0.01), np.full(2, 0.01))
    rng = np.random.default_rng(12)
    facts = {
        "names": ("a", "b"),
        "raw": Moments.exact(np.zeros(2), np.array([0.8, 1.0])),
        "weighted": truth,
        "moment_k": np.array([0.5, 0.2]),
        "truth": truth,
        "source": "draws with wider tails",
        "importance": importance(rng.normal(0.0, 0.5, 5_000), rng),
        "missed": Estimate(0.0, 0.01),
    }
    return grounds(**(facts | changes))


def heavy_importance():
    rng = np.random.default_rng(13)
    return importance(np.log(stats.genpareto(0.9).rvs(5_000, random_state=rng)), rng)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "resample", "Weight or resample"),
        ({"raw": RIGHT}, "trust", "means and sds: all within 0.1 posterior sd"),
        ({"importance": heavy_importance()}, "reject", "weights cannot correct the approximation"),
        (
            {"importance": heavy_importance(), "raw": RIGHT},
            "reject",
            "none was found to be wrong.* may miss a part of the posterior",
        ),
        (
            {"importance": heavy_importance(), "raw": RIGHT, "by_reference": True},
            "trust",
            "agrees with the reference draws to 0.1",
        ),
        ({"raw": RIGHT, "modes": (Mode(np.ones(2), 0.3),)}, "reject", "other modes: found, with about 30%"),
        ({"moment_k": np.array([0.8, 0.2])}, "reject", r"k̂ of the variance is above 0.70 for a \(0.80\)"),
        (
            {"weighted": Moments.exact(np.zeros(2), np.array([0.85, 1.0]))},
            "reject",
            "the weighted estimates are wrong for a",
        ),
        ({"reliable": False, "raw": RIGHT}, "reject", "means and sds: not known"),
        (
            {
                "raw": RIGHT,
                "truth": Moments(np.zeros(2), np.ones(2), np.full(2, 0.2), np.full(2, 0.01)),
            },
            "reject",
            "not known to 0.1 posterior sd.* too few draws",
        ),
        ({"missed": Estimate(0.1, 0.01)}, "resample", "10% of the posterior's mass is where"),
        (
            {"mean_field": True, "full_rank": RIGHT},
            "resample",
            r"Or: Use variational\.fit\(model, method='fullrank_advi'\): the best full-rank fit is right",
        ),
        (
            # The distance is known too roughly to say what the best mean-field fit is like.
            {"mean_field": True, "full_rank": RIGHT, "best": NARROW, "distance": ROUGH},
            "resample",
            r"Or: Use variational\.fit\(model, method='fullrank_advi'\): the best full-rank fit is right",
        ),
        (
            {"mean_field": True, "full_rank": RIGHT, "best": NARROW, "distance": FAR},
            "resample",
            "Or: It has not converged, and mean-field would not do either: use variational",
        ),
        (
            {"importance": heavy_importance(), "full_rank": NARROW, "hierarchical": True},
            "reject",
            r"No Gaussian of these coordinates is right: reparametrise \(non-centred",
        ),
        (
            {"importance": heavy_importance(), "hierarchical": True},
            "reject",
            r"What to do: Reparametrise \(non-centred",
        ),
        ({"importance": heavy_importance()}, "reject", "What to do: Reparametrise, or run NUTS"),
        (
            {"truth": Moments(np.zeros(2), np.ones(2), np.full(2, 0.01), np.array([0.01, np.inf]))},
            "reject",
            r"wrong for a \(sd .*\), by .*; not known for b, whose tails are beyond these draws",
        ),
    ],
)
def test_verdicts(changes, level, words):
    found = verdict_on(evidence(**changes))
    assert found.level == level
    assert re.search(words, str(found))


def test_the_former_name_of_discrepancies_still_serves():
    found = verdict_on(evidence())
    with pytest.warns(DeprecationWarning, match="discrepancies"):
        assert found.faults == found.discrepancies


def test_another_optimum_is_a_reason_for_doubt(diagnoses):
    distance = replace(diagnoses["exact"].distance, other_optima=(-1.0,))
    raw = RIGHT
    assert verdict_on(evidence(raw=raw, distance=distance)).level == "reject"
    assert verdict_on(evidence(raw=raw, distance=distance, by_reference=True)).level == "trust"
    far = replace(distance, other_optima=(-10.0,))
    assert verdict_on(evidence(raw=raw, distance=far)).level == "trust"


@pytest.mark.slow
def test_a_reference_decides_where_there_is_one(heavy_diagnosis):
    found = heavy_diagnosis
    assert found.source == "the reference draws"
    assert found.posterior is found.reference.moments
    q, other = found.approximation, found.reference.gaussian
    for estimate, truth in (
        (found.reference.kl_to, kl(q, other)),
        (found.reference.kl_from, kl(other, q)),
    ):
        assert estimate.value == float(truth)
        assert 0.0 < estimate.error < 0.5 * estimate.value


@pytest.mark.parametrize(("apart", "seen"), [(20.0, True), (400.0, False)])
def test_another_mode(apart, seen):
    """k̂ sees none; a search from afar finds one that is not too far; the reference tells in any case."""
    rng = np.random.default_rng(8)
    with pm.Model() as model:
        x = pm.Flat("x")
        pm.Potential("modes", log_add_exp(-0.5 * x**2, -0.5 * (x + apart) ** 2))
    draws = {"x": rng.choice([-apart, 0.0], 4_000) + rng.standard_normal(4_000)}
    found = diagnose(([0.0], [1.0]), draws, model, draws=4_000, random_seed=1)
    assert found.importance.k.value < 0.1
    assert found.importance.reliable
    assert found.verdict.level == "reject"
    assert found.verdict.discrepancies[0].sd_ratio.value == pytest.approx(
        1 / math.hypot(1.0, apart / 2), rel=0.01
    )
    assert found.verdict_without_reference.level == ("reject" if seen else "trust")
    if seen:
        (mode,) = found.modes
        assert mode.point[0] == pytest.approx(-apart, abs=1e-3)
        assert 0.3 < mode.share < 0.6


@posteriors.needed
@pytest.mark.parametrize(
    ("name", "method", "level", "worst"),
    [
        pytest.param(
            "eight_schools-eight_schools_noncentered",
            "fullrank_advi",
            "reject",
            "tau_log__",
            marks=pytest.mark.slow,
        ),
        pytest.param("mesquite-logmesquite", "advi", "reject", "beta[1]", marks=pytest.mark.slow),
        ("mesquite-logmesquite", "fullrank_advi", "trust", None),
    ],
)
def test_verdicts_of_reference_posteriors(name, method, level, worst):
    with posteriors.model(name) as model:
        approximation = fit(method=method, random_seed=1, progressbar=False)
        found = diagnose(approximation, posteriors.pymc_draws(name), model, random_seed=1)
    for verdict in (found.verdict, found.verdict_without_reference):
        assert verdict.level == level
        assert (verdict.discrepancies[0].name if verdict.discrepancies else None) == worst


def test_moments_are_at_fault_beyond_tolerance_and_error():
    truth = Moments(np.zeros(4), np.ones(4), np.full(4, 0.01), np.array([0.01, 0.01, 0.01, 0.2]))
    given = Moments.exact(np.array([0.11, 0.13, 0.0, 0.0]), np.array([1.0, 1.0, 0.8, 0.8]))
    found = compare_moments("abcd", given, truth, 0.1)
    assert [discrepancy.name for discrepancy in found.discrepancies] == ["c", "b"]
    assert not found.known  # d's sd is hardly known
    assert compare_moments(
        "abc", Moments(*(part[:3] for part in given)), Moments(*(p[:3] for p in truth)), 0.3
    ).right


# The model's own variables


def test_constrained_and_back(positive_model):
    variables = (Variable("u_interval__", (2,)), Variable("sigma_log__", ()))
    points = np.random.default_rng(9).normal(size=(50, 3))
    values = constrained(positive_model, variables, points)
    np.testing.assert_allclose(values["sigma"], np.exp(points[:, 2]), rtol=1e-12)
    np.testing.assert_allclose(values["u"], 2.0 + 3.0 / (1.0 + np.exp(-points[:, :2])), rtol=1e-12)
    np.testing.assert_allclose(unconstrained(positive_model, variables, values), points, rtol=1e-9)


@pytest.mark.slow
def test_means_of_constrained_variables(positive_model):
    q = ([-0.5, 0.0, 0.0], [0.09, 1.0, 1.0])
    found = diagnose(q, model=positive_model, draws=20_000, full_rank=False, random_seed=1)
    assert found.elements.names == ("sigma", "u[0]", "u[1]")
    raw = found.elements.raw
    truth = math.exp(-0.5 + 0.045)
    assert abs(raw.mean[0] - truth) < 4.0 * raw.mean_error[0] < 0.02
    assert abs(raw.sd[0] - truth * math.sqrt(math.expm1(0.09))) < 4.0 * raw.sd_error[0] < 0.02
    wide = found.elements.wide
    for i, (mean, sd) in enumerate(
        [(math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)), (3.5, 3 / 12**0.5)]
    ):
        assert abs(wide.mean[i] - mean) < 4.0 * wide.mean_error[i] < 0.1
        assert abs(wide.sd[i] - sd) < 4.0 * wide.sd_error[i] < 0.1
    assert found.information_gained.keys() == {"sigma", "u"}
    assert math.isnan(found.information_gained["u"])
    assert found.full_rank is None


def test_information_gained_over_normal_priors(diagnoses):
    prior = MultivariateNormal(MEAN[:2], Dense(CORRELATED[:2, :2]))
    for name, scale in (("mean-field", None), ("narrow", 0.7)):
        given = Diagonal([1 - RHO**2] * 2) if scale is None else Dense(scale * CORRELATED[:2, :2])
        gained = diagnoses[name].information_gained
        assert gained["x"] == pytest.approx(float(kl(MultivariateNormal(MEAN[:2], given), prior)), rel=1e-9)
    assert diagnoses["narrow"].information_gained["s"] == pytest.approx(0.5 * (0.7 - 1 - math.log(0.7)))


# References


def test_references_of_every_kind(positive_model):
    rng = np.random.default_rng(10)
    sigma, u = rng.gamma(2.0, size=(2, 300)), rng.uniform(2.0, 5.0, (2, 300, 2))
    variables = (Variable("sigma_log__", ()), Variable("u_interval__", (2,)))
    want = np.concatenate([np.log(sigma)[..., None], np.log((u - 2.0) / (5.0 - u))], axis=-1)
    dataset = xr.Dataset(
        {"u": (("draw", "chain", "i"), u.swapaxes(0, 1)), "sigma": (("chain", "draw"), sigma)}
    )
    for reference in ({"sigma": sigma, "u": u}, dataset, inference_data(sigma=sigma, u=u)):
        np.testing.assert_allclose(reference_draws(reference, positive_model, variables), want, rtol=1e-9)
    flat = reference_draws({"sigma": sigma[0], "u": u[0]}, positive_model, variables)
    np.testing.assert_allclose(flat, want[:1], rtol=1e-9)


def test_errors_of_reference_figures(gaussian_model):
    """The spread of figures over repeated sets of draws is what each set says its error is."""
    rng = np.random.default_rng(11)
    q = NamedMultivariateNormal(MEAN, Dense(1.5 * CORRELATED), (Variable("x", (2,)), Variable("s", ())))
    sets = [rng.multivariate_normal(MEAN, CORRELATED, (2, 1_000)) for _ in range(12)]
    found = [compare(q, gaussian_model, {"x": one[..., :2], "s": one[..., 2]}) for one in sets]
    for pick in (lambda one: one.kl_to, lambda one: one.kl_from):
        values, errors = np.array([pick(one) for one in found]).T
        assert 0.5 < values.std(ddof=1) / errors.mean() < 2.0
    sds, errors = np.array([(one.moments.sd[2], one.moments.sd_error[2]) for one in found]).T
    assert 0.5 < sds.std(ddof=1) / errors.mean() < 2.0
    truth = 1.5 * (1.5 - 1.0 - math.log(1.5))
    assert abs(np.mean([one.kl_to.value for one in found]) - truth) < 0.02
    assert 1_500 < found[0].ess < 3_000


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        ({"sigma": np.ones((2, 300))}, "'u' is missing"),
        (
            {"sigma": np.ones((2, 300)), "u": np.ones((2, 300, 2)), "tau": np.ones((2, 300))},
            "'tau' is not a variable of the model",
        ),
        ({"sigma": np.ones((2, 300)), "u": np.ones((2, 300, 3))}, r"'u' has shape \(2, 300, 3\)"),
        ({"sigma": np.ones((2, 300)), "u": np.ones((300, 2))}, "different numbers of chains and draws"),
        (
            {"sigma": -np.ones((2, 300)), "u": np.full((2, 300, 2), 3.0)},
            "outside the model's support: sigma_log__",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_references_that_do_not_fit(positive_model, draws, message):
    variables = (Variable("sigma_log__", ()), Variable("u_interval__", (2,)))
    with pytest.raises(ValueError, match=message):
        reference_draws(draws, positive_model, variables)


def test_a_reference_has_to_vary(positive_model):
    variables = (Variable("sigma_log__", ()), Variable("u_interval__", (2,)))
    u = np.random.default_rng(0).uniform(2.0, 5.0, (300, 2))
    u[:, 1] = 3.0
    with pytest.raises(ValueError, match=r"do not vary in sigma_log__, u_interval__\[1\]: "):
        reference_draws({"sigma": np.ones(300), "u": u}, positive_model, variables)


@pytest.mark.slow
def test_a_reference_off_the_simplex():
    with pm.Model() as model:
        pm.Dirichlet("p", np.ones(3))
    draws = np.random.default_rng(0).dirichlet(np.ones(3), (2, 100))
    variables = variables_in(model)
    assert reference_draws({"p": draws.astype(np.float32)}, model, variables).shape == (2, 100, 2)
    with pytest.raises(ValueError, match=r"outside the model's support: 'p' \(by up to .* add up to 1"):
        reference_draws({"p": 1.5 * draws}, model, variables)


def test_a_model_is_no_reference(gaussian_model):
    with pytest.raises(TypeError, match=r"a model: give it by name, diagnose\(approx, model=model\)"):
        diagnose(FITS["exact"], gaussian_model)
    fitted = xr.DataTree.from_dict(
        {name: xr.Dataset({"x": 0.0}) for name in ("posterior", "optimizer_result")}
    )
    with pytest.raises(TypeError, match="reference given holds draws of a variational fit"):
        diagnose(FITS["exact"], fitted, gaussian_model)
    with pytest.raises(TypeError, match=r"there is no model: call diagnose\(approx, model=model\)"):
        diagnose(FITS["exact"])


@pytest.mark.slow
def test_an_approximation_beyond_the_posterior(positive_model):
    with pytest.raises(ValueError, match=r"finite at 0 of 2500 draws .* fit it anew \(variational\.fit\)"):
        diagnose((np.full(3, 1000.0), np.ones(3)), model=positive_model, draws=2_500, random_seed=1)


def test_a_reference_has_to_be_draws_and_enough(positive_model):
    q = NamedMultivariateNormal(
        np.zeros(3), Diagonal(np.ones(3)), (Variable("sigma_log__", ()), Variable("u_interval__", (2,)))
    )
    with pytest.raises(TypeError, match="reference must be an InferenceData or DataTree"):
        compare(q, positive_model, 3.0)
    few = {"sigma": np.linspace(1.0, 2.0, 10), "u": np.linspace(3.0, 4.0, 20).reshape(10, 2)}
    with pytest.raises(ValueError, match="10 draws of 3 coordinates"):
        compare(q, positive_model, few)


# What it looks like


def test_dataset_summary_and_report(diagnoses, heavy_diagnosis):
    for found in (diagnoses["mean-field"], heavy_diagnosis):
        dataset = found.to_dataset()
        assert dataset.attrs["verdict"] == found.verdict.level
        assert all(isinstance(value, str) for value in dataset.attrs.values())
        assert {array.dtype.kind for array in dataset.values()} <= set("fib")
        for name, estimate in found.scalars().items():
            assert float(dataset[name]) == pytest.approx(estimate.value, nan_ok=True)
            assert f"{name}_error" in dataset
        table = found.summary()
        assert tuple(table.index) == found.names
        faulty = {discrepancy.name for discrepancy in found.verdict.discrepancies}
        assert set(table.index[table["at_fault"]]) == faulty
        np.testing.assert_allclose(
            dataset["sd_ratio"].sel(coordinate=found.names[0]), table["sd_ratio"].iloc[0]
        )
        for text in (repr(found), found._repr_html_()):
            assert "Do not trust it" in text
            assert "ELBO" in text
            assert all(name in text for name in faulty)
    with pytest.raises(ValueError, match="space must be"):
        found.summary("real")


def test_stored_as_a_group(diagnoses):
    idata = inference_data(s=np.zeros((2, 10)))
    diagnoses["narrow"].add_to(idata)
    assert idata["vi_diagnosis"].attrs["verdict"] == "resample"
    assert float(idata["vi_diagnosis"]["khat"].values) == diagnoses["narrow"].importance.k.value


def test_kept_in_a_file(diagnoses, tmp_path):
    dataset = diagnoses["narrow"].to_dataset()
    dataset.to_netcdf(tmp_path / "diagnosis.nc")
    with xr.open_dataset(tmp_path / "diagnosis.nc") as kept:
        assert kept.attrs == dataset.attrs
        np.testing.assert_array_equal(kept["weighted_sd"], dataset["weighted_sd"])
        assert [str(name) for name in kept["coordinate"].values] == list(diagnoses["narrow"].names)


@pytest.mark.slow
def test_a_trajectory_of_approximations(gaussian_model):
    path = [(MEAN + gap, np.diag(CORRELATED)) for gap in (4.0, 1.0, 0.0)]
    found = diagnose(path, model=gaussian_model, draws=3_000, full_rank=False, random_seed=1)
    trail = found.trajectory
    np.testing.assert_allclose(
        trail["jeffreys_of_step"][1:], np.array([9.0, 1.0]) * (1 + 1 + 0.25), rtol=1e-9
    )
    assert np.all(np.diff(trail["jeffreys_to_optimum"]) < 0.0)
    assert np.all(np.diff(trail["elbo"]) > 0.0)
    assert found.approximation.mean[0] == MEAN[0]


# Bad input


def test_models_without_anything_to_approximate():
    with pm.Model() as model:
        pm.Normal("y", observed=[1.0])
    with pytest.raises(ValueError, match="no free variables"):
        diagnose(([0.0], [1.0]), model=model)
    with pm.Model() as model:
        pm.Normal("x")
        pm.Poisson("count", 3.0)
    with pytest.raises(ValueError, match="discrete variables have no Gaussian approximation: count"):
        diagnose(([0.0, 0.0], [1.0, 1.0]), model=model)


def test_a_diverged_approximation(gaussian_model):
    approximation = pm.MeanField(model=gaussian_model)
    approximation.params_dict["rho"].set_value(np.full(3, np.nan))
    with pytest.raises(ValueError, match="diverged"):
        diagnose(approximation)
    with pytest.raises(ValueError, match="diverged"):
        diagnose((np.full(3, np.nan), np.ones(3)), model=gaussian_model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 50}, "draws of at least 100, better 2,200, got 50"),
        ({"tolerance": 0.0}, "tolerance must be a positive number"),
        ({"optimum_tolerance": -1.0}, "optimum_tolerance must be a positive number"),
    ],
)
def test_settings_without_meaning(gaussian_model, options, message):
    with pytest.raises(ValueError, match=message):
        diagnose(FITS["exact"], model=gaussian_model, **options)


def test_nothing_to_diagnose(gaussian_model):
    with pytest.raises(ValueError, match="empty list"):
        diagnose([], model=gaussian_model)
    with pytest.raises(TypeError, match=r"takes what pm\.fit or .* got str$"):
        diagnose("advi", model=gaussian_model)


def test_few_draws_are_warned_of(gaussian_model):
    # Warnings are errors here.
    with pytest.raises(UserWarning, match="500 draws are few"):
        diagnose(FITS["exact"], model=gaussian_model, draws=500)


def test_labelled_axes_are_put_in_the_models_order():
    rng = np.random.default_rng(0)
    with pm.Model(coords={"g": ["a", "b", "c"]}) as model:
        pm.Normal("x", [0.0, 5.0, 10.0], 1.0, dims="g")
    draws = rng.normal([0.0, 5.0, 10.0], 1.0, size=(2, 500, 3))
    labelled = xr.Dataset({"x": (("chain", "draw", "g"), draws)}, coords={"g": ["a", "b", "c"]})
    variables = variables_in(model)
    want = reference_draws(labelled, model, variables)
    for other in (labelled.isel(g=[2, 0, 1]), labelled.transpose("g", "draw", "chain")):
        np.testing.assert_array_equal(reference_draws(other, model, variables), want)
    with pytest.raises(ValueError, match="other labels of 'g' than the model, in 'x'"):
        reference_draws(labelled.assign_coords(g=["a", "b", "z"]), model, variables)


def test_the_model_of_an_approximation_is_its_own():
    with pm.Model():
        pm.Normal("x")
        approximation = pm.MeanField()
    with pm.Model() as other:
        pm.Normal("x")
    with pytest.raises(ValueError, match="of another model than the one given"):
        diagnose(approximation, model=other)
