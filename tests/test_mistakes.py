"""What is handed in by mistake: each message says what to do, and that works for the very object."""

import re
import types

import arviz as az
import dask.array
import jax
import jax.numpy as jnp
import numpy
import numpyro
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats
import xarray as xr
from scipy import stats

import kl_plugins
from kl_plugins import (
    Dense,
    NoClosedFormError,
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    jeffreys,
    kl,
    pairwise_kl,
)

RNG = numpy.random.default_rng(1)
LINE, ROWS = RNG.normal(size=60), RNG.normal(size=(60, 2))
ELEMENTS = {"a": RNG.normal(size=(4, 500)), "b": RNG.normal(size=(4, 500))}
TRACE = az.from_dict(ELEMENTS if az.__version__.startswith("0.") else {"posterior": ELEMENTS})
DRAWS = xr.Dataset({name: (("chain", "draw"), x) for name, x in ELEMENTS.items()})

FIT = "scipy.stats.norm(*scipy.stats.norm.fit({}))"
KDE, AS_DRAWS = "scipy.stats.gaussian_kde({})", "kl_plugins.draws({})"
AS_IT_IS = "the draws {}, or"
FITS = "scipy.stats.multivariate_normal({0}.mean(axis=0), numpy.cov({0}, rowvar=False))"
OF_DATA = {
    "a vector": (LINE, [FIT.format("x"), KDE.format("x"), AS_IT_IS.format("x")]),
    "rows": (ROWS, [FITS.format("x"), KDE.format("x.T")]),
    "a matrix": (numpy.asmatrix(ROWS), [FITS.format("numpy.asarray(x)"), KDE.format("numpy.asarray(x).T")]),
    "chains of rows": (
        ROWS.reshape(2, 30, 2),
        [
            FITS.format("x.reshape(-1, x.shape[-1])"),
            KDE.format("x.reshape(-1, x.shape[-1]).T"),
            AS_IT_IS.format("x.reshape(-1, x.shape[-1])"),
        ],
    ),
    "a list": (list(LINE), [FIT.format("x"), KDE.format("x"), AS_DRAWS.format("x")]),
    "a list of rows": (
        ROWS.tolist(),
        [FITS.format("numpy.array(x)"), KDE.format("numpy.array(x).T"), AS_IT_IS.format("numpy.array(x)")],
    ),
    "a set": (set(LINE), [FIT.format("list(x)"), KDE.format("list(x)"), AS_DRAWS.format("list(x)")]),
    "a range": (range(9), [FIT.format("list(x)"), KDE.format("list(x)")]),
    "parameters": ((0.0, 1.0), ["scipy.stats.norm(*x)"]),
    "a series": (pd.Series(LINE), [FIT.format("x"), KDE.format("x"), AS_IT_IS.format("x")]),
    "an index": (pd.Index(LINE), [FIT.format("x"), KDE.format("x"), AS_IT_IS.format("x.values")]),
    "a frame": (
        pd.DataFrame(ROWS),
        ["scipy.stats.multivariate_normal(x.mean(), x.cov())", KDE.format("x.T"), AS_IT_IS.format("x")],
    ),
    "a labelled array": (xr.DataArray(LINE), [FIT.format("x.values"), AS_IT_IS.format("x.values")]),
    "a labelled array of draws": (DRAWS["a"], ['kl_plugins.gaussian(x.to_dataset(name="x"))']),
    "a dataset of draws": (DRAWS, ["kl_plugins.gaussian(x)"]),
    "a trace": (TRACE, ["kl_plugins.gaussian(trace)"]),
    "an array of JAX": (
        jnp.array(LINE),
        [FIT.format("numpy.asarray(x)"), AS_IT_IS.format("numpy.asarray(x)")],
    ),
}
"""An object, and the expressions that its message has to name."""


@pytest.mark.parametrize(("x", "remedies"), OF_DATA.values(), ids=OF_DATA)
def test_data_are_told_which_distribution_can_be_made_of_them(x, remedies):
    with pytest.raises(TypeError, match="is not a distribution, but ") as caught:
        kl(x, stats.norm())
    names = {"x": x, "trace": x, "scipy": scipy, "numpy": numpy, "kl_plugins": kl_plugins}
    for remedy in remedies:
        assert remedy in str(caught.value)
        made = eval(remedy.removeprefix("the draws ").removesuffix(", or"), names)
        estimated = "kde" in remedy or "draws" in remedy
        found = estimate_kl(made, made, draws=100, random_state=1) if estimated else kl(made, made)
        assert float(found) == 0.0


