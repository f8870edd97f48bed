"""Variables of pymc.dims: every family there, judged by PyMC's ordinary variables of the same numbers."""

import subprocess
import sys
import textwrap

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats

from dims import XTensorVariable, pmd
from kl_plugins import (
    Dense,
    Diagonal,
    MultivariateNormal,
    NoClosedFormError,
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    independent,
    jeffreys,
    kl,
    pairwise_kl,
)
from kl_plugins.extend import Normal

PYTHON = Mode(linker="py", optimizer="fast_compile")


def named(values, *dims):
    return pmd.as_xtensor(np.asarray(values, float), dims=dims)


def value(graph):
    return graph.values.eval(mode=PYTHON)


FAMILIES = {
    "BetaBinomial": ({"n": 5, "alpha": (2.0, 3.0), "beta": 4.0}, {"n": 5, "alpha": 1.5, "beta": (1.0, 2.0)}),
    "Bernoulli": ({"p": (0.2, 0.3)}, {"p": (0.5, 0.6)}),
    "Beta": ({"alpha": (2.0, 3.0), "beta": 1.5}, {"alpha": 1.0, "beta": (2.0, 4.0)}),
    "Binomial": ({"n": 7, "p": (0.2, 0.3)}, {"n": 7, "p": (0.5, 0.6)}),
    "Cauchy": ({"alpha": (0.0, 1.0), "beta": 2.0}, {"alpha": 1.0, "beta": (1.0, 3.0)}),
    "DiracDelta": ({"c": (0.0, 1.0)}, {"c": (0.0, 1.0)}),
    "Exponential": ({"lam": (0.5, 2.0)}, {"lam": (1.0, 3.0)}),
    "Gamma": ({"alpha": 2, "beta": (3.0, 1.0)}, {"alpha": (1.5, 2.5), "beta": 1.0}),
    "Geometric": ({"p": (0.2, 0.3)}, {"p": (0.5, 0.6)}),
    "Gumbel": ({"mu": (0.0, 1.0), "beta": 2.0}, {"mu": 1.0, "beta": (1.0, 3.0)}),
    "HalfCauchy": ({"beta": 2.0}, {"beta": 3.0}),
    "HalfNormal": ({"sigma": (0.5, 2.0)}, {"sigma": (1.0, 3.0)}),
    "HalfStudentT": ({"nu": 4.0, "sigma": 2.0}, {"nu": 4.0, "sigma": 2.0}),
    "HyperGeometric": ({"N": 10, "k": 4, "n": 3}, {"N": 10, "k": 5, "n": 3}),
    "InverseGamma": ({"alpha": (2.0, 3.0), "beta": 1.5}, {"alpha": 1.0, "beta": (2.0, 4.0)}),
    "Kumaraswamy": ({"a": 2.0, "b": 1.5}, {"a": 2.0, "b": 2.5}),
    "Laplace": ({"mu": (0.0, 1.0), "b": 2.0}, {"mu": 1.0, "b": (1.0, 3.0)}),
    "Logistic": ({"mu": (0.0, 1.0), "s": 2.0}, {"mu": (0.0, 1.0), "s": 2.0}),
    "LogNormal": ({"mu": (0.0, 1.0), "sigma": 2.0}, {"mu": 1.0, "sigma": (1.0, 3.0)}),
    "NegativeBinomial": ({"mu": (2.0, 3.0), "alpha": 4.0}, {"mu": (1.0, 2.0), "alpha": 4.0}),
    "Normal": ({"mu": (0.0, 1.0), "sigma": 2.0}, {"mu": 1.0, "sigma": (1.0, 3.0)}),
    "Pareto": ({"alpha": (2.0, 3.0), "m": 2.0}, {"alpha": (1.0, 1.5), "m": 1.0}),
    "Poisson": ({"mu": (2.0, 3.0)}, {"mu": (1.0, 4.0)}),
    "StudentT": ({"nu": 4.0, "mu": 1.0, "sigma": 2.0}, {"nu": 4.0, "mu": 1.0, "sigma": 2.0}),
    "Triangular": ({"lower": 0.0, "c": 0.5, "upper": 1.0}, {"lower": 0.0, "c": 0.5, "upper": 1.0}),
    "TruncatedNormal": (
        {"mu": (0.0, 1.0), "sigma": 2.0, "lower": -1.0},
        {"mu": 1.0, "sigma": (1.0, 3.0), "lower": -1.0},
    ),
    "Uniform": ({"lower": 0.0, "upper": (1.0, 2.0)}, {"lower": -1.0, "upper": (3.0, 2.0)}),
    "VonMises": ({"mu": (0.0, 1.0), "kappa": 2.0}, {"mu": 1.0, "kappa": (1.0, 3.0)}),
    "Weibull": ({"alpha": (2.0, 3.0), "beta": 1.5}, {"alpha": (2.0, 3.0), "beta": (2.0, 4.0)}),
}
"""Of each family two sides with one batch dimension, where it takes one, and their parameters."""

