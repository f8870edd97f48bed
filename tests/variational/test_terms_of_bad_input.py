"""What kl_terms refuses: which variable it is about, and what to do instead."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.transforms import Interval, log, logodds
from pymc.logprob.utils import ParameterValueError
from pytensor.compile.mode import Mode
from scipy import stats

from kl_plugins import NoClosedFormError, kl
from kl_plugins.variational import kl_terms

PYTHON = Mode(linker="py", optimizer="fast_compile")
a, A = pt.dvector("a"), pt.dmatrix("A")


@pytest.fixture(scope="module")
def scaled():
    """The scale of one prior is another variable, which may be negative."""
    with pm.Model() as model:
        w = pm.Normal("w")
        pm.Normal("v", 0.0, w, initval=0.1)
        approximation = pm.MeanField()
    return model, approximation


def test_variables_are_chosen_by_name_or_themselves(scaled):
    model, approximation = scaled
    w, v = model["w"], model["v"]
    for wanted in ([v, w], ["v", w], [v, "w"]):
        assert list(kl_terms(model, approximation, var_names=wanted)) == ["w", "v"]
    assert list(kl_terms(model, approximation, var_names=v)) == ["v"]
    for wanted, message in (
        ([], "var_names is empty; the model has 'w', 'v'"),
        ([pt.dscalar("x")], "'x' is not a free variable of the model; there are 'w', 'v'"),
    ):
        with pytest.raises(ValueError, match=message):
            kl_terms(model, approximation, var_names=wanted)


def test_dicts_that_choose_nothing_or_twice(scaled):
    model, _ = scaled
    q = pm.Normal.dist()
    with pytest.raises(ValueError, match="the dict has no distributions; the model has 'w', 'v'"):
        kl_terms(model, {})
    with pytest.raises(ValueError, match="two distributions are given for 'w'"):
        kl_terms(model, {"w": q, model["w"]: q})


def test_parameters_that_are_invalid_at_a_draw(scaled):
    model, approximation = scaled
    approximation.params[0].set_value(np.full(2, -50.0))
    term = kl_terms(model, approximation)["v"]
    with pytest.raises(
        ParameterValueError, match=r"^the prior of 'v': sigma \(the standard deviation\) must"
    ):
        pm.compile([], term, random_seed=1, mode=PYTHON)()
    slopes = pytensor.grad(term, approximation.params)
    updates = {x: x - 0.01 * dx for x, dx in zip(approximation.params, slopes, strict=True)}
    step = pm.compile([], [term, *slopes], updates=updates, random_seed=1, mode=PYTHON)
    value, *slopes = step()
    assert value == np.inf
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_parameters_of_distributions_by_hand():
    with pm.Model() as model:
        pm.Normal("w")
        pm.Normal("c", 0.0, -1.0)
    sd = pt.dscalar("sd")
    for name, q, message in (
        ("w", pm.Normal.dist(0.0, -1.0), r"^the distribution of 'w': sigma \(the standard deviation\) must"),
        ("c", pm.Normal.dist(), r"^the prior of 'c': sigma \(the standard deviation\) must"),
    ):
        with pytest.raises(ValueError, match=message):
            kl_terms(model, {name: q})
    term = kl_terms(model, {"w": pm.Normal.dist(0.0, sd)})["w"]
    with pytest.raises(ParameterValueError, match=r"^the distribution of 'w': sigma"):
        term.eval({sd: -1.0}, mode=PYTHON)


@pytest.fixture(scope="module")
def lengths():
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(3))
        pm.Normal("b", 0.0, 1.0, shape=3)
        pm.MvNormal("f", np.zeros(3), cov=np.eye(3))
        pm.Normal("d", data, 1.0)
        pm.LogitNormal("l", data, 1.0)
    return model


@pytest.mark.parametrize("name", ["b", "f", "d", "l"])
def test_lengths_that_only_a_running_graph_knows(lengths, name):
    """Lengths of 1 too: PyTensor broadcasts what is known to have that length."""
    q = pm.LogitNormal if name == "l" else pm.Normal
    function = pytensor.function([a], kl_terms(lengths, {name: q.dist(a, 1.0)})[name], mode=PYTHON)
    assert function(np.ones(3)) == pytest.approx(1.5)
    for wrong in (1, 2):
        with pytest.raises(ValueError, match=f"distribution of '{name}' has another shape than the variable"):
            function(np.ones(wrong))
    single = kl_terms(lengths, {name: q.dist(pt.specify_shape(a, (1,)), 1.0)})[name]
    assert single.eval({a: np.ones(1)}, mode=PYTHON) == pytest.approx(1.5)


def test_a_joint_distribution_of_as_many_variables_as_there_are_data(lengths):
    term = kl_terms(lengths, {"d": pm.MvNormal.dist(a, cov=A)})["d"]
    assert term.eval({a: np.ones(3), A: np.eye(3)}, mode=PYTHON) == pytest.approx(1.5)


UNTRANSFORMED = {
    "LogitNormal": (lambda **how: pm.LogitNormal("x", 0.0, 1.0, **how), {}, "logodds"),
    "Beta": (lambda **how: pm.Beta("x", 1.0, 1.0, **how), {"default_transform": None}, "logodds"),
    "HalfNormal": (lambda **how: pm.HalfNormal("x", 1.0, **how), {"default_transform": None}, "log"),
    "Uniform": (lambda **how: pm.Uniform("x", 2.0, 4.0, **how), {"default_transform": None}, "Interval"),
    "too long": (lambda **how: pm.Uniform("x", 0.0, 4.0, **how), {"default_transform": log}, "Interval"),
}


@pytest.mark.parametrize("name", UNTRANSFORMED)
def test_terms_that_are_infinite_whatever_the_parameters(name):
    make, how, transform = UNTRANSFORMED[name]
    with pm.Model() as model:
        make(**how)
        approximation = pm.MeanField()
    for no_closed_form in ("raise", "draw"):
        with pytest.raises(ValueError, match=rf"the term of 'x' is infinite .*transforms\.{transform}"):
            kl_terms(model, approximation, no_closed_form=no_closed_form)
    remedies = {
        "logodds": logodds,
        "log": log,
        "Interval": Interval(0.0 if how.get("default_transform") else 2.0, 4.0),
    }
    with pm.Model() as model:
        make(transform=remedies[transform]) if not how else make(default_transform=remedies[transform])
        approximation = pm.MeanField()
    term = kl_terms(model, approximation, no_closed_form="draw")["x"]
    assert np.isfinite(pm.compile([], term, random_seed=1, mode=PYTHON)())


def test_a_logit_normal_prior():
    with pm.Model() as model:
        pm.LogitNormal("x", 0.0, 2.0, transform=logodds)
        approximation = pm.MeanField()
    mean = approximation.mean.eval(mode=PYTHON)
    sd = approximation.std.eval(mode=PYTHON)
    expected = kl(stats.norm(mean, sd), stats.norm(0.0, 2.0)).sum()
    assert kl_terms(model, approximation)["x"].eval(mode=PYTHON) == pytest.approx(expected)


def test_what_is_no_gaussian_approximation(scaled):
    model, approximation = scaled
    with model:
        particles = pm.SVGD(n_particles=3)
    with pytest.raises(TypeError, match=r"SVGD, which moves particles: fit by pm\.ADVI or pm\.FullRank"):
        kl_terms(model, particles)
    draws = approximation.sample(3, random_seed=1)
    for held in (draws, draws.posterior, approximation.sample(3, random_seed=1, return_inferencedata=False)):
        with pytest.raises(TypeError, match="which holds draws: give the approximation that they are from"):
            kl_terms(model, held)
    with pytest.raises(TypeError, match="float is not a distribution, but a number: parameters belong into"):
        kl_terms(model, {"w": 3.0})


@pytest.mark.slow
def test_variables_are_called_as_their_makers_are():
    vector = pm.MvNormal.dist(np.zeros(2), np.eye(2))
    with pm.Model() as model:
        pm.AR("auto", [0.5], sigma=1.0, steps=3, init_dist=pm.Gumbel.dist(0.0, 1.0))
        pm.GaussianRandomWalk("walk", 0.0, 1.0, steps=3, init_dist=pm.Gumbel.dist(0.0, 1.0))
        pm.MvStudentTRandomWalk("vectors", nu=4.0, mu=np.zeros(2), scale=np.eye(2), steps=3, init_dist=vector)
        pm.LKJCholeskyCov("factor", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0))
        pm.CustomDist("own", 0.0, logp=lambda x, mu: -((x - mu) ** 2))
        pm.CustomDist("square", 0.0, dist=lambda mu, size: pm.Normal.dist(mu, size=size) ** 3)
        approximation = pm.MeanField()
    with pytest.raises(NoClosedFormError) as caught:
        kl_terms(model, approximation)
    for name, called in (
        ("auto", "AR"),
        ("walk", "GaussianRandomWalk"),
        ("vectors", "MvStudentTRandomWalk"),
        ("factor", "LKJCholeskyCov"),
        ("own", "CustomDist"),
        ("square", "CustomDist"),
    ):
        assert f"'{name}' (pm.{called})" in str(caught.value)


def test_distributions_of_a_dict_have_no_draws():
    with pm.Model() as model:
        pm.StudentT("w", nu=3, mu=0, sigma=1, shape=2)
    q = {"w": pm.Laplace.dist(np.zeros(2), 1.0)}
    with pytest.raises(NoClosedFormError, match=r"needs one of PyMC's approximations"):
        kl_terms(model, q, no_closed_form="draw")
