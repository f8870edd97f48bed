"""Models with minibatches: their log density is that of the same model on all the data."""

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from kl_plugins import Dense, MultivariateNormal, jeffreys
from kl_plugins.variational import diagnose, fit, snapshot
from kl_plugins.variational.target.density import TargetDensity

ROWS, BATCH = 60, 20
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 3))
Y = RNG.normal(size=ROWS).clip(-1.0, 1.0)
PAIRS = RNG.normal(size=(ROWS, 2))
GROUPS = RNG.integers(0, 5, ROWS).astype("int32")
COUNTS = RNG.poisson(2.0, ROWS).astype("int32")
VOTES = RNG.multinomial(5, [0.2, 0.3, 0.5], size=ROWS).astype("int32")


def drawn(whole, *arrays):
    """The rows of arrays in minibatches, or all; and what says how many there are."""
    arrays = [pt.as_tensor(array) for array in arrays]
    if whole:
        return arrays, {}
    batches = pm.Minibatch(*arrays, batch_size=BATCH)
    return (batches if len(arrays) > 1 else [batches]), {"total_size": ROWS}


def observed(batch, whole):
    return batch.data if whole else batch


def regression(make):
    """A model of a linear predictor: `make` adds what is observed."""

    def build(whole):
        with pm.Model() as model:
            b, s = pm.Normal("b", shape=3), pm.HalfNormal("s")
            make(whole, b, s)
        return model

    return build


def one_likelihood(distribution, data, *parameters):
    """A variable given rows of X, with the parameters that functions of (b, s, mu) give."""

    def make(whole, b, s):
        (x, y), said = drawn(whole, X, data)
        values = [f(b, s, x @ b) for f in parameters]
        distribution("y", *values, observed=observed(y, whole), **said)

    return regression(make)


def two_minibatches_and_ordinary_data(whole, b, s):
    (x, y, group), said = drawn(whole, X, Y, GROUPS)
    effects = pm.Normal("effects", shape=5)
    pm.Normal("y", effects[group] + x @ b, s, observed=observed(y, whole), **said)
    (count, other), said = drawn(whole, COUNTS, PAIRS)
    pm.Poisson("count", pt.exp(b[0]), observed=observed(count, whole), **said)
    pm.Normal("other", b[:2], s, observed=observed(other, whole), **said)
    pm.Normal("z", b[1], 1.0, observed=[0.3, 0.4])
    pm.Potential("ridge", -(b[2] ** 2))


def shared_data(whole, b, s):
    x, y = pm.Data("x_data", X), pm.Data("y_data", Y)
    said = {}
    if not whole:
        x, y = pm.Minibatch(x, y, batch_size=BATCH)
        said = {"total_size": [ROWS]}
    pm.Normal("y", x @ b, s, observed=y, **said)


def of_several_dimensions(whole, b, s):
    (x, pair), said = drawn(whole, X, PAIRS)
    said = said and {"total_size": (ROWS, 2)}
    pm.Normal("y", (x @ b)[:, None], s, observed=observed(pair, whole), **said)


def with_a_shape(whole, b, s):
    (y,), said = drawn(whole, Y)
    pm.Normal("y", b[0], s, observed=observed(y, whole), shape=ROWS if whole else BATCH, **said)


def custom(name, mu, s, **observed):
    pm.CustomDist(name, mu, s, dist=lambda mu, s, size: 2.0 * pm.Laplace.dist(mu, s, size=size), **observed)


def custom_pair(name, mean, s, **observed):
    def normal(mean, s, size):
        return pm.MvNormal.dist(mean, s**2 * np.eye(2), size=size)

    pm.CustomDist(name, mean, s, dist=normal, signature="(k),()->(k)", **observed)