REFUSED = {
    "Flat": "Flat is improper",
    "HalfFlat": "HalfFlat is improper",
    "Censored": "no closed form is known for a censored variable",
}
OVER_VECTORS = {"Categorical", "Dirichlet", "MvNormal", "ZeroSumNormal"}
KINDS = {
    name: kind
    for name, kind in vars(pmd).items()
    if isinstance(kind, type) and hasattr(kind, "dist") and kind.__module__.startswith("pymc.dims.")
}
BASES = {"DimDistribution", "PositiveDimDistribution", "UnitDimDistribution", "VectorDimDistribution"}


def test_every_family_of_pymc_dims_is_here():
    known = FAMILIES.keys() | REFUSED.keys() | OVER_VECTORS
    assert KINDS.keys() - BASES <= known
    early = {"BetaBinomial", "Bernoulli", "Binomial", "DiracDelta", "Geometric", "Gumbel", "HyperGeometric"}
    early |= {"Kumaraswamy", "Logistic", "NegativeBinomial", "Pareto", "Poisson", "Triangular", "VonMises"}
    assert known - KINDS.keys() <= early  # which PyMC 5 does not have there


def sides(name, parameters):
    """The variable of pymc.dims over the dimension "place", and the ordinary one, of the same symbols."""
    symbols = {key: pt.vector(key) for key, one in parameters.items() if isinstance(one, tuple)}
    own = parameters | {key: pmd.as_xtensor(x, dims=("place",)) for key, x in symbols.items()}
    made = KINDS[name].dist(**own), getattr(pm, name).dist(**parameters | symbols)
    return *made, list(symbols.values()), [np.array(parameters[key]) for key in symbols]


def test_families_are_those_of_ordinary_variables():
    for name in FAMILIES.keys() & KINDS.keys():
        p, ordinary_p, *_ = sides(name, FAMILIES[name][0])
        q, ordinary_q, *_ = sides(name, FAMILIES[name][1])
        assert explain(p, q) == explain(ordinary_p, ordinary_q), name


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if name in KINDS])
def test_families(name):
    """Values and gradients, in symbols."""
    p, ordinary_p, symbols_p, values_p = sides(name, FAMILIES[name][0])
    q, ordinary_q, symbols_q, values_q = sides(name, FAMILIES[name][1])
    own, ordinary = kl(p, q), kl(ordinary_p, ordinary_q)
    assert isinstance(own, XTensorVariable)
    assert own.type.dims == (("place",) if symbols_p or symbols_q else ())
    inputs = symbols_p + symbols_q
    graphs = [own.values.sum(), ordinary.sum()]
    if inputs and name != "DiracDelta":
        graphs += [
            gradient
            for total in graphs
            for gradient in pytensor.grad(total, inputs, disconnected_inputs="ignore")
        ]
    function = pytensor.function(inputs, [own.values, ordinary, *graphs], mode=PYTHON)
    with np.errstate(all="ignore"):
        found = function(*values_p, *values_q)
    assert np.isfinite(found[0]).all()
    gradients = found[4:]
    pairs = zip(gradients[: len(inputs)], gradients[len(inputs) :], strict=True)
    for one, other in (found[:2], found[2:4], *pairs):
        np.testing.assert_allclose(one, other, rtol=1e-13)


