"""Gaussians of the draws of samplers: moments, names, errors, and what they are compared with."""

import copy
import pickle
import sys
import warnings

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy.signal import lfilter

import posteriors
from kl_plugins import Dense, EstimateWarning, MultivariateNormal, gaussian, jeffreys, kl
from kl_plugins.variational import snapshot
from kl_plugins.variational.evidence.references import reference_draws
from kl_plugins.variational.target.density import variables_in
from traces import dataset, in_groups, inference_data

SCHOOLS = ["Choate", "Deerfield", "Phillips Andover"]
COVARIANCE = np.array([[1.0, 0.8, -0.3], [0.8, 2.0, 0.1], [-0.3, 0.1, 0.5]])


def draws_of(seed, chains=4, draws=500):
    """Of three correlated means, a scale, and a matrix."""
    rng = np.random.default_rng(seed)
    return dataset(
        {"school": SCHOOLS},
        theta=rng.multivariate_normal([1.0, 2.0, 3.0], COVARIANCE, (chains, draws)),
        tau=rng.gamma(5.0, 0.2, (chains, draws)),
    ).assign(L=(("chain", "draw", "row", "column"), rng.normal(size=(chains, draws, 2, 2))))


DRAWS = draws_of(1)
FLAT = np.concatenate([DRAWS[name].values.reshape(2_000, -1) for name in DRAWS], axis=1)


@pytest.mark.parametrize(
    "trace",
    [DRAWS, in_groups(posterior=DRAWS), xr.DataTree.from_dict({"posterior": DRAWS}), xr.DataTree(DRAWS)],
    ids=["Dataset", "ArviZ's own", "DataTree", "a group"],
)
def test_moments_and_names(trace):
    found = gaussian(trace)
    np.testing.assert_allclose(found.mean, FLAT.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance.matrix(), np.cov(FLAT, rowvar=False), rtol=1e-9, atol=1e-15)
    assert found.elements == tuple(az.summary(DRAWS, kind="stats").index)
    assert found.elements[2:5] == ("theta[Phillips Andover]", "tau", "L[0, 0]")
    assert found.names == ("theta", "tau", "L")


def test_draws_that_dask_holds():
    held = gaussian(in_groups(posterior=DRAWS.chunk({"draw": 100})))
    assert kl(held, gaussian(DRAWS)) == 0.0


@pytest.mark.parametrize(
    ("var_names", "filter_vars", "names"),
    [
        ("tau", None, ["tau"]),
        (["tau", "theta"], None, ["tau", "theta"]),
        (("tau", "theta"), None, ["tau", "theta"]),
        ("~L", None, ["theta", "tau"]),
        (["t"], "like", ["theta", "tau"]),
        ("^t.*a$", "regex", ["theta"]),
    ],
)
def test_variables_are_chosen_as_in_arviz(var_names, filter_vars, names):
    assert sorted(gaussian(DRAWS, var_names, filter_vars).names) == sorted(names)


def test_elements_are_aligned_by_name_and_coordinates():
    other = draws_of(2)
    p, q = gaussian(DRAWS), gaussian(other)
    moved = other[["L", "tau", "theta"]].isel(school=[2, 0, 1]).transpose("column", "school", ...)
    for turned in (moved, in_groups(posterior=moved)):
        assert kl(p, gaussian(turned)) == pytest.approx(float(kl(p, q)), rel=1e-9)
        assert jeffreys(gaussian(turned), p) == pytest.approx(float(jeffreys(p, q)), rel=1e-9)
    elsewhere = draws_of(2).rename(row="L_dim_0", column="L_dim_1", school="School")  # no names, and labels
    assert kl(p, gaussian(elsewhere)) == kl(p, q)
    plain = [MultivariateNormal(one.mean, one.covariance) for one in (p, q)]
    assert kl(p, q) == kl(*plain)


SQUARE = DRAWS[["L"]].assign_coords(row=[0, 1], column=[0, 1])
TURNED = SQUARE.assign(L=SQUARE.L * [[1.0, 2.0], [3.0, 4.0]]).transpose("chain", "draw", "column", "row")


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(
    "names", [{}, {"column": "b"}, {"row": "b"}, {"row": "L_dim_0", "column": "L_dim_1"}], ids=str
)
def test_a_square_matrix_is_the_same_one_turned(labels, names):
    """What is left when axes have been matched by their names is the other one."""
    turned = TURNED if labels else TURNED.drop_vars(["row", "column"])
    straight, given = gaussian(turned.transpose("chain", "draw", "row", "column")), turned.rename(names)
    assert kl(straight, gaussian(given)) == 0.0
    with pm.Model(coords={"row": [0, 1], "column": [0, 1]}) as model:
        pm.Normal("L", dims=("row", "column"))
    assert kl(straight, gaussian(given, model=model)) == 0.0
    want = turned.L.transpose("chain", "draw", "row", "column").values.reshape(4, 500, 4)
    np.testing.assert_array_equal(reference_draws(given, model, variables_in(model)), want)


