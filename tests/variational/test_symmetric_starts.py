"""Models whose own start is a saddle of the ELBO: the fit must not be certified there."""

from __future__ import annotations

import re

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import stats

from graphs import WITHOUT_LONG_PRODUCTS, log_add_exp
from kl_plugins.variational import diagnose, distance_to_optimum, fit
from kl_plugins.variational.optimum.reasons import Reason


@pytest.fixture(scope="module", autouse=True)
def quickly_compiled():
    with pytensor.config.change_flags(mode=WITHOUT_LONG_PRODUCTS):
        yield


def labels():
    """A mixture whose labels nothing tells apart but where the search begins."""
    data = np.concatenate([place + stats.norm.ppf((np.arange(40) + 0.5) / 40) for place in (-2.0, 2.0)])
    mu = pm.Normal("mu", 0.0, 5.0, shape=2)
    s = pm.HalfNormal("s", 2.0)
    near = -0.5 * ((data[:, None] - mu) / s) ** 2 - pm.math.log(s)
    pm.Potential("y", log_add_exp(near[:, 0], near[:, 1]).sum())
    return {"mu": [-2.0, 2.0]}


def square():
    x = pm.Normal("x", 0.0, 1.0)
    pm.Normal("y", x**2, 0.1, observed=1.0)
    return {"x": 1.0}


def five_squares():
    x = pm.Normal("x", 0.0, 1.0, shape=5)
    pm.Normal("y", x**2, 0.3, observed=np.full(5, 2.0))
    return {"x": 1.4}


def product():
    a, b = (pm.Normal(name, 0.0, 1.0) for name in "ab")
    pm.Normal("y", a * b, 0.1, observed=1.0)
    return {"a": 1.0, "b": 1.0}


def far_apart():
    x = pm.Flat("x")
    pm.Potential("two", log_add_exp(-0.5 * (x - 20.0) ** 2, -0.5 * (x + 20.0) ** 2))
    return {"x": 20.0}


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(labels, marks=pytest.mark.slow),
        square,
        pytest.param(five_squares, marks=pytest.mark.slow),
        product,
        far_apart,
    ],
)
def test_a_saddle_is_not_certified(build):
    with pm.Model() as model:
        start = build()
    found, known = (
        fit(model, start=values, random_seed=1, progressbar=False).certificate for values in (None, start)
    )
    assert found.certified
    assert re.search(r"the best of (14|6) starts", str(found))
    # The same optimum, or its mirror image: as high as from where the symmetry is broken already.
    best, other = (np.sort(abs(one.distribution.mean)) for one in (found, known))
    assert best == pytest.approx(other, abs=0.05)
    gap = distance_to_optimum(found.distribution, model, random_seed=2)
    assert gap.elbo_gap == pytest.approx(0.0, abs=0.05)


@pytest.mark.slow
def test_what_sits_on_the_saddle_is_not_at_the_optimum():
    with pm.Model() as model:
        square()
    saddle = np.zeros(1), np.array([0.17**2])
    distance = distance_to_optimum(saddle, model, random_seed=1)
    assert distance.elbo_gap > 20.0
    assert distance.jeffreys > 10.0
    found = diagnose(saddle, model=model, random_seed=1, draws=4_000, progressbar=False)
    assert "convergence: not reached" in str(found.verdict)
    assert found.verdict.level == "reject"


def test_of_equal_optima_the_start_decides():
    with pm.Model() as model:
        square()
    for place in (1.0, -1.0):
        mean = fit(model, start={"x": place}, random_seed=1, progressbar=False).mean.eval()
        assert mean == pytest.approx([place], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("further", [0.0, 75_000.0])
def test_an_angle_that_is_hardly_known(further):
    """Over all turns its density is not normalisable: the ELBO grows with the sd without bound."""
    with pm.Model() as model:
        pm.VonMises("g", 0.0, 0.5)
    if further:
        found = distance_to_optimum(([0.0], [further**2]), model, random_seed=1)
        assert not found.reached
        assert found.obstacle.reason is Reason.PERIODIC
        sd = found.optimum.std
    else:
        with pytest.warns(UserWarning, match="kept to one turn"):
            q = fit(model, random_seed=1, progressbar=False)
        assert " is an angle that the data hardly constrain" in q.certificate.reason
        sd = q.std.eval()
        assert diagnose(q, random_seed=1, draws=4_000, progressbar=False).modes == ()
    assert sd[0] < np.pi


@pytest.mark.slow
def test_modes_with_flat_tops():
    """exp(−12.5 x⁴) around every turn: the curvature at the top is the prior's, a tenth of a turn off."""
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 10.0)
        pm.Normal("y", pm.math.cos(x), 0.1, observed=1.0)
    found = diagnose(([0.0], [0.09]), model=model, random_seed=1, draws=4_000, progressbar=False)
    assert found.verdict.level == "reject"
    turns = np.array([mode.point[0] for mode in found.modes]) / (2.0 * np.pi)
    assert {-1, 1} <= set(np.round(turns).astype(int))
    assert turns == pytest.approx(np.round(turns), abs=0.05)
    shares = {round(mode.point[0] / (2.0 * np.pi)): mode.share for mode in found.modes}
    # Each has the prior's weight there.
    assert shares[1] / shares[-1] == pytest.approx(1.0, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [4.0, 50.0])
def test_ratios_that_are_nearly_equal_have_no_tail(kappa):
    with pm.Model() as model:
        pm.VonMises("g", 0.0, kappa)
        q = fit(model, random_seed=1, progressbar=False)
    found = diagnose(q, random_seed=1, progressbar=False)
    assert found.verdict.level == "trust"
    exact = stats.vonmises(kappa).std()
    assert found.weighted.sd == pytest.approx([exact], rel=0.02)