@pytest.mark.parametrize("name", REFUSED)
def test_families_without_closed_forms(name):
    made = {
        "Censored": lambda: pmd.Censored.dist(pmd.Normal.dist(), lower=0.0, dim_lengths={}),
    }
    p = made.get(name, lambda: KINDS[name].dist())()
    with pytest.raises(NoClosedFormError, match=f"^p: {REFUSED[name]}"):
        kl(p, p)


def array(x):
    """A parameter as an array of xarray."""
    return xr.DataArray(value(x), dims=x.type.dims) if isinstance(x, XTensorVariable) else xr.DataArray(x)


A, B = named([0.0, 1.0, 2.0], "place"), named([1.0, 2.0], "time")
LABELLED = xr.DataArray([1.0, 2.0], dims="time")
EXTRA = xr.DataArray(np.zeros(2), dims="time")


@pytest.mark.parametrize(
    ("p", "q", "parameters"),
    [
        (lambda: pmd.Normal.dist(A, 1.0), lambda: pmd.Normal.dist(B, 2.0), (A, 1.0, B, 2.0)),
        (lambda: pmd.Normal.dist(0.0, B), lambda: pmd.Normal.dist(A, B), (0.0, B, A, B)),
        (lambda: stats.norm(1.0, 2.0), lambda: pmd.Normal.dist(A, 1.0), (1.0, 2.0, A, 1.0)),
        (lambda: pmd.Normal.dist(A, 1.0), lambda: pm.Normal.dist(1.0, 2.0), (A, 1.0, 1.0, 2.0)),
        (lambda: Normal(A, 1.0), lambda: Normal(0.0, B), (A, 1.0, 0.0, B)),
        (lambda: Normal(LABELLED, A + 1.0), lambda: Normal(0.0, 1.0), (LABELLED, A + 1.0, 0.0, 1.0)),
        (lambda: stats.norm(LABELLED, 2.0), lambda: pmd.Normal.dist(A, 1.0), (LABELLED, 2.0, A, 1.0)),
        (
            lambda: pmd.Normal.dist(0.0, 1.0, dim_lengths={"time": 2}),
            lambda: Normal(A, 1.0),
            (EXTRA, 1.0, A, 1.0),
        ),
        (
            lambda: pmd.as_xtensor(pm.Normal.dist([1.0, 2.0], 1.0), dims=("time",)),
            lambda: pmd.Normal.dist(A, 1.0),
            (B, 1.0, A, 1.0),
        ),
    ],
)
def test_dimensions_meet_by_name(p, q, parameters):
    """Judged by the formula for normals on arrays of xarray; the dimensions of p come first."""
    found = kl(p(), q())
    mean_p, sd_p, mean_q, sd_q = arrays = [array(x) for x in parameters]
    ratio, distance = sd_p / sd_q, mean_p - mean_q
    expected = distance**2 / (2.0 * sd_q**2) + 0.5 * (ratio**2 - 1.0) - np.log(ratio)
    assert found.type.dims == tuple(dict.fromkeys(name for one in arrays for name in one.dims))
    np.testing.assert_allclose(value(found), expected.transpose(*found.type.dims), rtol=1e-14, atol=1e-15)


def test_order_of_a_variable_is_kept():
    p = pmd.Normal.dist(A, B)
    q = pmd.Normal.dist(0.0, 1.0)
    assert kl(p, q).type.dims == ("place", "time")
    turned = kl(p.transpose("time", "place"), q)
    assert turned.type.dims == ("time", "place")
    np.testing.assert_array_equal(value(turned), value(kl(p, q)).T)


def test_kin():
    p, q = pmd.Normal.dist(A, B), pmd.Normal.dist(1.0, 2.0)
    np.testing.assert_allclose(value(jeffreys(p, q)), value(kl(p, q)) + value(kl(q, p)), rtol=1e-14)
    np.testing.assert_allclose(value(cross_entropy(p, q)), value(entropy(p)) + value(kl(p, q)), rtol=1e-14)
    assert entropy(p).type.dims == ("place", "time")
    assert (jeffreys(p, q).name, entropy(p).name) == ("jeffreys", "entropy")
    assert value(kl(p, p)).tolist() == [[0.0, 0.0]] * 3


