"""The best Gaussian of a family: where it is known, it is found; where it cannot be had, that is said."""

from importlib.metadata import version

import arviz
import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pymc.variational.opvi import Approximation, Group

from kl_plugins import Cholesky, Diagonal, MultivariateNormal, jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import distance_to_optimum, fit, snapshot
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import MeanFieldScales, TriangularScales
from kl_plugins.variational.optimum.search import find_optimum
from kl_plugins.variational.optimum.starts import starts_from
from kl_plugins.variational.target.density import TargetDensity


def precision_of(d, condition, seed=0):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    P = (Q * np.geomspace(1.0, condition, d)) @ Q.T
    return 0.5 * (P + P.T), rng.normal(size=d)


def gaussian_model(d, condition, units=1.0):
    P, mean = precision_of(d, condition)
    units = np.broadcast_to(units, d)
    with pm.Model() as model:
        off = (pm.Flat("x", shape=d) - mean * units) / units
        pm.Potential("log_density", -0.5 * pm.math.dot(off, pm.math.dot(P, off)))
    return model


def gaussian_optimum(d, condition, family, units=1.0):
    """Mean-field: variances 1/diag(P). Full rank: the target."""
    P, mean = precision_of(d, condition)
    units = np.broadcast_to(units, d)
    variables = (Variable("x", (d,)),)
    if family == "advi":
        return NamedMultivariateNormal(mean * units, Diagonal(units**2 / np.diag(P)), variables)
    factor = units[:, None] * np.linalg.cholesky(np.linalg.inv(P))
    return NamedMultivariateNormal(mean * units, Cholesky(factor), variables)


