"""What errors offer for PyMC's variables works: no estimates where there are no numbers; no internals."""

from __future__ import annotations

import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats as st

from kl_plugins import NoClosedFormError, estimate_kl, kl

# PyMC warns of its own calls, and of log densities that depend on random variables.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:RandomVariables .* were found:UserWarning"),
]

x = pt.dscalar("x")


def walk(mean):
    steps = pm.StudentT.dist(3.0, mu=mean, sigma=1.0)
    return pm.RandomWalk.dist(init_dist=pm.Normal.dist(), innovation_dist=steps, steps=3)


# Each: random variables of a mean that have no closed form with a normal distribution.
WITHOUT = {
    "skew t": lambda mean: pm.SkewStudentT.dist(1.0, 2.0, mu=mean, sigma=1.0),
    "mixture": lambda mean: pm.NormalMixture.dist([0.5, 0.5], [mean, 1.0], [1.0, 1.0]),
    "truncated": lambda mean: pm.Truncated.dist(pm.Gamma.dist(2.0, 1.0 + mean), upper=2.0),
    "random walk": walk,
    "ExGaussian": lambda mean: pm.ExGaussian.dist(mean, 1.0, nu=1.0),
}
INTERNALS = ("RV", "inline", "kl_plugins.plugins")


def message_of(p, q):
    with pytest.raises(NoClosedFormError) as caught:
        kl(p, q)
    assert not any(word in str(caught.value) for word in INTERNALS)
    return str(caught.value)


def random_mean():
    with pm.Model():
        return pm.Normal("mean")


@pytest.mark.parametrize("mean", [lambda: x, random_mean], ids=["input", "random"])
@pytest.mark.parametrize("name", WITHOUT)
def test_estimates_are_not_offered_of_symbolic_parameters(name, mean):
    symbolic = WITHOUT[name](mean())
    pairs = [(pm.Normal.dist(), symbolic), (symbolic, pm.Normal.dist())]
    for pair in pairs[:1] if name == "skew t" else pairs:  # which is infinitely far
        message = message_of(*pair)
        assert "estimate_kl" not in message
        assert "with symbolic parameters it cannot be estimated" in message
        with pytest.raises(ValueError, match="estimates need numbers"):
            estimate_kl(*pair)


@pytest.mark.parametrize("name", WITHOUT)
def test_the_other_side_may_be_the_symbolic_one(name):
    found = message_of(pm.Normal.dist(x, 1.0), WITHOUT[name](0.0))
    assert "estimate_kl" not in found
    assert "expression of your own" in found or "register_kl" in found


@pytest.mark.parametrize("name", WITHOUT)
def test_estimates_are_offered_of_numbers(name):
    assert "estimate_kl" in message_of(pm.Normal.dist(), WITHOUT[name](0.0))


def test_what_to_pass_instead_of_a_deterministic():
    with pm.Model():
        doubled = pm.Deterministic("doubled", pm.math.sin(pm.Normal("z")))
    with pytest.raises(TypeError, match=r"^p: doubled is not .* but sin of z, .*: pass .*pm\.Normal\.dist"):
        kl(doubled, st.norm())
