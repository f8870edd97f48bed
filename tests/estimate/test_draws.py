"""Estimates from draws: judged by divergences that are known, on either side and in every holder."""

import itertools
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import EstimateWarning, MultivariateNormal, draws, estimate_kl, gaussian, kl
from kl_plugins.estimate import clock
from kl_plugins.estimate.draws.continuous import Points, divergence
from kl_plugins.estimate.draws.dependence import dependence_time
from kl_plugins.estimate.draws.gaussianising import likeliest_map, log_normal_density
from kl_plugins.estimate.draws.margins import Logarithms
from kl_plugins.estimate.draws.sample import Draws
from traces import dataset, in_groups, inference_data

RNG = np.random.default_rng(7)


def normals(n, d, shift=0.0, seed=1):
    drawn = np.random.default_rng(seed).normal(shift, 1.0, size=(n, d))
    return drawn[:, 0] if d == 1 else drawn


def mostly_slow(cases, *quick):
    """The cases, of which all but a few are slow."""
    return [one if one in quick else pytest.param(one, marks=pytest.mark.slow) for one in cases]


def off_by(found, truth, errors=2.6):
    """Whether a value is within so many of its errors of the truth."""
    assert found.converged
    assert np.isfinite(found.error)
    assert 0.0 < found.error < 0.3 + 0.3 * truth
    return abs(found.value - truth) > errors * found.error


CORRELATED = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 1.0]])
GAUSSIANS = {
    "equal": (stats.multivariate_normal(np.zeros(3)), stats.multivariate_normal(np.zeros(3))),
    "shifted": (stats.multivariate_normal(np.zeros(5)), stats.multivariate_normal(np.ones(5))),
    "correlated": (
        stats.multivariate_normal(np.zeros(3), CORRELATED),
        stats.multivariate_normal(np.full(3, 0.3)),
    ),
    "far from 0": (stats.norm(1e6, 1e-3), stats.norm(1e6 + 5e-4, 1e-3)),
    "gamma": (stats.gamma(2.0), stats.gamma(3.0)),
    "log-normal": (stats.lognorm(0.8), stats.lognorm(0.6, scale=1.3)),
    "exponential": (stats.expon(), stats.expon(scale=1.5)),
}


@pytest.mark.parametrize("case", mostly_slow(GAUSSIANS, "correlated", "exponential"))
def test_draws_on_either_side_and_both_find_the_closed_form(case):
    p, q = GAUSSIANS[case]
    truth = float(kl(p, q))
    x, y = p.rvs(300, random_state=1), q.rvs(300, random_state=3)
    for pair in ((x, y), (x, q), (p, y)):
        found = estimate_kl(*pair, draws=600, random_state=3)
        assert found.method == "nearest neighbours"
        assert not off_by(found, truth)


def banana(n, bend, rng):
    z = rng.normal(size=(n, 4))
    z[:, 1] = bend * (z[:, 0] ** 2 - 1.0) + 0.5 * z[:, 1]
    return z


def test_what_no_marginal_shows_is_found():
    rng = np.random.default_rng(3)
    truth = 0.5 * 2.0 * 0.3**2 / 0.25  # E (Δbend (z² − 1))² / 2σ²
    found = estimate_kl(banana(400, 0.6, rng), banana(400, 0.3, rng), random_state=1)
    assert not off_by(found, truth)


def test_maps_are_densities():
    rng = np.random.default_rng(5)
    skewed = rng.gamma(2.0, size=(300, 2)) * [1.0, 3.0]
    skewed[:, 1] += 0.3 * skewed[:, 0] ** 2
    weights = rng.uniform(0.5, 1.5, 300)
    weights /= weights.sum()
    found = likeliest_map(skewed, weights, Logarithms(skewed, weights))
    at = skewed[:20]
    _z, log_det = found(at)
    step = 1e-5 * skewed.std(axis=0)
    jacobians = np.stack(
        [
            (found(at + step * axis)[0] - found(at - step * axis)[0]) / (2.0 * step @ axis)
            for axis in np.eye(2)
        ],
        axis=2,
    )
    assert np.linalg.slogdet(jacobians)[1] == pytest.approx(log_det, abs=1e-3)
    grid = [
        np.linspace(low - 6.0, high + 15.0, 300)
        for low, high in zip(skewed.min(0), skewed.max(0), strict=True)
    ]
    points = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 2)
    images, log_dets = found(points)
    mass = np.exp(log_normal_density(images) + log_dets).sum() * np.prod([one[1] - one[0] for one in grid])
    assert mass == pytest.approx(1.0, abs=0.05)