@pytest.mark.parametrize("family", ["advi", "fullrank_advi"])
@pytest.mark.parametrize(("d", "condition"), [(2, 1.0), (20, 1e3), (60, 1e3)])
def test_the_optimum_of_a_gaussian_target_is_exact(d, condition, family):
    approximation = fit(gaussian_model(d, condition), family, random_seed=1, progressbar=False)
    assert approximation.certificate.certified
    assert jeffreys(snapshot(approximation), gaussian_optimum(d, condition, family)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("family", ["advi", "fullrank_advi"])
def test_units_do_not_matter(family):
    units = np.geomspace(1e-6, 1e6, 5)
    approximation = fit(gaussian_model(5, 100.0, units), family, random_seed=1, progressbar=False)
    assert approximation.certificate.certified
    assert jeffreys(snapshot(approximation), gaussian_optimum(5, 100.0, family, units)) < 1e-6


@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_the_distance_of_a_gaussian_target_is_exact(family):
    model = gaussian_model(4, 30.0)
    method = "advi" if family is pm.MeanField else "fullrank_advi"
    best = gaussian_optimum(4, 30.0, method)
    with model:
        approximation = family()
    q = snapshot(approximation)
    distance = distance_to_optimum(approximation, random_seed=2)
    assert distance.reached
    np.testing.assert_allclose(distance.jeffreys, jeffreys(q, best), rtol=1e-6)
    P, _ = precision_of(4, 30.0)
    off = q.mean - best.mean

    def loss(covariance, mean_off=0.0):  # KL(· ‖ posterior) up to a constant
        quadratic = mean_off @ P @ mean_off if np.ndim(mean_off) else 0.0
        return 0.5 * (np.trace(P @ covariance) + quadratic - np.linalg.slogdet(covariance)[1])

    gap = loss(q.covariance.matrix(), off) - loss(best.covariance.matrix())
    np.testing.assert_allclose(distance.elbo_gap, gap, rtol=1e-6)
    low, high = distance.interval
    assert low <= distance.jeffreys <= high


@pytest.fixture(scope="module")
def two_variables():
    """Variables out of alphabetical order, of unlike shapes and scales, one of them transformed."""
    with pm.Model() as model:
        slope = pm.Normal("slope", 3.0, 1e-3, shape=(2, 2))
        pm.LogNormal("alpha", 5.0, 0.5)
        pm.Normal("link", slope.sum(), 10.0)
    return model


def two_variables_optimum(q):
    """Mean-field optimum: variances are the inverses of the diagonal of the precision."""
    mean, variance = np.empty(6), np.empty(6)
    slope, alpha, link = (q.slices[name] for name in ("slope", "alpha_log__", "link"))
    mean[slope], variance[slope] = 3.0, 1.0 / (1e6 + 0.01)
    mean[alpha], variance[alpha] = 5.0, 0.25
    mean[link], variance[link] = 12.0, 100.0
    return NamedMultivariateNormal(mean, Diagonal(variance), q.variables)


def test_variables_keep_their_places(two_variables):
    approximation = fit(two_variables, random_seed=3, progressbar=False)
    q = snapshot(approximation)
    assert jeffreys(q, two_variables_optimum(q)) < 1e-8
    samples = approximation.sample(200, random_seed=1, return_inferencedata=False)
    assert abs(samples["slope"].mean() - 3.0) < 0.01
    assert abs(np.log(samples["alpha"]).mean() - 5.0) < 0.2
    assert abs(samples["link"].mean() - 12.0) < 4.0


@pytest.mark.slow
def test_approximations_from_elsewhere(two_variables):
    with two_variables:
        ours = pm.MeanField()
    q = snapshot(ours)
    reordered = q.reorder(q.variables[::-1])
    expected = jeffreys(q, two_variables_optimum(q))
    for approx in (
        ours,
        q,
        reordered,
        MultivariateNormal(q.mean, Diagonal(q.std**2)),
        (q.mean, q.std**2),
    ):
        distance = distance_to_optimum(approx, two_variables, random_seed=1)
        np.testing.assert_allclose(distance.jeffreys, expected, rtol=1e-6)
    full = distance_to_optimum((q.mean, np.diag(q.std**2)), two_variables, random_seed=1)
    assert full.optimum.describe() == "NamedMultivariateNormal(Cholesky)"


def stored(**groups):
    """Groups of xarray datasets as ArviZ of either generation keeps them."""
    if version("arviz").startswith("0."):
        return arviz.InferenceData(**groups)
    return xr.DataTree.from_dict(groups)


def laplace_group(q, names=("alpha_log__", "slope[a,0]", "slope[a,1]", "slope[b,0]", "slope[b,1]", "link")):
    """As pymc_extras.fit_laplace leaves it, the variables in another order than the model's."""
    order = [4, 0, 1, 2, 3, 5]
    data = {
        "mean_vector": ("rows", q.mean[order]),
        "covariance_matrix": (("rows", "columns"), np.diag(q.std[order] ** 2)),
    }
    return xr.Dataset(data, coords={"rows": list(names)})


def test_the_laplace_approximation_of_pymc_extras(two_variables):
    with two_variables:
        q = snapshot(pm.MeanField())
    group = laplace_group(q)
    distance = distance_to_optimum(stored(fit=group, posterior=xr.Dataset()), two_variables, random_seed=1)
    np.testing.assert_allclose(distance.jeffreys, jeffreys(q, distance.optimum), rtol=1e-9)
    assert distance.optimum.names == ("alpha_log__", "slope", "link")
    for given, message in (
        ({"fit": group.drop_vars("covariance_matrix")}, "it is a mode, no Gaussian"),
        ({"posterior": group}, r"draws of NUTS go into reference=: diagnose\(approx, reference=draws\)"),
    ):
        with pytest.raises(TypeError, match=message):
            distance_to_optimum(stored(**given), two_variables)
    other = laplace_group(q, ("beta", *group["rows"].values[1:]))
    with pytest.raises(ValueError, match=r"fit is over beta, slope, link .* the model over slope of shape"):
        distance_to_optimum(stored(fit=other), two_variables)


@pytest.mark.slow
def test_groups_have_an_optimum_of_their_own():
    P = np.array([[2.0, 1.0, 0.5], [1.0, 2.0, 0.3], [0.5, 0.3, 1.0]])
    with pm.Model() as model:
        x = pm.MvNormal("x", np.zeros(2), tau=P[:2, :2] - np.outer(P[:2, 2], P[2, :2]))
        pm.Normal("z", -(P[2, :2] * x).sum(), 1.0)
        z = model["z"]
        groups = Approximation([Group([z], vfam="mf"), Group([x], vfam="fr")], model=model)
    best = distance_to_optimum(groups, random_seed=1).optimum
    assert best.names == ("z", "x")
    expected = np.zeros((3, 3))
    expected[0, 0], expected[1:, 1:] = 1.0, np.linalg.inv(P[:2, :2])
    np.testing.assert_allclose(best.covariance.matrix(), expected, atol=1e-6)


@pytest.fixture(scope="module")
def eight_schools():
    y, sigma = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
    with pm.Model() as model:
        theta = pm.Normal("theta", shape=8)
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfCauchy("tau", 5.0)
        pm.Normal("y", mu + tau * theta, sigma, observed=y)
    return model


@pytest.mark.slow
def test_optima_are_as_close_as_they_say(eight_schools):
    """Each is within its tolerance of one over many more, other draws; compiled in PyTensor's own mode."""
    with pytensor.config.change_flags(mode="Mode"):
        target = TargetDensity(eight_schools)

    def optimum(family, tolerance, seed):
        starts = starts_from(target, family, target.initial, np.random.default_rng(0))
        return find_optimum(target, family, starts, tolerance, np.random.default_rng(seed))

    for family in (MeanFieldScales(10), TriangularScales(((10, True),))):
        judge = optimum(family, 0.01, 99)
        for seed in range(4):
            found = optimum(family, 0.1, seed)
            assert judge.reached
            assert found.reached
            assert found.jeffreys <= 0.025
            assert jeffreys(found.distribution, judge.distribution) <= 0.025


@pytest.mark.slow
def test_too_few_draws_are_not_certified(eight_schools):
    with pytest.warns(
        UserWarning, match=r"not certified: .*do not agree to 2.5e-06 nats, the tolerance over 4"
    ):
        approximation = fit(eight_schools, "advi", 1e-5, random_seed=1, max_draws=1024, progressbar=False)
    certificate = approximation.certificate
    assert not certificate.certified
    assert certificate.jeffreys > 1e-5
    assert "Not certified" in certificate._repr_html_()
    assert certificate.history[-1].draws == 1024
    distance = distance_to_optimum(approximation, tolerance=1e-5, max_draws=1024, random_seed=2)
    assert not distance.reached
    assert "q* was not found to within the tolerance" in str(distance)


@pytest.mark.slow
def test_one_agreement_may_be_luck(two_variables):
    approximation = fit(two_variables, random_seed=1, max_draws=512, progressbar=False)
    assert approximation.certificate.certified
    assert [pair.draws for pair in approximation.certificate.history] == [512, 512]
    assert approximation.hist.shape == (0,)
    with pytest.raises(ValueError, match="max_draws must be at least 1024 for 100 correlated variables"):
        fit(gaussian_model(100, 1.0), "fullrank_advi", max_draws=512, progressbar=False)


@pytest.mark.slow
@pytest.mark.parametrize("most", [2_000, 12_000, 40_000])
def test_a_search_ends_where_its_evaluations_do(eight_schools, most):
    """Among the coarse optima, in the first pair and after it."""
    given = {"random_seed": 1, "progressbar": False, "max_evaluations": most}
    with pytest.warns(UserWarning, match=r"the evaluations .* did not suffice .*max_evaluations"):
        approximation = fit(eight_schools, tolerance=1e-4, **given)
    certificate = approximation.certificate
    assert not certificate.certified
    assert most / 3 < certificate.evaluations <= most + 10_000 * (most == 40_000)  # jumps are looked for
    assert np.isfinite(certificate.jeffreys) == (most == 40_000)
    with pytest.warns(UserWarning, match="did not suffice"):
        again = fit(eight_schools, tolerance=1e-4, **given)
    np.testing.assert_array_equal(snapshot(again).mean, snapshot(approximation).mean)
    distance = distance_to_optimum(approximation, tolerance=1e-4, **given)
    assert distance.obstacle.reason is Reason.OUT_OF_EVALUATIONS
    assert not distance.reached


@pytest.mark.slow
def test_means_and_scales_that_trade_off():
    """In a funnel the gradient is small far from the optimum; the certificate must not be."""
    with pm.Model() as model:
        v = pm.Normal("v", 0.0, 3.0)
        pm.Normal("x", 0.0, pm.math.exp(v / 2), shape=9)
    q = snapshot(fit(model, random_seed=1, progressbar=False))
    # Stationary: E[x²]E[e⁻ᵛ] = 1, and v then has mean 0 and precision 1/9 + 9/2.
    assert abs(q.mean[0]) < 0.05
    assert abs(q.std[0] - (1 / 9 + 4.5) ** -0.5) < 0.005


def test_an_improper_posterior_is_not_certified():
    with pm.Model() as model:
        pm.Flat("x")
        pm.Normal("z", shape=2)
    with pytest.warns(UserWarning, match="the posterior is improper"):
        assert not fit(model, random_seed=1, progressbar=False).certificate.certified


BAD_MODELS = {
    "no variables": (lambda: pm.Normal("y", observed=1.0), "no free variables"),
    "discrete": (lambda: (pm.Normal("x"), pm.Poisson("k", 2.0)), "discrete variables .*: k"),
    "impossible data": (lambda: pm.Normal("y", pm.Normal("m"), observed=[1.0, np.inf]), "initial point"),
    "bounds": (
        lambda: pm.Uniform("u", 0.0, 1.0, default_transform=None),
        "no Gaussian that was tried has a finite ELBO",
    ),
    "too many correlations": (lambda: pm.Normal("x", shape=501), "at most 500 dimensions"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_models_without_an_optimum(name):
    make, message = BAD_MODELS[name]
    with pm.Model() as model:
        make()
    with pytest.raises(ValueError, match=message):
        fit(model, "fullrank_advi", random_seed=1, progressbar=False)


def test_bad_arguments(two_variables):
    with pytest.raises(ValueError, match="method must be one of 'advi', 'fullrank_advi'"):
        fit(two_variables, "svgd")
    for tolerance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="tolerance must be a positive number of nats"):
            fit(two_variables, tolerance=tolerance)
        with pytest.raises(ValueError, match="tolerance must be a positive number of nats"):
            distance_to_optimum((np.zeros(6), np.ones(6)), two_variables, tolerance=tolerance)
    with pytest.raises(TypeError, match=r"takes what pm\.fit or .* got str$"):
        distance_to_optimum("advi", two_variables)
    with pytest.raises(ValueError, match=r"6 coordinates, mean has 2|have 6"):
        distance_to_optimum((np.zeros(2), np.ones(2)), two_variables)
    stranger = NamedMultivariateNormal([0.0], Diagonal([1.0]), (Variable("other", (1,)),))
    with pytest.raises(ValueError, match=r"over other of shape \(1,\), the model over slope"):
        distance_to_optimum(stranger, two_variables)
    with two_variables:
        diverged = pm.MeanField()
    diverged.params_dict["mu"].set_value(np.full(6, np.nan))
    with pytest.raises(ValueError, match="the approximation diverged"):
        distance_to_optimum(diverged)


def test_the_log_density_is_pymcs(two_variables):
    target = TargetDensity(two_variables)
    points = target.initial + 0.01 * np.random.default_rng(1).normal(size=(7, 6))
    values, gradients = target(points)
    logp = two_variables.compile_logp()
    for point, value in zip(points, values, strict=True):
        parts = dict(zip([v.name for v in target.variables], np.split(point, [4, 5]), strict=True))
        shaped = {v.name: parts[v.name].reshape(v.shape) for v in target.variables}
        np.testing.assert_allclose(value, logp(shaped), rtol=1e-12)
    step = 1e-6
    for i in range(6):
        shift = step * np.eye(6)[i]
        differences = (target(points + shift)[0] - target(points - shift)[0]) / (2 * step)
        np.testing.assert_allclose(gradients[:, i], differences, rtol=1e-5, atol=1e-3)
    assert target.evaluations == 2 + 7 * 13


def test_a_density_that_knows_no_batches_goes_point_by_point(two_variables, monkeypatch):
    expected = TargetDensity(two_variables)
    monkeypatch.setattr(
        "kl_plugins.variational.target.chunks.vectorize_graph",
        lambda *_: (_ for _ in ()).throw(NotImplementedError),
    )
    single = TargetDensity(two_variables)
    points = expected.initial + np.random.default_rng(1).normal(size=(3, 6))
    for found, wanted in zip(single(points), expected(points), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(("count", "dimension"), [(64, 1), (128, 10), (64, 40)])
def test_draws_have_exact_moments(count, dimension):
    draws = normal_draws(count, dimension, np.random.default_rng(1))
    assert draws.shape == (count, dimension)
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=1e-14)
    second = draws.T @ draws / count
    np.testing.assert_allclose(np.diag(second), 1.0)
    if count >= 4 * dimension:
        np.testing.assert_allclose(second, np.eye(dimension), atol=1e-12)
    assert not np.array_equal(draws, normal_draws(count, dimension, np.random.default_rng(2)))
    assert np.array_equal(draws, normal_draws(count, dimension, np.random.default_rng(1)))


@pytest.mark.slow
def test_an_optimum_as_good_as_another_is_not_far_from_itself():
    """A spike on a slab: the ELBO has two maxima of almost the same height."""
    with pm.Model():
        pm.NormalMixture("x", [0.5, 0.5], [0.0, 0.0], [1.0, 0.001])
        found = fit(random_seed=1, progressbar=False)
        distance = distance_to_optimum(found, random_seed=1)
    assert distance.jeffreys < 0.1
    assert distance.other_optima


def test_a_number_of_iterations_is_refused():
    with pytest.raises(TypeError, match="no number of iterations"):
        fit(10_000)
    with pytest.raises(TypeError, match="got 20000; no number of iterations"):
        fit(pm.Model(), 20_000)


@pytest.mark.parametrize(
    ("method", "hint"),
    [("ADVI", ": did you mean 'advi'?"), ("nuts", "pm.sample"), ("svgd", "pm.fit"), ("laplace", "'laplace'")],
)
def test_what_is_said_of_other_methods(method, hint):
    with pytest.raises(ValueError, match=r"^method must be one of 'advi', 'fullrank_advi', got ") as raised:
        fit(pm.Model(), method)
    assert str(raised.value).endswith(hint)


def test_a_method_in_the_place_of_the_model():
    with pm.Model(), pytest.raises(TypeError, match=r"which is a method: fit\(method='fullrank_advi'\)"):
        fit("fullrank_advi")


def test_a_certificate_knows_when_the_approximation_was_changed():
    with pm.Model() as model:
        pm.Normal("x", 1.0, 2.0, shape=2)
    approximation = fit(model, random_seed=1, progressbar=False)
    certificate = approximation.certificate
    assert certificate.certified
    assert not certificate.changed
    mean = approximation.params_dict["mu"]
    before = mean.get_value()
    mean.set_value(before + 2.0)  # as refining does: one sd in each of two coordinates, Jeffreys 1 + 1
    assert not certificate.certified
    for text in (str(certificate), repr(certificate)):
        assert (
            "not certified: the approximation's parameters have changed since it was certified, by 2 nats"
            in text
        )
        assert "distance_to_optimum" in text
    mean.set_value(np.full(2, np.nan))
    assert "changed since it was certified, and are not finite" in certificate.reason
    mean.set_value(before)
    assert certificate.certified


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"z": 1.0}, "'z' is not a free variable of the model; there are x, s_log__, s"),
        ({"x": np.ones(3)}, r"'x' has shape \(3,\), the model's variable \(2,\)"),
        ({"x": [1.0, np.inf]}, "'x' is not finite everywhere"),
        ({"x": "a", "s": np.nan}, "'x' has to be numbers.*'s' is not finite"),
        ({"s": -1.0}, "beyond the bounds of s_log__"),
        ({"s": 0.0}, "beyond the bounds of s_log__"),
    ],
)
def test_starts_that_do_not_fit(with_scale, start, message):
    with pytest.raises(ValueError, match=message):
        fit(with_scale, start=start, progressbar=False)


