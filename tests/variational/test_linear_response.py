"""Covariances by linear response: exact where that is known, and no claim where there is none."""

import warnings

import numpy as np
import pymc as pm
import pytest

import posteriors
from kl_plugins.variational import LinearResponse, diagnose, fit, linear_response, snapshot
from kl_plugins.variational.correcting import SETS, _draws_of_a_set
from kl_plugins.variational.evidence.functions import function_moments
from kl_plugins.variational.optimum.fixed_draws import minimise
from kl_plugins.variational.optimum.quasi_random import draws_in_sets
from kl_plugins.variational.optimum.response import Curvature
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, TriangularScales
from kl_plugins.variational.target.derived import functions_of

QUIET = {"random_seed": 1, "progressbar": False}
FAMILIES = {
    "mean-field": MeanFieldScales,
    "full-rank": lambda d: TriangularScales(((d, True),)),
    "groups": lambda d: TriangularScales(((d - 2, True), (2, False))),
}


def precision_of(d, condition):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    units = np.geomspace(1e-3, 1e3, d)
    return (Q * np.geomspace(1.0, condition, d)) @ Q.T / np.outer(units, units), rng.normal(size=d) * units


def quadratic(precision, mean):
    def density(points):
        slopes = -(points - mean) @ precision
        return 0.5 * np.einsum("nd,nd->n", slopes, points - mean), slopes

    return density


def skewed(points):
    """Correlated coordinates, each with a tail on one side that is linear, as that of log σ has."""
    P = np.array([[2.0, 1.2, 0.5], [1.2, 2.0, 0.9], [0.5, 0.9, 1.5]])
    with np.errstate(over="ignore"):
        tails = np.exp(0.7 * points)
    return (
        0.5 * points.sum(axis=1) - tails.sum(axis=1) - 0.5 * np.einsum("nd,de,ne->n", points, P, points),
        0.5 - 0.7 * tails - points @ P,
    )


def curvature(target, family, start, sets, count, rng):
    draws = draws_in_sets(sets, count, family.dimension, rng)
    best = minimise(target, family, start, draws[0], 1e-8).gaussian
    return Curvature(target, family, best, draws, lambda stage: None)


def solved(found, sides):
    return found.solved(sides, lambda stage: None)


def covariance(found, chosen=slice(None)):
    """Of the coordinates."""
    sides = found.sides_of_means()[chosen]
    return solved(found, sides).covariance(sides)