WEIGHTED = draws(normals(500, 1), weights=np.exp(0.5 * normals(500, 1)))


@pytest.mark.parametrize(
    ("p", "q", "truth"),
    [
        (WEIGHTED, stats.norm(), 0.125),
        (WEIGHTED, normals(500, 1, seed=2), 0.125),
        (normals(500, 1, seed=2), WEIGHTED, 0.125),
        (normals(500, 1), WEIGHTED, 0.125),  # one set of draws is both sides
        (stats.norm(), WEIGHTED, 0.125),
    ],
)
def test_weights_count(p, q, truth):
    assert not off_by(estimate_kl(p, q, draws=500, random_state=1), truth)


def autoregressive(chains, n, rho, rng, mean=0.0):
    x = rng.normal(size=(chains, n))
    for i in range(1, n):
        x[:, i] = rho * x[:, i - 1] + np.sqrt(1.0 - rho**2) * x[:, i]
    return x + mean


@pytest.mark.parametrize("rho", mostly_slow([0.0, 0.5, 0.9], 0.9))
def test_chains_are_worth_what_they_are_worth(rho):
    rng = np.random.default_rng(4)
    p, q = autoregressive(2, 1200, rho, rng), autoregressive(2, 1200, rho, rng, 0.5)
    assert 0.5 < dependence_time(p[..., None]) / ((1.0 + rho) / (1.0 - rho)) < 2.0
    found = estimate_kl(draws(p, chain_dim=0), draws(q, chain_dim=0), random_state=1)
    assert not off_by(found, 0.125)
    unsaid = estimate_kl(p[0], stats.norm(0.5), random_state=1)  # a chain, though nobody says so
    assert (unsaid.n == 1200) == (rho == 0.0)
    assert estimate_kl(draws(p[0], independent=True), stats.norm(0.5)).n == 1200
    assert estimate_kl(np.sort(p[0]), stats.norm(0.5)).n == 1200  # sorted draws are no chain


def test_rejected_proposals_are_no_atoms():
    rng = np.random.default_rng(2)
    x, chain = 0.0, []
    for step in rng.normal(0.0, 2.4, 2000):
        x = x + step if rng.random() < np.exp(0.5 * (x**2 - (x + step) ** 2)) else x
        chain.append(x)
    assert not off_by(estimate_kl(np.array(chain), stats.norm(0.5), random_state=1), 0.125)


COUNTS = {
    "Poisson": (stats.poisson(3.0), stats.poisson(4.0)),
    "binomial": (stats.binom(10, 0.3), stats.binom(10, 0.4)),
    "equal": (stats.geom(0.3), stats.geom(0.3)),
}


@pytest.mark.parametrize("case", COUNTS)
def test_discrete_draws_are_counted(case):
    p, q = COUNTS[case]
    truth = float(kl(p, q))
    x, y = p.rvs(2000, random_state=1), q.rvs(2000, random_state=2)
    for pair in ((x, y), (x, q), (p, y), (x.astype(float), y)):
        found = estimate_kl(*pair, draws=2000, random_state=3)
        assert found.method == "counts"
        assert not off_by(found, truth)


LONG = {
    "a power": (stats.zipf(2.0), stats.zipf(3.0), 1000, 0.256295),  # by sums, with their tail by hand
    "geometric": (stats.geom(0.05), stats.geom(0.1), 300, None),
    "geometric, wide q": (stats.geom(0.1), stats.geom(0.05), 500, None),
}


@pytest.mark.parametrize("case", LONG)
def test_values_that_were_not_drawn_are_allowed_for(case):
    p, q, n, truth = LONG[case]
    truth = float(kl(p, q)) if truth is None else truth
    found = [estimate_kl(p.rvs(n, random_state=seed), q) for seed in range(40)]
    values, errors = np.array([(one.value, one.error) for one in found]).T
    assert np.mean(abs(values - truth) < 2.0 * errors) >= 0.95
    assert abs(values.mean() - truth) < 0.5 * errors.mean()