def with_names_of_dimensions(whole):
    """Priors and predictors of pymc.dims, rows in an ordinary variable: PyMC takes no others."""
    with pm.Model(coords={"column": range(3), "group": range(5)}) as model:
        b, s = pmd.Normal("b", 0.0, 1.0, dims="column"), pmd.HalfNormal("s", 1.0)
        effects = pmd.Normal("effects", 0.0, s, dims="group")
        (x, y, group), said = drawn(whole, X, Y, GROUPS)
        x, group = pmd.as_xtensor(x, dims=("row", "column")), pmd.as_xtensor(group, dims=("row",))
        mu = (x * b).sum("column") + effects.isel(group=group)
        pm.Normal("y", mu.values, s.values, observed=observed(y, whole), **said)
    return model


def linear(b, s, mu):
    return mu


def scale(b, s, mu):
    return s


def rate(b, s, mu):
    return pt.exp(mu)


def shares(b, s, mu):
    return pm.math.softmax(in_columns(mu, -mu, 2 * mu), axis=1)


def five_shares(b, s, mu):
    return pm.math.softmax(in_columns(mu, -mu, 2 * mu, mu**2, s * mu), axis=1)


def in_columns(*parts):
    return pt.stack(parts, axis=1)


CASES = {
    "several": regression(two_minibatches_and_ordinary_data),
    "shared": regression(shared_data),
    "matrix": regression(of_several_dimensions),
    "shape": regression(with_a_shape),
    "scalar parameters": one_likelihood(pm.Normal, Y, lambda b, s, mu: b[0], scale),
    "zero-inflated": one_likelihood(pm.ZeroInflatedPoisson, COUNTS, lambda b, s, mu: 0.6, rate),
    "hurdle": one_likelihood(pm.HurdlePoisson, COUNTS, lambda b, s, mu: 0.6, rate),
    "mixture": one_likelihood(
        pm.Mixture,
        Y,
        lambda b, s, mu: [0.3, 0.7],
        lambda b, s, mu: [pm.Normal.dist(mu, s), pm.Normal.dist(b[0], 1.0)],
    ),
    "normal mixture": one_likelihood(
        pm.NormalMixture, Y, lambda b, s, mu: [0.3, 0.7], lambda b, s, mu: b[:2], scale
    ),
    "truncated": one_likelihood(
        pm.Truncated, Y, lambda b, s, mu: pm.Normal.dist(mu, s), lambda b, s, mu: -10.0, lambda b, s, mu: 10.0
    ),
    "censored": one_likelihood(
        pm.Censored, Y, lambda b, s, mu: pm.Normal.dist(mu, s), lambda b, s, mu: -1.0, lambda b, s, mu: 1.0
    ),
    "multivariate": one_likelihood(
        pm.MvNormal, PAIRS, lambda b, s, mu: in_columns(mu, 0.0 * mu), lambda b, s, mu: np.eye(2)
    ),
    "custom": one_likelihood(custom, Y, linear, scale),
    "custom pair": one_likelihood(custom_pair, PAIRS, lambda b, s, mu: b[:2], scale),
    "dims": with_names_of_dimensions,
    "multinomial": one_likelihood(
        pm.Multinomial,
        VOTES,
        lambda b, s, mu: 5,
        shares,
    ),
    "categorical": one_likelihood(
        pm.Categorical,
        GROUPS,
        lambda b, s, mu: pm.math.softmax(in_columns(mu, -mu, 2 * mu, mu, s * mu), axis=1),
    ),
    "ordered": one_likelihood(pm.OrderedLogistic, GROUPS, linear, lambda b, s, mu: [-1.0, 0.0, 1.0, 2.0]),
}


@pytest.fixture
def small_chunks(monkeypatch):
    """Several chunks of rows, and graphs as they are."""
    monkeypatch.setattr("kl_plugins.variational.target.chunks.CHUNK", 200)
    monkeypatch.setattr("kl_plugins.variational.target.chunks.FEWEST_ROWS", 7)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_log_density_is_that_of_all_the_data(name, small_chunks):
    build = CASES[name]
    target, whole = TargetDensity(build(whole=False)), TargetDensity(build(whole=True))
    assert target.variables == whole.variables
    points = np.random.default_rng(1).normal(scale=0.5, size=(19, target.dimension))
    for found, expected in zip(target(points), whole(points), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)