def test_a_start_is_values_by_name(with_scale):
    with pytest.raises(TypeError, match=r"a dict of values.*start={'x': \.\.\., 's'"):
        fit(with_scale, start=[1.0, 2.0], progressbar=False)


@pytest.fixture(scope="module")
def with_scale():
    with pm.Model() as model:
        x, s = pm.Normal("x", shape=2), pm.HalfNormal("s")
        pm.Normal("y", x.sum(), s, observed=[1.0, 2.0, 3.0])
    return model


@pytest.mark.slow
def test_a_start_that_is_far_off_is_replaced(with_scale):
    expected = snapshot(fit(with_scale, random_seed=2, progressbar=False))
    for start in ({"x": 1e160}, {"s": 1e-300}):
        with pytest.warns(UserWarning, match="led to no optimum .* began where the model starts by itself"):
            approximation = fit(with_scale, start=start, random_seed=1, progressbar=False)
        assert approximation.certificate.certified
        assert jeffreys(snapshot(approximation), expected) < 0.1
    near = fit(with_scale, start={"x": 1.0, "s_log__": 0.5}, random_seed=1, progressbar=False)
    assert near.certificate.certified


@pytest.mark.parametrize("name", ["n", "callbacks", "obj_optimizer", "obj_n_mc", "start_sigma"])
def test_arguments_of_pymcs_fit_are_refused_with_a_remedy(two_variables, name):
    with pytest.raises(TypeError, match=f"fit takes no {name}, which is pm.fit's: leave it out"):
        fit(two_variables, **{name: 1})