COVARIANCE = np.array([[2.0, 0.5], [0.5, 1.0]])


def gaussians(*dims):
    """The same Gaussian in several ways."""
    mean, matrix = named([1.0, -1.0], dims[0]), named(COVARIANCE, *dims)
    factor = named(np.linalg.cholesky(COVARIANCE), *dims)
    return [
        pmd.MvNormal.dist(mean, matrix, core_dims=dims),
        pmd.MvNormal.dist(mean, chol=factor, core_dims=dims),
        MultivariateNormal(mean, Dense(matrix)),
    ]


def test_multivariate_normals():
    standard = MultivariateNormal([0.0, 0.0], Diagonal([1.0, 1.0]))
    expected = kl(MultivariateNormal([1.0, -1.0], Dense(COVARIANCE)), standard)
    dims = ("row", "column")
    many = pmd.MvNormal.dist(named(np.ones((2, 3)), "row", "group"), named(COVARIANCE, *dims), core_dims=dims)
    for p in gaussians(*dims):
        found = kl(p, standard)
        assert found.type.dims == ()
        assert value(found) == pytest.approx(expected, rel=1e-13)
        assert kl(p, many).type.dims == ("group",)
    by_factor, by_matrix = gaussians("row", "column")[1], gaussians("row", "column")[0]
    assert "Cholesky" in explain(by_factor, by_matrix).p  # the product by name is seen through


def test_categories_and_compositions():
    p, q = np.array([0.2, 0.8]), np.array([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]])
    for kind, ordinary in ((pmd.Categorical, pm.Categorical), (pmd.Dirichlet, pm.Dirichlet)):
        found = kl(
            kind.dist(named(p, "kind"), core_dims="kind"),
            kind.dist(named(q.T, "kind", "group"), core_dims="kind"),
        )
        assert found.type.dims == ("group",)
        expected = kl(ordinary.dist(p), ordinary.dist(q)).eval(mode=PYTHON)
        np.testing.assert_allclose(value(found), expected, rtol=1e-13)


def test_arrays_that_sum_to_zero():
    """Over one dimension or two, in batches; infinitely far from a regular Gaussian."""
    sigma = named([1.0, 2.0], "group")
    lengths = {"row": 2, "column": 3, "group": 2}
    for core_dims, rank in (("row", 1), (("row", "column"), 2)):
        p, q = (
            pmd.ZeroSumNormal.dist(scale, core_dims=core_dims, dim_lengths=lengths) for scale in (sigma, 2.0)
        )
        found = kl(p, q)
        assert "group" in found.type.dims
        want = rank * kl(stats.norm(0.0, [1.0, 2.0]), stats.norm(0.0, 2.0))
        by_group = value(found).reshape(2, -1) if found.type.dims[0] == "group" else value(found).T
        np.testing.assert_allclose(by_group, np.broadcast_to(want[:, None], by_group.shape), rtol=1e-13)
    regular = gaussians("row", "column")[0]
    assert value(kl(pmd.ZeroSumNormal.dist(core_dims="row", dim_lengths={"row": 2}), regular)) == np.inf
    with pytest.raises(ValueError, match="different event shapes"):
        kl(pmd.ZeroSumNormal.dist(core_dims="row", dim_lengths={"row": 3}), regular)


def test_what_parameters_are_made_of_is_seen():
    """An underflowing sigmoid has its logarithm; and gradients go through operations by name."""
    if not hasattr(pmd, "Bernoulli"):
        return
    logits = pt.vector("logits")
    p = pmd.Bernoulli.dist(logit_p=pmd.as_xtensor(logits, dims=("place",)))
    total = kl(p, pmd.Bernoulli.dist(0.5)).values.sum()
    found = pytensor.function([logits], [total, pytensor.grad(total, logits)], mode=PYTHON)(
        np.array([-800.0, 0.0])
    )
    assert found[0] == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(found[1], 0.0, atol=1e-300)