def model_of(make):
    with pm.Model() as model:
        make(pm.Normal("b", shape=3))
    return model


def without_total_size(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    with pytest.warns(UserWarning, match="total_size not provided"):
        pm.Normal("y", x @ b, observed=y)


def with_another_total_size(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    pm.Normal("y", x @ b, observed=y, total_size=1_000_000)


def with_more_columns(b):
    pm.Normal("y", b[0], observed=pm.Minibatch(PAIRS, batch_size=BATCH), total_size=(ROWS, 4))


def drawn_apart(b):
    x, y = pm.Minibatch(X, batch_size=BATCH), pm.Minibatch(Y, batch_size=BATCH)
    pm.Normal("y", x @ b, observed=y, total_size=ROWS)


def of_other_lengths(b):
    x, y = pm.Minibatch(X, Y[:50], batch_size=BATCH)
    pm.Normal("y", x @ b, observed=y, total_size=ROWS)


def of_minibatches(b):
    y = pm.Minibatch(pm.Minibatch(Y, batch_size=40), batch_size=BATCH)
    pm.Normal("y", b[0], observed=y, total_size=ROWS)


def in_a_potential(b):
    y = pm.Minibatch(Y, batch_size=BATCH)
    pm.Potential("likelihood", -ROWS / BATCH * ((y - b[0]) ** 2).sum())


def of_a_custom_part(b):
    y = pm.Minibatch(Y, batch_size=BATCH)
    part = pm.CustomDist.dist(b[0], dist=lambda mu, size: pm.Normal.dist(mu, size=size))
    pm.Mixture("y", [0.3, 0.7], [part, pm.Normal.dist(b[0], 2.0)], observed=y, total_size=ROWS)


def in_a_prior(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    scale = pm.Normal("scale", x.mean(), 1.0)
    pm.Normal("y", x @ b + scale, observed=y, total_size=ROWS)


def as_one_event(b):
    y = pm.Minibatch(Y, batch_size=BATCH)
    pm.MvNormal("y", pt.zeros(BATCH) + b[0], np.eye(BATCH), observed=y, total_size=ROWS)


def centred_in_the_batch(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    pm.Normal("y", (x - x.mean(axis=0)) @ b, observed=y, total_size=ROWS)


def with_places_in_the_batch(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    pm.Normal("y", x @ b + b[0] * pt.cumsum(x[:, 0]), observed=y, total_size=ROWS)


def with_the_size_as_a_number(b):
    x, y = pm.Minibatch(X, Y, batch_size=BATCH)
    pm.Normal("y", x @ b + pt.zeros(BATCH), observed=y, total_size=ROWS)


def handed_in_from_outside(b):
    x, y = pm.Data("x", X[:BATCH]), pm.Data("y_data", Y[:BATCH])
    pm.Normal("y", x @ b, observed=y, total_size=1_000_000)


class Stream(Op):
    """Rows that somebody else reads, new ones each time."""

    def make_node(self, state):
        return Apply(self, [state], [pt.dvector(shape=(BATCH,))])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = RNG.normal(size=BATCH)


def from_a_stream(b):
    pm.Potential("likelihood", -((Stream()(pytensor.shared(0.0)) - b[0]) ** 2).sum())


NO_WHOLE = {
    without_total_size: r"y is observed in minibatches and has no total_size.*give total_size=60",
    with_another_total_size: r"total_size of y is 1,000,000, the minibatch is drawn from 60 rows",
    with_more_columns: r"total_size of y is 4 in dimension 1, its data are 2 long there",
    drawn_apart: r"y depends on 2 minibatches that are drawn independently.*in one call",
    of_other_lengths: r"arrays of the minibatch of y have different numbers of rows: 50, 60",
    of_minibatches: r"y depends on minibatches of minibatches",
    in_a_potential: r"pm\.Potential 'likelihood' uses a minibatch.*pm\.CustomDist",
    in_a_prior: r"the prior of scale depends on a minibatch",
    of_a_custom_part: r"density of y cannot be derived for any other number of rows",
    as_one_event: r"y is one event that spans all rows of a minibatch",
    centred_in_the_batch: r"density of y of several rows is not the sum .*Compute it from all",
    with_places_in_the_batch: r"density of y of several rows is not the sum .*places of rows",
    with_the_size_as_a_number: r"density of y can be computed of 20 rows alone.*pt\.zeros\(x\.shape\[0\]\)",
    handed_in_from_outside: r"total_size of y is 1,000,000, the model holds 20 rows of it at a time",
    from_a_stream: r"log density changes from one evaluation to the next",
}


@pytest.mark.parametrize("make", NO_WHOLE)
def test_where_there_is_no_log_density_of_all_the_data_that_is_said(make, small_chunks):
    with pytest.raises(ValueError, match=NO_WHOLE[make]):
        TargetDensity(model_of(make))


def linear_regression(batch=100, rows=1_000):
    """A model, and its posterior by linear algebra."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(rows, 3))
    y = x @ [1.0, -2.0, 0.5] + rng.normal(size=rows)
    with pm.Model() as model:
        b = pm.Normal("b", 0.0, 10.0, shape=3)
        some, observed = pm.Minibatch(x, y, batch_size=batch)
        pm.Normal("y", some @ b, 1.0, observed=observed, total_size=rows)
    precision = x.T @ x + np.eye(3) / 100.0
    return model, MultivariateNormal(np.linalg.solve(precision, x.T @ y), Dense(np.linalg.inv(precision)))


def test_a_fit_and_its_diagnosis_are_of_all_the_data():
    model, exact = linear_regression()
    approximation = fit(model, "fullrank_advi", random_seed=1, progressbar=False)
    assert approximation.certificate.certified
    assert jeffreys(snapshot(approximation), exact) < 1e-6
    diagnosis = diagnose(approximation, draws=2_500, random_seed=1, progressbar=False)
    assert diagnosis.verdict.level == "trust"
    assert diagnosis.importance.k.value < 0.1


@pytest.fixture
def many_rows(monkeypatch):
    """Rows count as many."""
    monkeypatch.setattr("kl_plugins.variational.target.chunks.MANY_ROWS", 500)
    monkeypatch.setattr("kl_plugins.variational.target.chunks.SOME_ROWS", 250)
    monkeypatch.setattr("kl_plugins.variational.optimum.draw_counts.EXTENSIVE", 1_000)


@pytest.mark.slow
def test_a_search_among_many_rows_begins_with_some(many_rows):
    model, exact = linear_regression()
    target = TargetDensity(model)
    values, gradients = target(points := np.random.default_rng(1).normal(size=(5, 3)))
    about, slopes = target.sketch(points)
    assert target.evaluations == 6 + 1  # with those at the start
    np.testing.assert_allclose(about, values, rtol=0.2)
    np.testing.assert_allclose(slopes, gradients, atol=0.2 * abs(gradients).max())
    certificate = fit(model, "fullrank_advi", random_seed=1, progressbar=False).certificate
    assert certificate.certified
    assert (certificate.draws, certificate.evaluations < 10_000) == (128, True)
    assert jeffreys(certificate.distribution, exact) < 1e-6


@pytest.mark.slow
def test_optima_of_some_rows_that_differ_are_sought_among_all(many_rows):
    rng = np.random.default_rng(2)
    with pm.Model() as model:
        root = pm.Normal("root", sigma=2.0)
        some = pm.Minibatch(rng.normal(1.0, 1.0, size=1_000), batch_size=100)
        pm.Normal("y", root**2, 5.0, observed=some, total_size=1_000)
        pm.Potential("slant", 0.5 * root)
    certificate = fit(model, random_seed=1, progressbar=False).certificate
    assert certificate.certified
    assert certificate.distribution.mean[0] > 0.5
    assert certificate.other_optima