def sds(found):
    sides = found.sides_of_means()
    return solved(found, sides).sds(sides, np.broadcast_to(sides, (found.sets, *sides.shape)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("d", "condition"), [(3, 1.0), (6, 1e4)])
def test_of_a_gaussian_it_is_the_covariance(family, d, condition):
    precision, mean = precision_of(d, condition)
    family = FAMILIES[family](d)
    rng = np.random.default_rng(1)
    start = Gaussian(mean, family.from_hessian(precision))
    found = curvature(quadratic(precision, mean), family, start, 3, 64, rng)
    truth = np.linalg.inv(precision)
    scale = np.sqrt(np.diagonal(truth))
    units = np.outer(scale, scale)
    np.testing.assert_allclose(covariance(found) / units, truth / units, atol=1e-8)
    np.testing.assert_allclose(found.mean / scale, mean / scale, atol=1e-8)
    assert (sds(found)[1] < 1e-6 * scale).all()


def test_products_alone_give_what_the_matrix_gives():
    """Two coordinates of many are solved for without it."""
    precision, mean = precision_of(30, 1e3)
    family = MeanFieldScales(30)
    start = Gaussian(mean, family.from_hessian(precision))
    found = curvature(quadratic(precision, mean), family, start, 2, 128, np.random.default_rng(2))
    few = covariance(found, slice(4, 6))
    assert found._factor is None
    every = covariance(found)
    assert found._factor is not None
    np.testing.assert_allclose(few, every[4:6, 4:6], rtol=1e-5)
    np.testing.assert_allclose(every, np.linalg.inv(precision), rtol=1e-6, atol=1e-12)


def of_log_sigma(x):
    """The log density of log σ, σ ~ HalfNormal(1)."""
    return (x - 0.5 * np.exp(2.0 * x))[:, 0], 1.0 - np.exp(2.0 * x)


def test_of_a_single_logarithm_it_is_the_formula():
    """q* has mean −½ and variance ½, and the Hessian of the ELBO is [[2, 2], [2, 4]] there."""
    family = MeanFieldScales(1)
    start = Gaussian(np.array([0.0]), np.array([0.5]))
    found = curvature(of_log_sigma, family, start, 8, 2**13, np.random.default_rng(3))
    sd, error = sds(found)
    assert abs(found.mean + 0.5) < 3.0 * found.errors(solved(found, found.sides_of_means())) < 0.01
    assert abs(sd - 1.0) < 3.0 * error < 0.01
    # E_q[σ] = exp(−¼) has the derivatives exp(−¼) (1, ½).
    moments = function_moments(np.exp, found)
    sd, error = moments.sds(solved(found, moments.sides))
    # The response, (½ + ¼ · ½) exp(−½), is what the linear and quadratic terms of σ have under q itself.
    assert abs(sd - np.sqrt(1.0 - np.exp(-0.5))) < 3.0 * error < 0.01
    assert abs(moments.mean - np.exp(-0.25)) < 3.0 * moments.mean_error < 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_functions_have_the_derivatives_of_their_means(family):
    """A coordinate itself has the right side of its mean; a product beside differences of its own mean."""
    family = FAMILIES[family](3)
    start = Gaussian(np.zeros(3), family.from_hessian(np.eye(3)))
    found = curvature(skewed, family, start, 2, 256, np.random.default_rng(4))
    moments = function_moments(lambda x: np.concatenate([x, x[:, :1] * x[:, 1:]], axis=1), found)
    np.testing.assert_allclose(moments.sides[:3], found.sides_of_means(), atol=1e-7)
    np.testing.assert_array_equal(found.sides_of_means(np.array([2, 0])), found.sides_of_means()[[2, 0]])

    def mean_product(elbo, coordinates):
        q = elbo.gaussian(coordinates)
        x = q.mean + family.spread(q.root, elbo.draws)
        return (x[:, :1] * x[:, 1:]).mean(axis=0)

    place, both = found.place, found.elbo
    steps = 1e-5 * np.eye(len(place))
    slopes = [mean_product(both, place + step) - mean_product(both, place - step) for step in steps]
    np.testing.assert_allclose(moments.sides[3:], np.transpose(slopes) / 2e-5, atol=1e-7)


OF_STANDARD_NORMAL = {
    "cube": (lambda z: z**3, 15.0),
    "fourth power": (lambda z: z**4, 96.0),
    "wave": (lambda z: np.sin(5.0 * z), -0.5 * np.expm1(-50.0)),
    "bracket": (lambda z: np.maximum(z, 0.0), 0.5 - 0.5 / np.pi),
}
"""Functions and their variances."""


@pytest.mark.parametrize("family", FAMILIES)
def test_functions_of_a_gaussian_in_the_family_have_their_variances(family):
    """Whatever is no combination of linear and quadratic terms."""
    family, scale = FAMILIES[family](3), np.array([0.5, 1.0, 4.0])
    target = quadratic(np.diag(scale**-2), np.ones(3))
    start = Gaussian(np.ones(3), family.from_hessian(np.diag(scale**-2)))
    found = curvature(target, family, start, 16, 512, np.random.default_rng(7))

    def functions(x):
        z = (x - 1.0) / scale
        each = [f(z[:, 1]) for f, _ in OF_STANDARD_NORMAL.values()]
        return np.stack([*each, z[:, 0] * z[:, 1] * z[:, 2]], axis=1)

    moments = function_moments(functions, found)
    sd, error = moments.sds(solved(found, moments.sides))
    truth = np.sqrt([*(variance for _, variance in OF_STANDARD_NORMAL.values()), 1.0])
    np.testing.assert_array_less(abs(sd - truth), 3.5 * error)
    np.testing.assert_array_less(error, 0.02 * truth)


SMOOTH = {
    "linear": lambda x: x @ [1.0, -2.0, 1e-6],
    "in a tail": lambda x: np.exp(4.0 * x[:, 0]),
    "steep": lambda x: np.tanh(30.0 * x[:, 0]),
    "waves": lambda x: np.cos(9.0 * x[:, 0]),
    "constant": lambda x: 3.0 + 0.0 * x[:, 0],
    "with a kink": lambda x: np.maximum(x[:, 0], 0.3),
    "overflow": lambda x: np.exp(1e3 * x[:, 0]),
}
JUMPS = {
    "step": lambda x: np.where(x[:, 0] > 0.3, 1.0, 0.0),
    "step of a sum": lambda x: np.where(x.sum(axis=1) > 1.0, 1e9, 0.0),
    "rounded": lambda x: np.floor(2.0 * x[:, 1]),
    "angle": lambda x: 0.1 * x[:, 0] + np.where(x[:, 0] > 0.0, -6.0, 0.0),
}


def test_functions_that_jump_are_told_from_steep_ones():
    family = MeanFieldScales(3)
    start = Gaussian(np.zeros(3), family.from_hessian(np.eye(3)))
    found = curvature(skewed, family, start, SETS, 32, np.random.default_rng(6))
    every = [*SMOOTH.values(), *JUMPS.values()]
    with np.errstate(over="ignore"):
        moments = function_moments(lambda x: np.stack([f(x) for f in every], axis=1), found)
    assert moments.jumps.tolist() == [False] * len(SMOOTH) + [True] * len(JUMPS)


def test_draws_are_as_many_as_said():
    full = FAMILIES["full-rank"]
    assert _draws_of_a_set(None, 1, MeanFieldScales(5_000)) == 512 // SETS
    assert _draws_of_a_set(None, 3, full(3)) == _draws_of_a_set(None, 3, MeanFieldScales(3)) == 4_096 // SETS
    assert _draws_of_a_set(512, 3, full(3)) == 512 // SETS
    assert _draws_of_a_set(None, 40, full(40)) == 512
    with pytest.raises(ValueError, match="at least 8192 for 40 correlated variables"):
        _draws_of_a_set(4_096, 40, full(40))


def test_nothing_may_depend_on_the_chosen_variables_alone():
    with pm.Model() as model:
        pm.Uniform("x", 0.0, pm.HalfNormal("top"))
    with pytest.raises(ValueError, match=r"x_interval__ alone: .*'x' depends on top_log__ as well"):
        functions_of(model, ("x_interval__",), None)


def scores(target, d, truth, count, repetitions):
    """Errors of standard deviations in stated errors, each time of new draws."""
    family, rng = MeanFieldScales(d), np.random.default_rng(5)
    start = Gaussian(np.full(d, -0.5), np.full(d, 0.7))
    if truth is None:
        truth, _ = sds(curvature(target, family, start, 2, 2**15, rng))
    found = [sds(curvature(target, family, start, SETS, count, rng)) for _ in range(repetitions)]
    return np.array([(sd - truth) / error for sd, error in found])


@pytest.mark.slow
def test_stated_errors_are_those_of_new_draws():
    """By Student's t with 15 degrees of freedom 94 % are within two errors."""
    found = scores(skewed, 3, None, 32, 15)
    assert np.mean(abs(found) < 2.0) >= 0.85
    assert abs(np.mean(found)) < 0.8


@pytest.mark.slow
def test_stated_errors_where_rare_draws_matter():
    """The mean of σ² is in the tail of log σ: draws that miss it do not know, and their errors are small."""
    found = scores(of_log_sigma, 1, 1.0, 256, 60)
    assert np.mean(abs(found) < 2.0) >= 0.65


@pytest.fixture(scope="module")
def correlated():
    """A Gaussian with labels, a function of it that is linear and one that is not, and its mean-field fit."""
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        x = pm.MvNormal("x", [1.0, 2.0, 3.0], cov=COVARIANCE, dims="group")
        pm.Deterministic("total", x.sum())
        pm.Deterministic("rest", x[1:])
        pm.Deterministic("root", pm.math.sqrt(x - 1.0), dims="group")
        pm.Deterministic("noisy", x[0] + pm.Normal.dist())
        pm.Deterministic("step", pm.math.switch(x[0] > 1.0, 2.0, 0.0))
        pm.Deterministic("above", x > 1.0)
        pm.Deterministic("same", pm.math.constant(2.0))
        approximation = fit(**QUIET)
    return model, approximation


COVARIANCE = np.array([[1.0, 0.9, 0.3], [0.9, 1.0, 0.5], [0.3, 0.5, 4.0]])


@pytest.mark.slow
def test_of_a_fit_that_is_certified(correlated):
    _, approximation = correlated
    response = linear_response(approximation, **QUIET)
    assert isinstance(response, LinearResponse)
    assert response.distance is None
    np.testing.assert_allclose(response.gaussian.covariance.matrix(), COVARIANCE, atol=1e-8)
    np.testing.assert_allclose(response.gaussian.mean, [1.0, 2.0, 3.0], atol=1e-8)
    np.testing.assert_allclose(response.uncorrected_sd, snapshot(approximation).std)
    assert response.names == ("x[a]", "x[b]", "x[c]")
    table = response.summary()
    assert list(table.columns) == ["mean", "sd", "mcse_mean", "mcse_sd", "uncorrected_sd"]
    np.testing.assert_allclose(table["sd"], np.sqrt(np.diag(COVARIANCE)))
    assert all(word in repr(response) for word in ("mean-field", "x[b]", "diagnose"))
    assert "<table" in response._repr_html_()
    found = response.to_dataset(["x", "total", "rest"], progressbar=False)
    assert found["x"].dims == ("summary", "group")
    assert found["rest"].dims == ("summary", "rest_dim_0")
    assert list(found["group"].values) == ["a", "b", "c"]
    np.testing.assert_allclose(found["x"].sel(summary="sd"), np.sqrt(np.diag(COVARIANCE)))
    np.testing.assert_allclose(found["total"].sel(summary="sd"), np.sqrt(COVARIANCE.sum()))
    np.testing.assert_allclose(found["total"].sel(summary="mean"), 6.0)
    np.testing.assert_allclose(
        found["total"].sel(summary="uncorrected_sd"), np.linalg.norm(snapshot(approximation).std)
    )
    refused = {
        "root": "not finite",
        "noisy": "randomness",
        "step": "jumps",
        "above": "discrete",
        "same": "depends on no free variable",
        "y": "there are x, total",
    }
    for name, why in refused.items():
        with pytest.raises(ValueError, match=f"'{name}' .*{why}"):
            response.to_dataset(name, progressbar=False)
    with pytest.warns(UserWarning, match="root, step left out"):
        assert set(response.to_dataset(progressbar=False)) == {"x", "total", "rest"}
    assert diagnose(response, draws=2_500, **QUIET).verdict.level == "trust"


def test_of_any_other_it_is_that_of_the_optimum(correlated):
    model, _ = correlated
    start = pm.MeanField(model=model)
    response = linear_response(start, draws=600, **QUIET)
    assert response.distance.jeffreys > 1.0
    assert response.draws * response.sets == 512
    assert "nats (Jeffreys divergence) from that one" in repr(response)
    np.testing.assert_allclose(response.gaussian.covariance.matrix(), COVARIANCE, atol=1e-8)


@pytest.mark.slow
def test_a_certificate_does_not_outlive_the_data():
    with pm.Model() as model:
        shown = pm.Data("shown", np.zeros(3))
        pm.Normal("y", pm.Normal("x", 0.0, 1.0), 1.0, observed=shown)
        approximation = fit(**QUIET)
        pm.set_data({"shown": np.ones(15)})
    assert not approximation.certificate.certified
    assert "the model's data have changed" in str(approximation.certificate)
    response = linear_response(approximation, model, **QUIET)
    assert response.distance.jeffreys > 1.0
    for sd in (response.gaussian.std, response.uncorrected_sd):
        np.testing.assert_allclose(sd, 0.25, rtol=1e-6)


def test_what_cannot_be_had_is_said(correlated):
    model, approximation = correlated
    for settings, message in (
        ({"var_names": "z"}, "'z' is not a free variable"),
        ({"draws": 100}, "draws must be at least 512"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"model": pm.Model()}, "another model"),
    ):
        with pytest.raises(ValueError, match=message):
            linear_response(approximation, **QUIET, **settings)
    with pytest.raises(TypeError, match="linear_response takes"):
        linear_response(model, **QUIET)