UNNAMED = "without names of dimensions, beside a side that has them"


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (
            pmd.Normal.dist(A, 1.0),
            pm.Normal.dist([0.0, 1.0, 2.0], 1.0),
            rf"q is a batch of shape \(3,\) {UNNAMED}",
        ),
        (stats.norm([0.0, 1.0]), pmd.Normal.dist(A, 1.0), rf"p is a batch of shape \(2,\) {UNNAMED}"),
        (Normal(A, [1.0, 2.0]), Normal(0.0, 1.0), "p: scale .*has 1 dimensions without names"),
        (
            pmd.Normal.dist(A, 1.0),
            pmd.Normal.dist(named(np.zeros(2), "place"), 1.0),
            "p and q have different lengths along 'place', 3 and 2",
        ),
        (
            pmd.Normal.dist(A, 1.0),
            stats.norm(xr.DataArray(np.zeros(2), dims="place")),
            "p and loc of q have different lengths along 'place', 3 and 2",
        ),
        (
            Normal(xr.DataArray([0.0, 1.0], [("time", ["a", "b"])]), 1.0),
            Normal(xr.DataArray([0.0, 1.0], [("time", ["b", "a"])]), B),
            "have different coordinates along 'time', in value or order",
        ),
        (
            gaussians("row", "column")[0],
            gaussians("other", "column")[1],
            "p and q have different dimensions of an event, 'row' and 'other'",
        ),
        (
            gaussians("row", "column")[0],
            pmd.Normal.dist(named(np.zeros(2), "row"), 1.0),
            "the dimension 'row' belongs to an event in p, to a batch in q",
        ),
        (
            Normal(xr.DataArray([0.0, 1.0], dims=[0]), 1.0),
            pmd.Normal.dist(A, 1.0),
            "their names must be text",
        ),
    ],
)
def test_dimensions_that_do_not_go_together(p, q, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kl(p, q)


def test_a_pair_without_a_closed_form_is_called_as_it_was_written():
    sides = pmd.Laplace.dist(A, 1.0), pmd.StudentT.dist(nu=3.0, mu=A, sigma=1.0)
    for function in (kl, explain):
        with pytest.raises(NoClosedFormError, match=r"p: pmd\.Laplace and q: pmd\.StudentT: it needs"):
            function(*sides)


def test_arrays_have_the_coordinates_of_the_model():
    """Variables have none of their own; by label the divergences would be [2, 0, 2]."""
    p = pmd.Normal.dist(A, 1.0)

    def q(labels):
        return stats.norm(xr.DataArray([0.0, 1.0, 2.0], coords={"place": labels}))

    turned = q(["z", "y", "x"])
    with pm.Model(coords={"place": ["x", "y", "z"]}) as model:
        model.add_coord("time", length=2)
        for sides in ((p, turned), (turned, p)):
            with pytest.raises(ValueError, match=r"and the model have different coordinates along 'place'"):
                kl(*sides)
        same = kl(p, q(["x", "y", "z"]))
        assert kl(pmd.Normal.dist(0.0, B), stats.norm(LABELLED)).type.dims == ("time",)
    assert value(same).tolist() == value(kl(p, turned)).tolist() == [0.0, 0.0, 0.0]
    for labels in ([1, 2, 3], np.array(["2020-01", "2020-02", "2020-03"], "datetime64[ns]"), [0.5, 1.0, 2.0]):
        with pm.Model(coords={"place": labels}):
            kl(p, q(labels))
            with pytest.raises(ValueError, match=r"^loc of q and the model .* take the array in the order"):
                kl(p, q(labels[::-1]))


FUNCTIONS = {
    "exp": (pmd.math.exp, pt.exp),
    "affine": (lambda x: 1.0 - 2.0 * x, lambda x: 1.0 - 2.0 * x),
    "by elements": (lambda x: named([1.0, 2.0, 3.0], "place") * x, lambda x: [[1.0], [2.0], [3.0]] * x),
    "a chain": (lambda x: pmd.math.sigmoid(x) ** 2, lambda x: pt.sigmoid(x) ** 2),
    "turned": (lambda x: pmd.math.exp(x.transpose("time", "place")) + 1.0, lambda x: pt.exp(x) + 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("function", "plain"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_of_a_variable(function, plain):
    means = np.arange(6.0).reshape(3, 2)
    p = pmd.Normal.dist(named(means, "place", "time"), 1.5)
    q = pmd.Normal.dist(named(np.zeros((2, 3)), "time", "place"), 2.0)
    expected = kl(plain(pm.Normal.dist(means, 1.5)), plain(pm.Normal.dist(np.zeros((3, 2)), 2.0)))
    found = kl(function(p), function(q))
    assert value(found.transpose("place", "time")) == pytest.approx(expected.eval(mode=PYTHON), rel=1e-14)
    assert not value(kl(function(p), function(p))).any()


@pytest.mark.slow
def test_estimates_and_families_of_functions():
    p = pmd.math.exp(pmd.Normal.dist(named([0.0, 1.0], "place"), 1.0))
    assert value(entropy(p)) == pytest.approx(stats.lognorm(1.0, scale=np.exp([0.0, 1.0])).entropy())
    q = pmd.Gamma.dist(2.0, 1.0)
    assert estimate_kl(p, q).value == pytest.approx(value(kl(p, q)), abs=1e-8)
    with pytest.raises(NoClosedFormError, match=r"p: exp\(pm.Normal\) and q: pmd.Cauchy"):
        kl(p, pmd.Cauchy.dist(0.0, 1.0))


NO_FUNCTIONS = {
    (lambda x: x + pmd.Normal.dist(0.0, 1.0)): r"a function of several random variables \(pmd.Normal, pmd.N",
    (lambda x: x - x.mean()): "subtract of pmd.Normal",
    (lambda x: x.sum()): "a function of pmd.Normal whose",
    (lambda x: named(np.zeros(4), "other") + x): "a function of pm.Normal in which its elements are repeated",
    (lambda x: pmd.math.exp(named([1.0], "place"))): "computed without one",
}


def test_what_is_no_random_variable():
    p = pmd.Normal.dist(A, 1.0)
    with pytest.raises(TypeError, match=r"^q: .* is not a random variable but a constant or an input"):
        kl(p, A)
    for function, words in NO_FUNCTIONS.items():
        with pytest.raises(TypeError, match=rf"^p: it is not a random variable but {words}"):
            kl(function(p), p)
    with pytest.raises(ValueError, match=r"^q: sigma .* must be positive"):
        kl(p, pmd.Normal.dist(0.0, -1.0))
    with pytest.raises(NoClosedFormError, match=r"kl_plugins.estimate_kl estimates it"):
        kl(pmd.Laplace.dist(A, 1.0), pmd.Cauchy.dist(A, 1.0))
    with pytest.raises(TypeError, match="pairwise_kl takes numbers, not graphs"):
        pairwise_kl(p)
    with pytest.raises(TypeError, match=r"name those of an event"):
        independent(p)


def test_lengths_that_only_the_graph_knows():
    x = pt.vector("x")
    divergence = kl(pmd.Normal.dist(A, 1.0), pmd.Normal.dist(pmd.as_xtensor(x, dims=("place",)), 1.0))
    function = pytensor.function([x], divergence.values, mode=PYTHON)
    np.testing.assert_array_equal(function([0.0, 0.0, 0.0]), [0.0, 0.5, 2.0])
    for length in (1, 2):  # an axis of length one is no invitation to broadcast
        with pytest.raises(ValueError, match="broadcast"):
            function(np.zeros(length))


def test_products_over_dimensions():
    p, q = pmd.Normal.dist(A, B), pmd.Normal.dist(0.0, 1.0, dim_lengths={"place": 3, "time": 2})
    for over, left in (("place", ("time",)), (["time", "place"], ())):
        found = kl(independent(p, over), independent(q, over))
        assert found.type.dims == left
        np.testing.assert_allclose(value(found), array(kl(p, q)).sum(over), rtol=1e-14)
    with pytest.raises(ValueError, match="p has no batch dimension 'row'"):
        independent(p, "row")


@pytest.mark.slow
def test_estimates():
    p, a, b = pmd.Normal.dist(A, 1.0), value(A), value(B)
    want = kl(stats.norm(a[:, None], 1.0), stats.norm(0.0, b))
    assert p.type.dims == ("place",)
    np.testing.assert_allclose(estimate_kl(p, pmd.Normal.dist(0.0, B)).value, want, rtol=1e-9)
    labelled = stats.norm(0.0, xr.DataArray(b, dims="time"))
    np.testing.assert_allclose(estimate_kl(p, labelled).value, want, rtol=1e-9)
    with pytest.raises(ValueError, match=r"q is a batch of shape .* nothing goes by position"):
        estimate_kl(p, stats.norm([0.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match=r"^p: .*(number|symbolic|value)"):
        estimate_kl(pmd.Normal.dist(pmd.as_xtensor(pt.vector("x"), dims=("place",))), labelled)


def model_with_term(kind, add):
    """A model whose scale may be negative, with a divergence less in its log density."""
    with pm.Model(coords={"place": range(3)}) as model:
        mean = kind.Normal("mean", 0.0, 1.0, dims="place")
        scale = kind.Normal("scale", 1.0, 1.0)
        add(kl(kind.Normal.dist(mean, scale), kind.Normal.dist(0.0, 1.0)))
    return model


def as_likelihood(divergence):
    """A term that PyMC brings to ordinary operations, and so can differentiate."""
    pm.CustomDist("penalty", divergence.values.sum(), logp=lambda value, term: -term, observed=0.0)


def test_terms_have_gradients():
    """By variables that are transformed as well: by mean and log(scale) at 0.5 and 2."""
    with pm.Model() as model:
        mean, scale = pmd.Normal("mean", 0.0, 1.0), pmd.HalfNormal("scale", 1.0)
        as_likelihood(kl(pmd.Normal.dist(mean, scale), pmd.Normal.dist(0.0, 1.0)))
    point = {"mean": np.array(0.5), "scale_log__": np.log(2.0)}
    expected = [-0.5 - 0.5, (1.0 - 4.0) - (4.0 - 1.0)]
    np.testing.assert_allclose(model.compile_dlogp(mode=PYTHON)(point), expected, rtol=1e-12)


TERMS = [
    (pmd, lambda divergence: pmd.Potential("penalty", -divergence)),
    (pmd, lambda divergence: pm.Potential("penalty", -divergence)),
    (pmd, as_likelihood),
    (pm, lambda divergence: pm.Potential("penalty", -divergence)),
]


def test_terms_of_log_densities():
    """Beyond the domain of the scale the term is +∞, which rejects."""
    found = []
    for kind, add in TERMS:
        log_density = model_with_term(kind, add).compile_logp(mode=PYTHON)
        point = {"mean": np.array([0.5, 0.0, 1.0]), "scale": np.array(0.5)}
        found.append(log_density(point))
        assert log_density(point | {"scale": np.array(-0.5)}) == -np.inf
    np.testing.assert_allclose(found, found[-1], rtol=1e-12)


@pytest.mark.slow
def test_nothing_of_it_is_imported_for_ordinary_variables():
    code = """
        import sys
        import pymc as pm
        from kl_plugins import kl
        from kl_plugins.variational.target.density import TargetDensity
        with pm.Model() as model:
            x = pm.Normal("x", 0.0, 1.0)
            kl(pm.Normal.dist(x, 1.0), x)
        TargetDensity(model)
        print([name for name in sys.modules if name.startswith(("pytensor.xtensor", "pymc.dims"))])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_nuts_goes_through_a_term():
    """The posterior is that without names."""
    options = {"draws": 500, "tune": 500, "chains": 2, "cores": 1, "random_seed": 1}
    options |= {"progressbar": False, "compute_convergence_checks": False}
    draws = [pm.sample(model=model_with_term(kind, add), **options).posterior for kind, add in TERMS[2:]]
    assert (draws[0]["scale"] > 0.0).all()
    for name in ("mean", "scale"):
        means = [drawn[name].mean(("chain", "draw")) for drawn in draws]
        np.testing.assert_allclose(*means, atol=0.15)