@pytest.mark.parametrize("shape", [{"shape": (2, 2)}, {"dims": ("row", "column")}])
def test_axes_that_are_counted_have_their_order_by_name(shape):
    with pm.Model(coords={"row": [0, 1], "column": [0, 1]}) as model:
        pm.Normal("L", **shape)
    counted = TURNED.rename(row="L_dim_0", column="L_dim_1")
    straight = gaussian(counted.transpose("chain", "draw", "L_dim_0", "L_dim_1"), model=model)
    assert kl(straight, gaussian(counted, model=model)) == 0.0
    assert kl(straight, gaussian(counted)) == pytest.approx(0.0, abs=1e-12)


def test_a_square_matrix_with_names_that_tell_nothing():
    with pm.Model(coords={"row": [0, 1], "column": [0, 1]}) as model:
        pm.Normal("L", dims=("row", "column"))
    strange = TURNED.rename(row="a", column="b")
    for call in (
        lambda: gaussian(strange, model=model),
        lambda: reference_draws(strange, model, variables_in(model)),
    ):
        with pytest.raises(ValueError, match=r"'L' has dimensions \(b, a\) in .* and \(row, column\) in the"):
            call()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (DRAWS.isel(school=[0, 1]), r"theta\[Phillips Andover\] only in p\. Choose the same elements"),
        (DRAWS.drop_vars("L"), "'L' only in p"),
        (
            DRAWS.rename(tau="sigma"),
            r"'tau' only in p; 'sigma' only in q\. .* by var_names, or \.sel for \w+$",
        ),
        (DRAWS.rename(row="b", column="a"), r"'L' has dimensions \(row, column\) in p and \(b, a\) in q"),
        (
            DRAWS.assign_coords(school=["a", "b", "c"]),
            r"theta\[Choate\], .* only in p; theta\[a\], .* only in q \(where .* by \.assign_coords\)\. C",
        ),
    ],
)
def test_other_elements_are_an_error_with_a_remedy(other, message):
    with pytest.raises(ValueError, match=message):
        kl(gaussian(DRAWS), gaussian(other))


def test_a_summary_is_copied_and_pickled_with_its_errors():
    found = gaussian(DRAWS)
    for other in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert kl(found, other) == 0.0
        assert other.elements == found.elements
        np.testing.assert_array_equal(other.sampling.mcse_sd, found.sampling.mcse_sd)


# What is wrong with draws


def with_nan(value):
    return DRAWS.assign(tau=DRAWS.tau.where(DRAWS.draw > 3, value))