def test_a_dataset_of_other_data_is_told_to_take_a_variable():
    with pytest.raises(TypeError, match=re.escape(FIT.format("x[name].values"))):
        kl(stats.norm(), xr.Dataset({"a": ("i", LINE)}))


def test_a_sequence_of_numbers_is_not_one_of_distributions():
    for numbers in (list(LINE), LINE, pd.Series(LINE)):
        with pytest.raises(
            TypeError, match=r"^ps: these are no distributions, but numbers: fit a distribution"
        ):
            pairwise_kl(numbers)


class TorchLike:
    """What a distribution of PyTorch looks like, which the tests do not have."""

    def log_prob(self, value):
        raise TypeError("must be a Tensor")


Distribution = types.new_class("Distribution", (TorchLike,))
Distribution.__module__ = "torch.distributions.distribution"
OF_PYTORCH = types.new_class("Normal", (Distribution,))
OF_PYTORCH.__module__ = "torch.distributions.normal"

MADE = stats.make_distribution(stats.gamma)
OTHERS = {
    "pm.Normal": (pm.Normal, "pm.Normal is a class, not a distribution: make one with pm.Normal.dist(...)"),
    "stats.Normal": (
        stats.Normal,
        "scipy.stats.Normal is a class, not a distribution: make an instance of it, scipy.stats.Normal(...)",
    ),
    "numpyro's Normal": (
        numpyro.distributions.Normal,
        "make an instance of it, numpyro.distributions.Normal(...)",
    ),
    "made": (MADE, "make an instance of it, CustomDistribution(...)"),
    "stats.norm": (
        stats.norm,
        "scipy.stats.norm is not frozen: call it with its parameters, scipy.stats.norm(...)",
    ),
    "stats.multivariate_normal": (stats.multivariate_normal, "scipy.stats.multivariate_normal is not frozen"),
    "a model": (pm.Model(), "a model: pass one of its variables, or a fit of it: kl_plugins.variational.fit"),
    "nothing": (None, "was a return forgotten"),
    "text": ("norm", "make the distribution itself, for example scipy.stats.norm(0, 1)"),
    "a function": (numpy.mean, "a function: call it, if it makes a distribution"),
    "a method": (pm.Normal.dist, "a function: call it, if it makes a distribution"),
    "a module": (stats, "a module: make one of its distributions, for example scipy.stats.norm(0, 1)"),
    "an empty list": ([], "empty: pass one distribution"),
    "a result of scipy.stats.fit": (
        stats.fit(stats.norm, [1.0, 2.0, 4.0], {"loc": (0, 3), "scale": (0.1, 3)}),
        "the result of a fit: its parameters make a distribution",
    ),
    "an input of a graph": (
        pt.scalar("mu"),
        "mu is not a random variable but a constant or an input: pass a variable",
    ),
    "a computed variable": (
        pt.exp(pt.scalar("mu")),
        "it is not a random variable but computed without one: pass a variable",
    ),
    "PyTorch's": (
        OF_PYTORCH(),
        "torch.distributions.normal.Normal is a distribution of PyTorch, which kl_plugins does",
    ),
    "PyTorch's class": (OF_PYTORCH, "make it with SciPy, for example scipy.stats.norm(mean, sd)"),
}
"""Objects, and what has to be said."""


@pytest.mark.parametrize(("obj", "message"), OTHERS.values(), ids=OTHERS)
def test_every_function_says_what_an_object_is_and_what_to_do(obj, message):
    norm = stats.norm()
    calls = {
        "p": [lambda f=f: f(obj, norm) for f in (kl, jeffreys, cross_entropy, explain, estimate_kl)],
        "q": [lambda f=f: f(norm, obj) for f in (kl, jeffreys, cross_entropy, explain, estimate_kl)],
        "ps[1]": [lambda: pairwise_kl([norm, obj])],
    }
    calls["p"].append(lambda: entropy(obj))
    for side, several in calls.items():
        for call in several:
            with pytest.raises(TypeError) as caught:
                call()
            assert str(caught.value).startswith(f"{side}: ")
            assert message in str(caught.value)


@pytest.mark.slow
def test_numpyros_distributions_are_for_estimates():
    p, q = numpyro.distributions.Normal(0.0, 1.0), stats.norm(1.0)
    for function in (kl, explain, jeffreys):
        with pytest.raises(
            NoClosedFormError, match=r"^p: .* numpyro.distributions.Normal; kl_plugins.estimate_kl"
        ):
            function(p, q)
    assert estimate_kl(p, q).value == pytest.approx(0.5)