def test_modes_in_many_dimensions_are_not_found_with_certainty():
    rng = np.random.default_rng(0)
    p, q = (6.0 * (rng.random((500, 4)) < share) + rng.normal(size=(500, 4)) for share in (0.5, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimateWarning)
        found = estimate_kl(p, q, random_state=1)
    truth = 4.0 * 0.5 * (np.log(0.5 / 0.3) + np.log(0.5 / 0.7))
    assert abs(found.value - truth) < 2.0 * found.error
    assert found.error > 0.15


def test_several_discrete_columns_are_counted_together():
    p = np.column_stack([RNG.integers(0, 2, 3000), RNG.integers(0, 2, 3000)])
    q = p.copy()
    q[:, 1] = np.where(RNG.random(3000) < 0.6, q[:, 0], 1 - q[:, 0])  # agree more often than not
    truth = 0.5 * np.log(0.5 / 0.6) + 0.5 * np.log(0.5 / 0.4)
    assert not off_by(estimate_kl(p, q), truth)


X, Y = normals(200, 2), normals(200, 2, 0.5, seed=2)
CHAINS = X.reshape(2, 100, 2), Y.reshape(2, 100, 2)
LETTERS = {"letter": ["a", "b"]}
HOLDERS = {
    "arrays": (X, Y),
    "lists": (draws(X.tolist()), draws(Y.tolist())),
    "chains": tuple(draws(one, chain_dim=0) for one in CHAINS),
    "frames": (pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y[:, ::-1], columns=["b", "a"])),
    "a frame and an array's rows": (xr.DataArray(X, dims=("draw", "i")), Y),
    "arrays of xarray": tuple(xr.DataArray(one, dims=("draw", "letter"), coords=LETTERS) for one in (X, Y)),
    "stacked": tuple(dataset(LETTERS, v=one).stack(sample=("chain", "draw")) for one in CHAINS),
    "datasets": (dataset(LETTERS, v=CHAINS[0]), dataset(LETTERS, v=CHAINS[1]).sel(letter=["b", "a"])),
    "variables": tuple(dataset(a=one[..., 0], b=one[..., 1]) for one in CHAINS),
    "traces": tuple(inference_data(v=one) for one in CHAINS),
    "groups": tuple(in_groups(posterior=dataset(v=one)) for one in CHAINS),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_them_draws_are_read_the_same(holder):
    for held, expected in zip(HOLDERS[holder], (X, Y), strict=True):
        found = held if isinstance(held, Draws) else draws(held)
        in_order = found.chains[..., np.argsort(found.elements)]
        assert (in_order.reshape(-1, 2) == expected).all()


@pytest.mark.parametrize("holder", mostly_slow(HOLDERS, "datasets"))
def test_whatever_holds_them_draws_are_the_same(holder):
    found = estimate_kl(*HOLDERS[holder], random_state=1)
    assert found.value == pytest.approx(estimate_kl(X, Y, random_state=1).value, abs=0.03)
    assert not off_by(found, 0.25)


def test_series_are_draws_of_one_number():
    pair = pd.Series(X[:, 0]), xr.DataArray(Y[:, 0], dims="i")
    assert estimate_kl(*pair, random_state=1).value == estimate_kl(X[:, 0], Y[:, 0], random_state=1).value


def test_variables_by_themselves_have_their_names():
    p, q = HOLDERS["variables"]
    found = estimate_kl(draws(p, joint=False), q, random_state=1)
    assert found.value.dims == ("variable",)
    assert found.value["variable"].values.tolist() == ["a", "b"]
    for name in ("a", "b"):
        assert not off_by(estimate_kl(p[name], q[name], random_state=1), 0.125)
        assert abs(found.value.sel(variable=name) - 0.125) < 2.6 * found.error.sel(variable=name)
    against = estimate_kl(draws(HOLDERS["frames"][0], joint=False), stats.norm(), random_state=1)
    assert against.value.shape == (2,)
    assert against.converged.all()
    kinds, others = (
        xr.Dataset({"a": ("draw", x), "k": ("draw", (x > 0).astype(int))})
        for x in (X[:, 0], np.random.default_rng(3).normal(size=400))
    )
    mixed = estimate_kl(draws(kinds, joint=False), others, random_state=1)
    assert (mixed.value < 2.6 * mixed.error).all()
    assert (estimate_kl(draws(kinds, joint=False), kinds.copy(deep=True)).value == 0.0).all()


@pytest.mark.parametrize("lacking", [0.5, 3.0])
def test_what_is_negative_by_more_than_chance_is_not_relied_on(lacking):
    q = SimpleNamespace(logpdf=lambda x: stats.norm.logpdf(x) + lacking)
    with pytest.warns(EstimateWarning, match="comes out as -.*no divergence is negative"):
        found = estimate_kl(X[:, 0], q, random_state=1)
    assert not found.converged
    assert found.value == 0.0
    assert found.error == pytest.approx(lacking, abs=0.2)
    with pytest.warns(EstimateWarning, match="no divergence is negative"):
        found = estimate_kl(X[:, 0].round().astype(int), SimpleNamespace(logpmf=q.logpdf), random_state=1)
    assert not found.converged
    p = stats.multivariate_normal(np.zeros(2))
    of_two = SimpleNamespace(logpdf=lambda x: p.logpdf(x) + lacking, event_shape=(2,))
    with pytest.warns(EstimateWarning, match="no divergence is negative"):
        assert not estimate_kl(p, of_two, random_state=1).converged


def test_elements_meet_those_of_a_gaussian_by_name():
    q = gaussian(dataset(b=CHAINS[1][..., 1] + 1.0, a=CHAINS[1][..., 0]))
    found = estimate_kl(HOLDERS["variables"][0], q, random_state=1)
    assert not off_by(
        found,
        float(
            kl(
                MultivariateNormal(np.zeros(2), gaussian(HOLDERS["variables"][0]).covariance),
                MultivariateNormal(q.mean[::-1], q.covariance),
            )
        ),
        4.0,
    )


def test_the_same_draws_are_0_apart_and_estimates_repeat():
    for one in (X, X[:, 0], HOLDERS["traces"][0], (10 * X).astype(int)):
        assert estimate_kl(one, one).value == 0.0
    assert len({estimate_kl(X, Y, random_state=5).value for _ in range(2)}) == 1


DEGENERATE = {
    "NaN": (np.where(X > 3.0, X, np.nan), ValueError, r"^p: .*column 0, column 1.*NaN or infinite"),
    "NaN by name": (
        HOLDERS["frames"][0].mask(X > 2),
        ValueError,
        "^p: a, b: NaN or infinite in some of the draws",
    ),
    "too few": (
        X[:3],
        ValueError,
        r"^p: too few draws for 2 dimensions: 3. An estimate needs at least 22",
    ),
    "fewer than dimensions": (
        RNG.normal(size=(30, 40)),
        ValueError,
        "^p: too few draws for 40 dimensions: 30",
    ),
    "one": (X[:1], ValueError, "^p: too few draws for 2 dimensions: 1"),
    "constant": (X * [1.0, 0.0], ValueError, "^p: column 1: all draws are the same"),
    "dependent": (
        X @ [[1.0, 1.0], [0.0, 0.0]],
        ValueError,
        "^p: column 0, column 1: each follows from others",
    ),
    "text": (np.array([["a", "b"]] * 50), TypeError, r"^p: draws must be real numbers, .*numpy.unique"),
    "text by name": (
        pd.DataFrame({"a": X[:, 0], "k": ["u", "v"] * 100}),
        TypeError,
        r"^p: draws must be real numbers, and k are",
    ),
    "numbers as objects": (
        pd.DataFrame(X, columns=["a", "b"]).astype(object),
        TypeError,
        r"^p: draws must be real numbers, and a are of type object: x\.astype\(float\)",
    ),
    "categories": (pd.Series(["u", "v"] * 100).astype("category"), TypeError, "^p: .*numpy.unique"),
    "complex": (X + 0j, TypeError, "^p: draws must be real numbers"),
    "dates": (X.astype("M8[s]"), TypeError, "^p: draws must be real numbers"),
    "nothing": (X[:0], ValueError, "^p: there are no draws"),
    "masked": (np.ma.masked_greater(X, 1.0), ValueError, "^p: some of the draws are masked"),
    "transposed": (X.T, ValueError, r"^p: too few draws for 200 dimensions: 2\..*x\.T.*chain_dim=0"),
    "numbers of draws": (
        pd.DataFrame({"chain": 0, "draw": np.arange(200), "a": X[:, 0]}),
        ValueError,
        "^p: its columns chain and draw number the draws",
    ),
    "three axes": (CHAINS[0], ValueError, r"^p: draws are an array .*, got shape \(2, 100, 2\).*chain_dim=0"),
    "rounded": (
        X.round(1),
        ValueError,
        r"^p: column 0: 184 draws have only \d+ different values, as rounded",
    ),
    "kinds": (
        pd.DataFrame({"a": X[:, 0], "k": (X[:, 1] > 0)}),
        ValueError,
        "^p: k: integers, and the others are floats",
    ),
    "other names": (
        pd.DataFrame(X, columns=["a", "c"]),
        ValueError,
        "^p and q have different variables: only p has c",
    ),
    "other sizes": (
        X[:, :1],
        ValueError,
        "^p and q have different event shapes: draws of 1 against draws of 2",
    ),
    "stuck": (
        np.repeat(X[:4], 50, axis=0),
        ValueError,
        r"^p: too few draws for 2 dimensions: 200, worth \d+ independent ones",
    ),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_what_is_wrong_with_draws_is_said(case):
    p, kind, message = DEGENERATE[case]
    q = HOLDERS["frames"][1] if isinstance(p, pd.DataFrame) and case != "kinds" else Y
    q = p + 1 if case in ("fewer than dimensions", "kinds", "transposed") else q
    with pytest.raises(kind, match=message):
        estimate_kl(p, q)


WEIGHTS = {
    "negative": (-np.ones(200), "weights must be finite and not negative"),
    "NaN": (np.full(200, np.nan), "weights must be finite"),
    "zero": (np.zeros(200), "weights must not all be 0"),
    "masked": (np.ma.masked_less(np.arange(200.0), 3.0), "some of the weights are masked"),
    "of another length": (np.ones(5), r"weights have shape \(5,\) for 200 draws"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_what_is_wrong_with_weights_is_said(case):
    with pytest.raises(ValueError, match=WEIGHTS[case][1]):
        draws(X, weights=WEIGHTS[case][0])


def test_weights_go_by_labels():
    weights = np.exp(0.5 * ONE)
    expected = draws(ONE, weights=weights).weights
    series, labels = pd.Series(ONE), pd.Series(weights).sort_values()
    assert (draws(series, weights=labels).weights == expected).all()
    assert (draws(series.to_frame("a"), weights=labels).weights == expected).all()
    assert draws(ONE, weights=1e308 * (weights / weights.max())).weights == pytest.approx(expected)
    chains = dataset(a=ONE.reshape(2, 250)).assign_coords(chain=[0, 1], draw=np.arange(250))
    table = xr.DataArray(weights.reshape(2, 250), chains.coords, ("chain", "draw"))
    for one in (table, table.transpose(), table[::-1, ::-1]):
        assert (draws(chains, weights=one).weights.ravel() == expected.ravel()).all()
    for held, other in (
        (series, labels.rename(lambda label: label + 1)),
        (chains, table.assign_coords(draw=np.arange(250) + 1)),
        (chains, table.rename(chain="i")),
    ):
        with pytest.raises(ValueError, match=r"^weights have (other labels than the draws|no dimension)"):
            draws(held, weights=other)
    with pytest.raises(TypeError, match=r"^weights must be real numbers, got str"):
        draws(ONE, weights="abc")


def test_estimates_say_what_their_errors_cover():
    counts = (3 * X[:, 0]).astype(int)
    for p, q, words in (
        (X, Y, ("nearest neighbours", "not counting those", "what neighbours found")),
        (counts, counts + 1, ("counts", "values that were not drawn")),
        (stats.gamma(2.0), stats.norm(), ("By quadrature", "is a bound")),
    ):
        first, said = str(found := estimate_kl(p, q, random_state=1)).split("\n")
        assert first == repr(found)
        assert all(word in said for word in words)
    each = estimate_kl(draws(pd.DataFrame(X), joint=False), pd.DataFrame(Y), random_state=1)
    assert float(repr(each).split("± [")[1].split()[0]) > 0.0  # small errors are not 0


def test_weights_in_one_draw_are_one_draw():
    with pytest.raises(ValueError, match="worth 1 independent ones by their weights"):
        estimate_kl(draws(X, weights=np.eye(200)[0]), Y)


REFUSED = {
    "a batch": (
        lambda: estimate_kl(X[:, 0], stats.norm([0.0, 1.0])),
        r"^q is a batch of shape \(2,\).*independent\(q\)",
    ),
    "a method": (lambda: estimate_kl(X, Y, method="monte carlo"), "^draws have their own methods"),
    "event shapes": (
        lambda: estimate_kl(X, stats.norm()),
        "^p and q have different event shapes: p has draws of 2",
    ),
    "names against none": (
        lambda: estimate_kl(HOLDERS["variables"][0], stats.multivariate_normal([0, 0])),
        "nothing goes by position there",
    ),
    "no axis": (lambda: draws(X, chain_dim=5), "^chain_dim must be an axis of the array"),
    "no dimension": (lambda: draws(HOLDERS["datasets"][0], chain_dim="c"), "has no dimension 'c'"),
    "no draw": (
        lambda: draws(xr.Dataset({"a": ("i", X[:, 0]), "b": ("j", X[:, 1])})),
        "has no dimension 'draw'",
    ),
    "no posterior": (
        lambda: draws(in_groups(prior=dataset(a=CHAINS[0]))),
        "there is no group posterior .it has",
    ),
    "no names": (lambda: estimate_kl(draws(X, joint=False), Y), "joint=False is for variables with names"),
    "an atom on q": (
        lambda: estimate_kl(X[:, 0], np.where(Y[:, 0] > 0.5, Y[:, 0], 0.0)),
        "^q: column 0 is 0 again and again",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_draws_do_not_go_with_is_said(case):
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_kl_refuses_draws_and_says_who_takes_them():
    for data in (X, X[:, 0], HOLDERS["frames"][0], HOLDERS["traces"][0]):
        with pytest.raises(TypeError, match=r"is not a distribution, but .*estimate_kl"):
            kl(data, stats.norm())
    with pytest.raises(TypeError, match=r"^p: .*Draws is not a distribution, but draws: .*estimate_kl"):
        kl(draws(X), stats.norm())


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (X[:, 0], stats.poisson(3.0)),
        ((10 * X[:, 0]).astype(int), stats.norm()),
        (X[:, 0], stats.gamma(2.0)),
        (RNG.poisson(3.0, 500), stats.binom(4, 0.5)),
    ],
)
def test_what_q_cannot_be_is_infinitely_far(p, q):
    with pytest.warns(EstimateWarning, match="^it is infinite: .*p"):
        found = estimate_kl(p, q)
    assert (found.value, found.error, found.converged) == (np.inf, 0.0, True)


ONE = normals(500, 1)
RESAMPLED = np.random.default_rng(4)
REPEATED = {
    "with replacement": RESAMPLED.choice(ONE, 500),
    "by weights": RESAMPLED.choice(ONE, 500, p=np.exp(-0.2 * ONE) / np.exp(-0.2 * ONE).sum()),
    "twice over": np.tile(ONE, 2),
    "rounded where it does not matter": ONE.round(2),
    "vectors": RESAMPLED.choice(np.column_stack([ONE, ONE[::-1]]), 500),
}


@pytest.mark.parametrize("case", mostly_slow(REPEATED, "by weights", "rounded where it does not matter"))
def test_draws_that_come_again_are_one_of_more_weight(case):
    x, mean = REPEATED[case], -0.2 if case == "by weights" else 0.0
    q = stats.norm(0.7) if x.ndim == 1 else stats.multivariate_normal([0.7, 0.7])
    truth = 0.5 * (0.7 - mean) ** 2 * (x.size / len(x))
    found = estimate_kl(x, q, random_state=1)
    assert not off_by(found, truth)
    assert found.n <= 500


HEIGHTS = np.random.default_rng(2).normal(170.0, 7.0, 400)
NO_DENSITY = {
    "rounded": (normals(2000, 1).round(2), r"different values, as rounded ones have"),
    "whole numbers": (HEIGHTS.round(), "whole numbers that come again and again, as rounded"),
    "ones": (np.ones(400), "column 0: all draws are the same"),
    "halves": (np.full(400, 1.5), "column 0: all draws are the same"),
    "an atom": (np.where(np.arange(500) % 50 == 0, 0.0, ONE), "column 0 is 0 again and again"),
    "an atom among resampled ones": (np.where(ONE > 1.0, 1.0, REPEATED["with replacement"]), "is 1 again"),
}


@pytest.mark.parametrize("case", NO_DENSITY)
def test_what_has_no_density_is_refused_on_either_side(case):
    x, message = NO_DENSITY[case]
    for other in (stats.norm(), Y[:, 0]):
        for side, pair in (("p", (x, other)), ("q", (other, x))):
            with pytest.raises(ValueError, match=f"^{side}: .*{message}"):
                estimate_kl(*pair)


DOUBTFUL = {
    "apart": (X, X[::-1] + 30.0, "further out than all of q's", np.inf),
    "without a mean": (
        np.random.default_rng(0).standard_cauchy(500),
        stats.norm(),
        "a few draws dominate",
        None,
    ),
    "without a variance": (
        np.random.default_rng(2).standard_t(3.0, 500),
        stats.norm(0.0, 2.0),
        "a few draws dominate",
        None,
    ),
    "guessed": (
        np.random.default_rng(0).standard_cauchy(500),
        normals(500, 1),
        "further out than all of q's",
        np.inf,
    ),
    "few": (X[:30], Y, "are worth 30 independent ones, and 2 dimensions need 44", None),
    "unseen": (RNG.poisson(3.0, 500), RNG.poisson(0.3, 500), "have values that q's draws lack", np.inf),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_what_draws_cannot_tell_is_not_converged(case):
    p, q, message, error = DOUBTFUL[case]
    with pytest.warns(EstimateWarning, match=re.escape(message)):
        found = estimate_kl(p, q, random_state=1)
    assert not found.converged
    assert error is None or found.error == error


def test_time_is_limited(monkeypatch):
    monkeypatch.setattr(clock, "monotonic", itertools.count().__next__)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = estimate_kl(X, Y, time_limit=1e-9)
    assert not found.converged
    assert "time limit" in str(caught[0].message)


def test_what_the_first_evaluation_takes_is_not_counted(monkeypatch):
    """It may compile."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    class Compiled(stats.rv_continuous):
        def _logpdf(self, x):
            now[0] += 100.0
            return stats.norm.logpdf(x)

        def _rvs(self, size=None, random_state=None):
            now[0] += 100.0
            return random_state.normal(size=size)

    one = Compiled(name="compiled")()
    for pair in ((X[:, 0], one), (one, X[:, 0])):
        assert estimate_kl(*pair, random_state=1).converged


def covered(p, q, truth, n, repetitions):
    """Values and errors over repetitions."""
    found = []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        equal = np.full(n, 1.0 / n)
        pair = [Points(np.reshape(side.rvs(n, random_state=rng), (n, -1)), equal) for side in (p, q)]
        found.append(divergence_of(*pair, rng))
    values, errors = np.array(found).T
    return (values.mean() - truth) / errors.mean(), np.mean(abs(values - truth) < 1.96 * errors)


def divergence_of(p, q, rng):
    from kl_plugins.estimate.clock import Clock

    found = divergence(p, q, count=1, rng=rng, clock=Clock(60.0), report=lambda said: None)
    return found.value, found.error


@pytest.mark.slow
@pytest.mark.parametrize("case", GAUSSIANS)
def test_intervals_cover_as_often_as_they_say(case):
    p, q = GAUSSIANS[case]
    bias, share = covered(p, q, float(kl(p, q)), 500, 40)
    assert abs(bias) < 0.4
    assert share >= 0.9