SHARES = np.exp(DRAWS.theta) / np.exp(DRAWS.theta).sum("school")
NO_GROUP = r"no group posterior \(it has prior\)"
BAD = {
    "a number": (3.0, TypeError, "the trace must be an InferenceData or DataTree .* got float"),
    "a dict": ({"mu": DRAWS.tau.values}, TypeError, r"got dict\. Pass arviz\.dict_to_dataset\(x\)"),
    "an array": (DRAWS.tau.values, TypeError, r'arviz\.dict_to_dataset\(\{"x": x\}\)'),
    "a DataArray": (DRAWS.tau, TypeError, r'Pass x\.to_dataset\(name="x"\)'),
    "a DataFrame": (pd.DataFrame({"a": [1.0]}), TypeError, r"x\[name\]\.values\[None\] for name in x"),
    "an empty tree": (xr.DataTree(), ValueError, r"no group posterior \(it is empty\)"),
    "no draws": (DRAWS.isel(draw=slice(0, 0)), ValueError, "^0 draws, 0 in a chain, are too few"),
    "no posterior": (
        xr.DataTree.from_dict({"prior": DRAWS}),
        ValueError,
        r"no group posterior \(it has prior\)",
    ),
    "ArviZ's, too": (in_groups(prior=DRAWS), ValueError, NO_GROUP),
    "empty": (xr.Dataset(), ValueError, "no elements are chosen; the posterior has no variables"),
    "one draw": (DRAWS.isel(draw=0), ValueError, "theta, tau, L: no dimensions chain and draw"),
    "stacked": (DRAWS.stack(sample=("chain", "draw")), ValueError, r"get both back by \.unstack\(\)"),
    "NaN": (with_nan(np.nan), ValueError, r"^tau: NaN or infinite in some of the draws"),
    "infinite": (
        with_nan(np.inf),
        ValueError,
        r"^tau: NaN or inf.* leave tau out with var_names=\['~tau'\]",
    ),
    "counts": (
        DRAWS.assign(n=(10 * DRAWS.tau).astype(int)),
        ValueError,
        r"^n: discrete, .* var_names=\['~n'\], .*astype\(float\)",
    ),
    "truth": (DRAWS.assign(z=DRAWS.tau > 1.0), ValueError, "^z: discrete"),
    "objects": (DRAWS.assign(s=DRAWS.tau.astype(object)), TypeError, r"^s \(object\): no real numbers"),
    "complex": (DRAWS.assign(s=DRAWS.tau * 1j), TypeError, r"^s \(complex128\): .* var_names=\['~s'\]"),
    "constant": (
        DRAWS.assign(L=DRAWS.L.where((DRAWS.L.row > 0) | (DRAWS.L.column > 0), 1.0)),
        ValueError,
        r"^L\[0, 0\]: varies by no more than rounding, as the first .* leave L out with var_names=\['~L'\]",
    ),
    "one thing thrice": (
        xr.Dataset({"chol": DRAWS.theta, "chol_corr": 1.0 + 0.0 * DRAWS.L, "chol_stds": DRAWS.theta}),
        ValueError,
        r"chol, chol_corr and chol_stds are one .* var_names=\['~chol_corr', '~chol_stds'\]",
    ),
    "one beside three": (
        xr.Dataset({**dict.fromkeys(["chol", "chol_corr", "chol_stds"], DRAWS.tau), "n": 0.0 * DRAWS.tau}),
        ValueError,
        r"^n: varies .* leave n out with var_names=\['~n'\]",
    ),
    "a large constant": (DRAWS.assign(tau=1e9 + 1e-7 * DRAWS.tau), ValueError, "^tau: varies by no more"),
    "shares": (
        DRAWS.assign(p=SHARES),
        ValueError,
        r"^p\[Choate\], p\[D.*\], p\[P.*\]: each follows.* model=",
    ),
    "rounded": (DRAWS.assign(p=SHARES.astype("float32").round(6)), ValueError, r"^p\[Choate\], p\[D"),
    "collinear": (DRAWS.assign(twice=2.0 * DRAWS.tau + 1.0), ValueError, "^tau, twice: each follows"),
    "huge": (DRAWS.assign(tau=1e200 * DRAWS.tau), ValueError, "^tau: the variance is beyond the range"),
    "tiny": (DRAWS.assign(tau=1e-200 * DRAWS.tau), ValueError, "^tau: the variance is beyond the range"),
    "squares beyond": (DRAWS.assign(tau=1e153 * DRAWS.tau), ValueError, "^tau: the variance is beyond"),
    "few digits": (DRAWS.assign(tau=1e-160 * DRAWS.tau), ValueError, "^tau: the variance is beyond"),
    "few": (
        DRAWS.isel(draw=slice(13)),
        ValueError,
        "52 draws, 13 in a chain, .* 8 elements: .* at least 56",
    ),
    "short": (
        dataset(mu=np.random.default_rng(0).normal(size=(100, 3))),
        ValueError,
        "300 draws, 3 in a chain",
    ),
    "twice": (
        DRAWS.assign_coords(school=list("aba")),
        ValueError,
        "'school' of 'theta' has the label 'a'",
    ),
}


@pytest.mark.parametrize(("trace", "error", "message"), BAD.values(), ids=BAD)
def test_bad_draws_are_refused(trace, error, message):
    with pytest.raises(error, match=message):
        gaussian(trace)


def test_nothing_chosen():
    with pytest.raises(ValueError, match="no elements are chosen; the posterior has theta, tau, L"):
        gaussian(DRAWS, var_names=[])


