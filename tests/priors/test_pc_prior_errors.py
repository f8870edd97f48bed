"""What is wrong with a prior is said in the caller's own words, and what to do instead."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from kl_plugins import NoClosedFormError
from kl_plugins.priors import pc_prior
from priors_known import correlated, unit_student_t

INF = np.inf
GOOD = {"at": 2.0, "probability": 0.1, "bounds": (0.0, INF)}


def deviation(sigma):
    return pm.Normal.dist(0.0, sigma)


def normal(mean):
    return pm.Normal.dist(mean, 1.0)


def uniform(end):
    return pm.Uniform.dist(0.0, end)


def poisson(mean):
    return pm.Poisson.dist(mean)


ERRORS = {
    "at is the base": (deviation, 1.0, {"at": 1}, ValueError, "at=1.0 is the base itself"),
    "at is the base at a bound": (deviation, 0.0, {"at": 0.0}, ValueError, "at=0.0 is the base itself"),
    "probability 5": (
        deviation,
        0.0,
        {"probability": 5},
        ValueError,
        r"between 0 and 1, got 5.0: 5 % is 0.05",
    ),
    "shape": (deviation, 0.0, {"shape": (2, -1)}, ValueError, r"no negative lengths, got \(2, -1\)"),
    "family a class": (
        pm.HalfNormal,
        0.0,
        {},
        TypeError,
        r"the class pm\.HalfNormal, .* pm\.HalfNormal\.dist",
    ),
    "family of SciPy": (lambda s: stats.norm(0, s), 0.0, {}, TypeError, r"SciPy, .* of PyMC, as pm\.Normal"),
    "family of if": (lambda s: deviation(s if s > 1 else 1), 0.0, {}, TypeError, "pt.switch for `if`"),
    "discrete base": (deviation, pm.Poisson.dist(3), {}, ValueError, "is continuous and the base discrete"),
    "continuous base": (poisson, stats.norm(), {}, ValueError, "is discrete and the base continuous"),
    "at below bounds": (deviation, 0.0, {"at": -1.0}, ValueError, r"at must be inside of bounds=\(0, inf\)"),
    "at infinite": (deviation, 0.0, {"at": INF}, ValueError, "at must be inside of bounds"),
    "at text": (deviation, 0.0, {"at": "2"}, TypeError, "at must be a number, got '2'"),
    "at symbolic": (deviation, 0.0, {"at": pt.dscalar("a")}, TypeError, "plain Python number.*variable a"),
    "at NaN": (deviation, 0.0, {"at": np.nan}, ValueError, "at must be inside of bounds"),
    "probability 0": (deviation, 0.0, {"probability": 0}, ValueError, "probability must be between 0 and 1"),
    "probability True": (deviation, 0.0, {"probability": True}, TypeError, "probability must be a number"),
    "probability 10 %": (deviation, 0.0, {"probability": 10}, ValueError, "between 0 and 1, got 10"),
    "bounds None": (deviation, 0.0, {"bounds": (0, None)}, TypeError, "the upper of bounds must be a number"),
    "bounds number": (deviation, 0.0, {"bounds": 0}, TypeError, r"two numbers, \(lower, upper\), got 0"),
    "bounds reversed": (deviation, 0.0, {"bounds": (INF, 0)}, ValueError, "a lower and a higher number"),
    "bounds text": (
        deviation,
        0.0,
        {"bounds": ["0", "1"]},
        TypeError,
        "the lower of bounds must be a number",
    ),
    "base outside": (deviation, -1.0, {}, ValueError, r"base must be inside of bounds=\(0, inf\)"),
    "base NaN": (deviation, np.nan, {}, ValueError, "base must be inside of bounds"),
    "base text": (deviation, "normal", {}, TypeError, "base must be a number, .* or a distribution: str is"),
    "base draws": (deviation, np.zeros(3), {}, TypeError, "base must be a number, .* or a distribution"),
    "base None": (deviation, None, {}, TypeError, "base must be a number, .* or a distribution"),
    "base is the family": (deviation, deviation, {}, TypeError, "base must be a number.*a function"),
    "no family": (stats.norm(), 0.0, {}, TypeError, "family must be a function of the parameter"),
    "family of numbers": (lambda s: s, 0.0, {}, TypeError, r"family\(parameter\)"),
    "family of nothing": (lambda s: None, 0.0, {}, TypeError, "must return a distribution, but .* None"),
    "family of draws": (lambda s: [1.0], 0.0, {}, TypeError, r"family\(parameter\) must return a distrib"),
    "family raises": (lambda s: 1 / 0, 0.0, {}, TypeError, r"family\(parameter\) raised ZeroDivisionError"),
    "family of math": (
        lambda s: pm.Normal.dist(0.0, float(s)),
        0.0,
        {},
        TypeError,
        r"family\(parameter\) raised TypeError.*pm.math",
    ),
    "family adds a variable": (
        lambda s: pm.Normal("y", 0.0, s),
        0.0,
        {},
        TypeError,
        r"must not add variables to a model, and it adds 'y'.*pm\.Normal\.dist",
    ),
    "family of two parameters": (lambda a, b: deviation(a), 0.0, {}, TypeError, r"one arg.*takes \(a, b\)"),
    "family constant": (lambda s: pm.Normal.dist(0.0, 1.0), 1.0, {}, ValueError, "does not depend on its"),
    "family of numbers only": (lambda s: stats.norm(), 1.0, {}, ValueError, "does not depend on its"),
    "family a batch": (
        lambda s: pm.Normal.dist(np.zeros(3), s),
        1.0,
        {},
        ValueError,
        "must be one distribution, .* kl_plugins.independent",
    ),
    "family of other variables": (
        lambda s: pm.Normal.dist(pm.Normal.dist(), s),
        1.0,
        {},
        ValueError,
        "depends on another random variable",
    ),
    "family of free inputs": (
        lambda s: pm.Normal.dist(pt.dscalar("m"), s),
        1.0,
        {},
        ValueError,
        "depends on m, too",
    ),
    "base of other dimensions": (
        deviation,
        stats.multivariate_normal([0.0, 0.0]),
        {},
        ValueError,
        r"p = family\(parameter\) from q, the base: .*event shapes",
    ),
    "no closed form": (
        lambda scale: pm.Laplace.dist(0.0, scale),
        stats.cauchy(),
        {},
        NoClosedFormError,
        r"p = family\(parameter\)",
    ),
    "nothing else is near the base": (
        deviation,
        stats.norm(0.0, 1.0),
        {},
        ValueError,
        r"tends to its base at neither end of bounds=\(0, inf\).*pass this value as the base",
    ),
    "far from a distribution": (
        uniform,
        stats.uniform(0.0, 0.5),
        {},
        ValueError,
        "from the base is not finite at at=2.0",
    ),
    "base inside and infinite": (
        deviation,
        0.0,
        {"bounds": (-INF, INF)},
        ValueError,
        r"the base is inside of the bounds.*bounds=\(0, inf\)",
    ),
    "no limit": (poisson, 0.0, {}, ValueError, "have no limit.*pm.Exponential on a standard deviation"),
    "bounds too wide": (
        unit_student_t,
        pm.Normal.dist(0.0, 1.0),
        {"at": 3.0},
        ValueError,
        r"from the base at inf towards 0, but between .* it ends: .*End the bounds where",
    ),
    "bounds beyond rounding": (
        correlated,
        0.0,
        {"bounds": (-INF, INF), "at": 1.1, "probability": 0.3},
        ValueError,
        r"towards inf, but .* it ends: .*due to rounding, as tanh\(z\) .* for example at 17",
    ),
    "not growing": (
        lambda s: pm.Normal.dist(pt.sin(s), 1.0),
        0.0,
        {"at": 1.0},
        ValueError,
        "has to grow from the base at 0 towards inf, but from parameter 1.6",
    ),
    "at as good as the base": (
        lambda s: normal(s * (s - 2.0)),
        0.0,
        {},
        ValueError,
        "at=2.0 is no farther than the base",
    ),
    "mass beyond doubles": (
        uniform,
        1.0,
        {"at": 0.5, "bounds": (0, 1), "probability": 0.999},
        ValueError,
        "probability=0.999 is too large: .* that 9.% of the mass",
    ),
    "probability too large": (
        lambda p: pm.Bernoulli.dist(p),
        0.5,
        {"at": 0.9, "bounds": (0.0, 1.0), "probability": 0.5},
        ValueError,
        "probability=0.5 is too large: distances from the base are at most",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_wrong_is_said(name):
    family, base, changed, error, message = ERRORS[name]
    with pytest.raises(error, match=f"(?s){message}"):
        pc_prior.dist(family, base, **(GOOD | changed))


def never(parameter):
    raise AssertionError("no work before the model is there")


def test_a_model_is_asked_for_first():
    with pytest.raises(TypeError, match=r"none in context.*pc_prior\.dist\(family, base, \.\.\.\)"):
        pc_prior("x", never, 0.0, **GOOD)


def test_a_name_is_asked_for_first():
    with pm.Model(), pytest.raises(TypeError, match=r"the name of the variable first.*pc_prior\.dist"):
        pc_prior(never, 0.0, None, **GOOD)


def test_outside_of_a_model_there_is_no_name():
    with pytest.raises(TypeError, match="takes no name, got 'x'"):
        pc_prior.dist("x", never, 0.0, **GOOD)


def test_a_family_that_fails_by_itself_gets_no_advice_about_symbols():
    with pytest.raises(TypeError) as caught:
        pc_prior.dist(lambda s: 1 / 0, 0.0, **GOOD)
    assert "symbolic" not in str(caught.value)


@pytest.mark.parametrize("of_base", [False, True], ids=["family", "base"])
def test_data_that_could_change_are_refused(of_base):
    with pm.Model():
        power = pm.Data("power", 1.0)
        family, base = (normal, normal(power)) if of_base else (lambda v: normal(v**power), 0.0)
        with pytest.raises(ValueError, match=r"depends on power, which is pm\.Data.* power\.get_value\(\)"):
            pc_prior("m", family, base, **GOOD)


def test_a_failed_prior_leaves_the_model_as_it_was():
    with pm.Model() as model:
        with pytest.raises(TypeError, match="must not add variables"):
            pc_prior("x", lambda s: pm.Normal("y", 0.0, s), 0.0, **GOOD)
        assert not model.named_vars