def test_other_arguments_are_refused_as_python_does(two_variables):
    with pytest.raises(TypeError, match="unexpected keyword argument 'tolerence'"):
        fit(two_variables, tolerence=0.1)


def test_no_model():
    with pytest.raises(TypeError, match=r"no model: call fit\(model\), or call it inside `with"):
        fit()
    with pytest.raises(TypeError, match=r"model must be a pymc.Model, got dict: call fit\(model\)"):
        fit({})
    with pytest.raises(
        TypeError, match=r"there is no model: call distance_to_optimum\(approx, model=model\)"
    ):
        distance_to_optimum((np.zeros(1), np.ones(1)))


def far_from_zero(sd):
    """A mean of 10⁸ known to `sd`: floats there are 1.5e-8 apart."""
    rest = 10.0 * sd * np.random.default_rng(1).normal(size=100)
    data = 1e8 + rest
    with pm.Model() as model:
        pm.Normal("y", pm.Flat("mu"), 10.0 * sd, observed=data)
    return model, 1e8 + np.mean(data - 1e8)


@pytest.mark.parametrize("sd", [1e-2, 1e-6, 1e-7])
def test_means_far_from_zero(sd):
    model, mean = far_from_zero(sd)
    approximation = fit(model, random_seed=1, progressbar=False)
    assert approximation.certificate.certified
    best = NamedMultivariateNormal([mean], Diagonal([sd**2]), (Variable("mu", ()),))
    assert jeffreys(snapshot(approximation), best) < 0.01