def half_normal():
    with pm.Model() as model:
        pm.HalfNormal("sigma")
        pm.Normal("x", shape=6)
    return model


@pytest.mark.slow
def test_of_some_variables_alone():
    model = half_normal()
    approximation = fit(model, **QUIET)
    response = linear_response(approximation, var_names="sigma", **QUIET)
    assert response.names == ("sigma_log__",)
    assert not response.is_whole
    assert "of sigma_log__ alone" in repr(response)
    assert abs(response.gaussian.std[0] - 1.0) < 4.0 * response.mcse_sd < 0.05
    found = response.to_dataset(progressbar=False)
    assert list(found.data_vars) == ["sigma"]
    mean, sd, mean_error, sd_error, _ = found["sigma"].values
    assert abs(sd - np.sqrt(1.0 - np.exp(-0.5))) < 4.0 * sd_error < 0.02
    assert abs(mean - np.exp(-0.25)) < 4.0 * mean_error < 0.01
    with pytest.raises(ValueError, match="of sigma_log__ alone, and a diagnosis needs all"):
        diagnose(response, **QUIET)


@pytest.mark.slow
def test_no_optimum_is_no_response():
    with pm.Model():
        x = pm.Normal("x")
        pm.Potential("jump", pm.math.switch(x > 0.0, 2.0, 0.0))
        start = pm.MeanField()
    with pytest.raises(ValueError, match=r"linear response is that of the best .* jumps"):
        linear_response(start, **QUIET)


