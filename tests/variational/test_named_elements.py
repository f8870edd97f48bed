"""Elements are called by the labels of a model's coordinates, and aligned by them."""

import matplotlib
import numpy as np
import pymc as pm
import pytest

from kl_plugins import Diagonal, gaussian, kl
from kl_plugins.families.named import NamedMultivariateNormal, Variable, element_names
from kl_plugins.variational import diagnose, plot_kl, plot_pair, snapshot
from kl_plugins.variational.target.approximations import model_and_distribution
from kl_plugins.variational.target.density import variables_in
from traces import dataset

matplotlib.use("Agg")
SITES = ["north", "south"]


def model_of(sites):
    """A normal variable with means by name of the site, and a scale."""
    with pm.Model(coords={"site": sites}) as model:
        pm.Normal("x", [{"north": 0.0, "south": 5.0}[site] for site in sites], 1.0, dims="site")
        pm.HalfNormal("tau")
    return model


NAMES = ("x[north]", "x[south]", "tau_log__")
MEAN, VARIANCE = np.array([0.0, 5.0, -0.5]), np.array([1.0, 0.5, 0.7])


@pytest.fixture(scope="module")
def found():
    model, rng = model_of(SITES), np.random.default_rng(5)
    x, tau = rng.normal([0.0, 5.0], 1.0, (4, 500, 2)), abs(rng.normal(size=(4, 500)))
    draws = dataset({"site": SITES}, x=x, tau=tau)
    given = (MEAN, VARIANCE)
    diagnosis = diagnose(given, draws, model, draws=2_200, full_rank=False, random_seed=1, progressbar=False)
    assert kl(gaussian(draws, model=model), diagnosis.reference.gaussian) == pytest.approx(0.0, abs=1e-12)
    return diagnosis


@pytest.mark.slow
def test_the_elements_of_a_diagnosis(found):
    assert found.names == NAMES
    assert tuple(found.summary().index) == NAMES
    assert tuple(found.summary("constrained").index) == ("x[north]", "x[south]", "tau")
    assert list(found.to_dataset().coordinate.values) == list(NAMES)
    assert "x[south] (sd 0.7" in str(found.verdict)


def test_pictures_take_the_names_of_either_scale(found):
    for names, want in ((["tau", "x[south]"], {"tau_log__", "x[south]"}), ("x", {"x[north]", "x[south]"})):
        assert {text.get_text() for text in plot_kl(found, var_names=names).get_yticklabels()} == want
    ax = plot_pair(found, ("x[south]", "tau"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[south]", "tau_log__")
    with pytest.raises(ValueError, match=r"'x\[0\]' is not a coordinate; there are x\[north\], .*"):
        plot_kl(found, var_names="x[0]")
    with pytest.raises(
        ValueError, match=r"names of two coordinates, .* got x\[north\], x\[south\], tau_log__"
    ):
        plot_pair(found, ("x", "tau"))
    matplotlib.pyplot.close("all")


@pytest.mark.slow
def test_the_elements_of_approximations_and_densities():
    with pm.Model(coords={"site": SITES, "kind": ["a", "b"]}) as model:
        pm.Dirichlet("p", np.ones(2), dims=("site", "kind"))
        pm.Normal("x", dims="site")
        approximation = pm.FullRank()
    names = ("p_simplex__[north, 0]", "p_simplex__[south, 0]", "x[north]", "x[south]")
    assert element_names(variables_in(model)) == names
    assert sorted(snapshot(approximation).elements) == sorted(names)


def test_approximations_are_aligned_with_the_model():
    """A Gaussian of a model is the same one for a model with its sites in another order."""
    q = NamedMultivariateNormal(MEAN, Diagonal(VARIANCE), variables_in(model_of(SITES)))
    turned = model_of(SITES[::-1])
    _, own = model_and_distribution(q, turned, "diagnose")
    assert own.elements == element_names(variables_in(turned)) == ("x[south]", "x[north]", "tau_log__")
    np.testing.assert_array_equal(own.mean, MEAN[[1, 0, 2]])
    np.testing.assert_array_equal(own.std, np.sqrt(VARIANCE[[1, 0, 2]]))
    other = Variable("x", (2,), (("site", ("east", "west")),))
    stranger = NamedMultivariateNormal(MEAN, Diagonal(VARIANCE), (other, *q.variables[1:]))
    with pytest.raises(
        ValueError, match=r"is over x\[east\], x\[west\], the model over x\[south\], x\[north\]"
    ):
        model_and_distribution(stranger, turned, "diagnose")


def test_labels_that_are_not_unique_are_places():
    with pm.Model(coords={"county": ["a", "a", "b"], "time": range(2)}) as model:
        pm.Normal("x", dims=("county", "time"))
        pm.Normal("y", dims="time")
    assert variables_in(model)[0].elements[:3] == ("x[0, 0]", "x[0, 1]", "x[1, 0]")
    assert variables_in(model)[1].elements == ("y[0]", "y[1]")