@pytest.mark.parametrize(
    ("var_names", "error", "message"),
    [
        ("mu", ValueError, "no variable 'mu' in the posterior, which has theta, tau, L$"),
        (["tau", "~mu"], ValueError, "no variable 'mu' in the posterior, which has"),
        ("theta[Choate]", ValueError, r"choose 'theta', and elements of it with \.sel"),
        (pm.Model(), TypeError, r"got a model: gaussian\(trace, model=model\)"),
        (["tau", 3], TypeError, "var_names must be names, got int"),
    ],
)
def test_names_that_are_not_there(var_names, error, message):
    with pytest.raises(error, match=message):
        gaussian(DRAWS, var_names)


def test_draws_of_a_variational_fit_are_no_chains():
    with pm.Model() as model:
        pm.Normal("x")
    values = np.sort(np.random.default_rng(1).normal(size=(2, 300)))
    draws = xr.Dataset({"x": (("chain", "draw"), values)})
    fitted = xr.DataTree.from_dict({"posterior": draws, "pathfinder": xr.Dataset({"num_paths": 2})})
    assert gaussian(fitted, model=model).names == ("x",)


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (DRAWS.assign(tau=DRAWS.tau + DRAWS.chain), r"not converged: R-hat of tau is [1-9.]+, .* for 1 of 8"),
        (DRAWS.assign(tau=DRAWS.tau + DRAWS.draw).isel(chain=[0]), "not converged: R-hat of tau"),
    ],
    ids=["chains apart", "one chain that drifts"],
)
@pytest.mark.filterwarnings("ignore:the draws of")
def test_draws_that_have_not_converged_are_warned_of(trace, message):
    with pytest.warns(EstimateWarning, match=message):
        gaussian(trace)


@pytest.mark.filterwarnings("ignore:the chains have not converged")
def test_dependent_draws_are_warned_of():
    slow = lfilter([1.0], [1.0, -0.98], np.random.default_rng(2).normal(size=(4, 500)))
    with pytest.warns(EstimateWarning, match=r"draws of tau are worth \d+ independent ones, .* needs 56"):
        gaussian(DRAWS.assign(tau=(("chain", "draw"), slow)))


# How well the moments are known