def funnel():
    with pm.Model() as model:
        log_scale = pm.Normal("log_scale", 0.0, 1.5)
        pm.Normal("x", 0.0, pm.math.exp(log_scale), shape=4)
    return model


def two_modes():
    with pm.Model() as model:
        centre = pm.Normal("centre", 0.0, 3.0)
        width = pm.Normal("width", 0.0, 1.0)
        pm.Normal("y", centre**2 + 0.3 * width, 0.5, observed=4.0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("model", [funnel, two_modes])
def test_no_trust_where_the_correction_is_wrong(model):
    built = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an error that is large
        response = linear_response(fit(built, **QUIET), **QUIET)
    assert diagnose(response, **QUIET).verdict.level != "trust"


@pytest.mark.slow
@posteriors.needed
@pytest.mark.parametrize("name", ["kidiq-kidscore_momiq", "earnings-logearn_height", "mesquite-logmesquite"])
def test_reference_draws_have_the_corrected_sds(name):
    """Which mean-field has too small by factors of up to 17."""
    model = posteriors.model(name)
    response = linear_response(fit(model, **QUIET), **QUIET)
    found, draws = response.to_dataset(progressbar=False), posteriors.pymc_draws(name)
    ratios = []
    for variable, known in draws.items():
        sd = known.std(axis=(0, 1))
        np.testing.assert_allclose(found[variable].sel(summary="sd"), sd, rtol=0.1)
        ratios.append(np.min(found[variable].sel(summary="uncorrected_sd") / sd))
    assert min(ratios) < 0.3
    assert diagnose(response, **QUIET).verdict.level == "trust"