@pytest.mark.slow
def test_what_jax_traces_has_no_value():
    of_parameter = jax.jit(lambda mean: kl(stats.norm(mean, 1.0), stats.norm()))
    of_number = jax.jit(lambda mean: kl(stats.norm(), mean))
    estimated = jax.grad(
        lambda mean: estimate_kl(numpyro.distributions.Normal(mean, 1.0), stats.norm()).value
    )
    for function, error in ((of_parameter, TypeError), (of_number, TypeError), (estimated, ValueError)):
        with pytest.raises(error, match=r"^[pq]: .*JAX traces it \(in jax.jit, jax.grad or jax.vmap\)"):
            function(1.0)


def test_locations_that_differ_are_named_and_how_a_fit_keeps_them():
    x = stats.gamma(2.0).rvs(200, random_state=1)
    p = stats.gamma(*stats.gamma.fit(x))
    message = (
        "their locations differ (a fit has them at 0 with floc=0, as in scipy.stats.gamma.fit(x, floc=0))"
    )
    for function in (kl, explain):
        with pytest.raises(NoClosedFormError) as caught:
            function(p, stats.gamma(2.0, loc=p.args[1] - 0.5))
        assert message in str(caught.value)
    kept = stats.gamma(*stats.gamma.fit(x, floc=0)), stats.lognorm(*stats.lognorm.fit(x, floc=0))
    assert 0.0 < kl(*kept) < 1.0


@pytest.mark.parametrize(
    ("p", "q", "names"),
    [
        (pm.HalfNormal.dist(1.0), pm.Cauchy.dist(0.0, 1.0), ("pm.HalfNormal", "pm.Cauchy")),
        (pm.Exponential.dist(1.0), stats.t(3.0), ("pm.Exponential", "scipy.stats.t(3.0)")),
        (stats.weibull_min(2.0), pm.StudentT.dist(3.0), ("scipy.stats.weibull_min(2.0)", "pm.StudentT")),
        (stats.rayleigh(), stats.t(3.0), ("scipy.stats.rayleigh()", "scipy.stats.t(3.0)")),
    ],
)
def test_families_are_called_what_the_caller_called_them(p, q, names):
    for function in (kl, explain):
        with pytest.raises(NoClosedFormError) as caught:
            function(p, q)
        text = str(caught.value)
        assert f"p: {names[0]} and q: {names[1]}" in text
        assert not re.search("GeneralizedGamma|NegativeBinomial|Gamma has", text)


def test_a_table_of_pairs_names_the_row_and_the_column_as_they_were_written():
    with pytest.raises(
        NoClosedFormError, match=r"row 0, scipy.stats.rayleigh\(\), and column 1, scipy.stats.t\(3\)"
    ):
        pairwise_kl([stats.rayleigh()], [stats.rayleigh(), stats.t(3)])


OBJECTS = numpy.array([stats.norm(0, 1), stats.norm(1, 1)], dtype=object)
HELD = {
    "a DataArray": (xr.DataArray(OBJECTS, dims="m"), r"but several: pairwise_kl"),
    "a DataFrame": (pd.DataFrame({"a": OBJECTS}), r"but several: pairwise_kl"),
    "rows": (OBJECTS[None], r"but several: pairwise_kl"),
    "Dask's": (dask.array.ones(3), r"but an array of numbers: .*x\.compute\(\)"),
    "NaN": (float("nan"), r"but a missing value, NaN: .*\.dropna\(\)"),
}


@pytest.mark.parametrize("case", HELD)
def test_what_holds_several(case):
    obj, message = HELD[case]
    with pytest.raises(TypeError, match=rf"^q: .* is not a distribution, {message}"):
        kl(stats.norm(), obj)


def test_what_pairwise_kl_says_of_single_ones_and_missing_ones():
    table = pairwise_kl(xr.DataArray(OBJECTS, {"m": ["a", "b"]}))
    assert table.dims == ("m", "m_bis")
    assert float(table.sel(m="a", m_bis="b")) == 0.5
    with pytest.raises(TypeError, match=r"column 'b', float: q: .* missing value"):
        pairwise_kl(pd.Series([stats.norm(), numpy.nan], index=["a", "b"]))
    with pytest.raises(ValueError, match=r"^qs: .* in a list, \[q\], or a slice, \.iloc\[:1\]$"):
        pairwise_kl([stats.norm()], stats.norm())
    month = xr.DataArray([0.0, 1.0], {"month": [1, 2]})
    with pytest.raises(ValueError, match=r"single place .* \.isel\({'month': 0}, drop=True\)$"):
        kl(stats.norm(month), stats.norm(month[:1]))
    with pytest.raises(ValueError, match=r"dtype object: convert it with \.astype\(float\)"):
        Dense(numpy.eye(2).astype(object))