@pytest.mark.parametrize("chains", [1, 4])
def test_errors_of_independent_draws(chains):
    trace = dataset(
        x=np.random.default_rng(4).multivariate_normal(np.zeros(3), COVARIANCE, (chains, 4_000 // chains))
    )
    found = gaussian(trace)
    sampling, sd = found.sampling, np.sqrt(np.diag(COVARIANCE))
    assert (sampling.chains, sampling.draws) == (chains, 4_000 // chains)
    np.testing.assert_allclose(sampling.mcse_mean, sd / np.sqrt(4_000), rtol=0.15)
    np.testing.assert_allclose(sampling.mcse_sd, sd / np.sqrt(8_000), rtol=0.15)
    np.testing.assert_allclose(sampling.r_hat, 1.0, atol=0.01)
    assert (sampling.ess > 3_000).all()
    assert sampling.divergence == pytest.approx((3 + 6) / 2 / 4_000, rel=0.2)
    want = az.mcse(trace, method="mean")["x"]
    np.testing.assert_allclose(sampling.mcse_mean, want, rtol=1e-6)


@pytest.mark.parametrize(("dependence", "heavy"), [(0.95, False), (0.4, True)])
def test_the_expected_divergence_of_two_summaries_of_one_posterior(dependence, heavy):
    """The mean of the divergences over repeated sets of draws is what the sets say it is."""
    rng = np.random.default_rng(6)

    def summary():
        noise = rng.normal(size=(4, 600, 3))
        x = lfilter([np.sqrt(1.0 - dependence**2)], [1.0, -dependence], noise, axis=1)[:, 100:]
        return gaussian(dataset(x=np.sinh(x) if heavy else x))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimateWarning)
        pairs = [(summary(), summary()) for _ in range(15)]
    found = [float(kl(p, q)) for p, q in pairs]
    said = [p.sampling.divergence + q.sampling.divergence for p, q in pairs]
    error = np.std(found) / np.sqrt(len(pairs))
    assert abs(np.mean(found) - np.mean(said)) < 3.0 * error + 0.1 * np.mean(said)


@pytest.mark.parametrize("scale", [1e-144, 1e144])
def test_units_do_not_matter(scale):
    p, q = gaussian(DRAWS), gaussian(draws_of(2))
    scaled, other = gaussian(DRAWS * scale), gaussian(draws_of(2) * scale)
    assert kl(scaled, other) == pytest.approx(float(kl(p, q)), rel=1e-9)
    assert scaled.sampling.divergence == pytest.approx(p.sampling.divergence, rel=1e-9)
    np.testing.assert_allclose(scaled.sampling.mcse_sd / scale, p.sampling.mcse_sd, rtol=1e-9)


def test_a_gaussian_that_is_known():
    """Sampled exactly: its divergences from the truth and from another are what they should be."""
    truth, other = (MultivariateNormal(mean, Dense(COVARIANCE)) for mean in (np.zeros(3), np.ones(3)))
    draws = np.random.default_rng(7).multivariate_normal(np.zeros(3), COVARIANCE, (4, 5_000))
    found = gaussian(dataset(x=draws))
    assert kl(found, truth) < 4.0 * found.sampling.divergence
    assert kl(found, other) == pytest.approx(float(kl(truth, other)), rel=0.05)


# On the unconstrained scale of a model


@pytest.fixture(scope="module")
def model():
    with pm.Model(coords={"school": SCHOOLS}) as made:
        tau = pm.HalfNormal("tau")
        theta = pm.Normal("theta", 0.0, 1.0, dims="school")
        pm.Deterministic("scaled", tau * theta, dims="school")
    return made


FREE = DRAWS[["theta", "tau"]].assign(scaled=DRAWS.tau * DRAWS.theta)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_draws_are_taken_to_the_unconstrained_scale(model, order):
    found = gaussian(in_groups(posterior=FREE.isel(school=order)), model=model)
    want = gaussian(DRAWS[["tau", "theta"]].assign(tau=np.log(DRAWS.tau)).rename(tau="tau_log__"))
    assert found.elements == ("tau_log__", *(f"theta[{school}]" for school in SCHOOLS))
    np.testing.assert_allclose(found.mean, want.mean, rtol=1e-6)
    assert kl(found, want) == pytest.approx(0.0, abs=1e-9)
    assert found.sampling.ess.shape == (4,)


def test_a_fit_of_the_same_model(model):
    with model:
        approximation = pm.MeanField()
    summary = gaussian(FREE, model=model)
    frozen = snapshot(approximation)
    assert set(frozen.elements) == set(summary.elements)
    mean, matrix = summary.mean, summary.covariance.matrix()
    order = [summary.elements.index(name) for name in frozen.elements]
    own = MultivariateNormal(mean[order], Dense(matrix[np.ix_(order, order)]))
    want = kl(own, MultivariateNormal(frozen.mean, frozen.covariance))
    assert kl(summary, frozen) == pytest.approx(float(want), rel=1e-9)
    with pytest.raises(TypeError, match=r"got \S+; of a sampler's draws, use kl_plugins\.gaussian"):
        snapshot(in_groups(posterior=FREE))
    assert kl(summary, approximation).eval() == pytest.approx(float(kl(summary, frozen)), rel=1e-6)
    with pytest.raises(ValueError, match=r"'tau' only in p; 'tau_log__' only in q.*gaussian\(draws, model="):
        kl(gaussian(FREE, ["tau", "theta"]), frozen)


def test_variables_of_a_model_are_chosen_by_their_own_names(model):
    assert gaussian(FREE, "tau", model=model).elements == ("tau_log__",)
    assert gaussian(FREE, "~tau", model=model).names == ("theta",)
    with pytest.raises(ValueError, match="no variable 'tau_log__' in the posterior: choose 'tau'"):
        gaussian(FREE, "tau_log__", model=model)
    with pytest.raises(ValueError, match=r"^scaled: not free in the model, .* of tau, theta"):
        gaussian(FREE, ["tau", "scaled"], model=model)
    with pytest.raises(ValueError, match="no free variable of the model is chosen"):
        gaussian(FREE, "scal", "like", model=model)


def test_what_is_not_chosen_of_a_model_is_not_looked_at(model):
    for draws in (FREE.drop_vars("theta"), FREE.assign(theta=np.nan * FREE.theta)):
        assert gaussian(draws, "tau", model=model).elements == ("tau_log__",)
    with pm.Model() as bounded:
        upper = pm.HalfNormal("upper")
        pm.Uniform("x", 0.0, upper)
    draws = dataset(upper=np.full((4, 500), 2.0), x=DRAWS.tau.values / 10.0)
    np.testing.assert_allclose(
        gaussian(draws, "x", model=bounded).mean, np.mean(np.log(draws.x / (2.0 - draws.x))), rtol=1e-6
    )
    with pytest.raises(ValueError, match="'upper' is missing"):
        gaussian(draws[["x"]], "x", model=bounded)
    constant = FREE.assign(theta=FREE.theta.where(FREE.school != SCHOOLS[0], 1.0))
    for var_names, remedy in (
        (None, r"leave theta out with var_names=\['~theta'\]\."),
        ("theta", r"choose other variables with var_names\."),
    ):
        with pytest.raises(ValueError, match=remedy):
            gaussian(constant, var_names, model=model)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_draws_that_do_not_fit_the_model(model):
    with pytest.raises(ValueError, match=r"^the trace does not fit the model: 'tau' is missing"):
        gaussian(FREE.drop_vars("tau"), model=model)
    with pytest.raises(ValueError, match="the trace has other labels of 'school' than the model"):
        gaussian(FREE.assign_coords(school=list("abc")), model=model)
    with pytest.raises(ValueError, match=r"draws of the trace are NaN or outside .* support: tau_log__"):
        gaussian(FREE.assign(tau=-FREE.tau), model=model)
    with pytest.raises(ValueError, match="the trace has no draws, 4 chains of 0"):
        gaussian(FREE.isel(draw=slice(0, 0)), model=model)
    with pytest.raises(TypeError, match=r"model must be a pymc\.Model, got str"):
        gaussian(FREE, model="eight schools")


def test_dates_and_labels_that_are_not_unique():
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[ns]")
    with pm.Model(coords={"school": pd.to_datetime(days), "county": list("aba")}) as dated:
        pm.Normal("theta", dims="school")
        pm.Normal("effect", dims="county")
    effect = draws_of(9).theta.rename(school="county").assign_coords(county=list("aba"))
    trace = DRAWS[["theta"]].assign_coords(school=days).isel(school=[2, 0, 1]).assign(effect=effect)
    found = gaussian(trace, model=dated)
    assert found.elements[0] == az.summary(trace, "theta", kind="stats").index[1]
    assert found.elements[3:] == ("effect[0]", "effect[1]", "effect[2]")
    np.testing.assert_allclose(found.mean[:3], DRAWS.theta.mean(("chain", "draw")))


@pytest.mark.slow
def test_a_simplex_and_a_discrete_variable():
    with pm.Model(coords={"kind": ["a", "b", "c"], "site": ["x", "y"]}) as shares:
        pm.Dirichlet("p", np.ones(3), dims=("site", "kind"))
        pm.Poisson("n", 3.0)
    rng = np.random.default_rng(8)
    trace = dataset({"site": ["x", "y"], "kind": ["a", "b", "c"]}, p=rng.dirichlet(np.ones(3), (4, 500, 2)))
    trace["n"] = (("chain", "draw"), rng.poisson(3.0, (4, 500)))
    found = gaussian(trace, "~n", model=shares)
    assert found.elements == tuple(f"p_simplex__[{place}]" for place in ("x, 0", "x, 1", "y, 0", "y, 1"))
    with pytest.raises(ValueError, match=r"^n: discrete, .* var_names=\['~n'\]"):
        gaussian(trace, model=shares)


@posteriors.needed
def test_a_reference_posterior():
    """A regression with 434 observations, whose posterior is nearly Gaussian on the unconstrained scale."""
    name = "kidiq-kidscore_momiq"
    draws, made = posteriors.pymc_draws(name), posteriors.model(name)
    found, halves = gaussian(inference_data(**draws), model=made), []
    flat = np.column_stack([draws["beta"].reshape(-1, 2), np.log(draws["sigma"]).ravel()])
    want = MultivariateNormal(flat.mean(axis=0), Dense(np.cov(flat, rowvar=False)))
    assert found.elements == ("beta[0]", "beta[1]", "sigma_log__")
    assert kl(MultivariateNormal(found.mean, found.covariance), want) == pytest.approx(0.0, abs=1e-9)
    for part in (slice(0, 5), slice(5, 10)):
        halves.append(gaussian(inference_data(**{key: x[part] for key, x in draws.items()}), model=made))
    expected = sum(half.sampling.divergence for half in halves)
    assert kl(*halves) < 4.0 * expected < 0.02


def test_the_library_of_the_trace_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "kl_plugins.posteriors.elements", None)  # which imports it
    with pytest.raises(ImportError, match=r"gaussian needs ArviZ .* pip install arviz"):
        gaussian(DRAWS)