def test_rounding_that_dominates_is_said():
    model, _ = far_from_zero(1e-8)
    with pytest.warns(UserWarning, match=r"rounding errors of the log density.*\. Centre them"):
        fit(model, random_seed=1, progressbar=False)


def line_far_from_zero(offset):
    """Intercept and slope on a predictor far from zero, and their mean-field optimum with 60 digits."""
    rng = np.random.default_rng(0)
    x = offset + rng.normal(size=50)
    y = 1.0 + 2.0 * (x - offset) + rng.normal(size=50)
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=2)
        pm.Normal("y", beta[0] + beta[1] * x, 1.0, observed=y)
    with mpmath.workdps(60):
        X = mpmath.matrix([[1.0, value] for value in x.tolist()])
        P = X.T * X
        mean = mpmath.lu_solve(P, X.T * mpmath.matrix(y.tolist()))
    return model, mean, P


@pytest.mark.slow
@pytest.mark.parametrize(("offset", "certified"), [(1e4, True), (1e7, True), (1e8, False), (1e10, False)])
@pytest.mark.filterwarnings("ignore:the fit is not certified")
def test_what_rounding_hides_is_not_certified(offset, certified):
    """Correlations of 1 − 10⁻⁸ to 1 − 10⁻²⁰: optima over different draws agree where nothing moves them."""
    model, mean, precision = line_far_from_zero(offset)
    approximation = fit(model, random_seed=1, progressbar=False)
    assert approximation.certificate.certified is certified
    q = snapshot(approximation)
    with mpmath.workdps(60):
        away = 0
        for i in range(2):
            ratio = mpmath.mpf(q.std[i]) ** 2 * precision[i, i]
            shift = (mpmath.mpf(q.mean[i]) - mean[i]) ** 2 * precision[i, i]
            away += (ratio + 1 / ratio) / 2 - 1 + shift * (1 + 1 / ratio) / 2
    assert not certified or away < 0.1
    if offset == 1e8:
        assert "hides where" in approximation.certificate.reason
