"""Bad input inside of graphs and models: named in PyMC's words, as early as it is known."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from pytensor.graph.replace import vectorize_graph

from graphs import AS_WRITTEN, BACKENDS, value
from kl_plugins import NoClosedFormError, entropy, kl

x = pt.dscalar("x")

# Each: PyMC's class, its parameters with a bad one, and what the error says of that.
CONSTANTS = {
    "Normal sigma": (pm.Normal, {"mu": 0, "sigma": -1}, r"sigma \(the standard deviation\) must be positive"),
    "Normal mu": (pm.Normal, {"mu": np.inf, "sigma": 1}, r"mu \(the mean\) must be finite"),
    "one of several": (pm.Normal, {"mu": 0, "sigma": [1, 0]}, r"sigma .* must be positive"),
    "Gamma alpha": (pm.Gamma, {"alpha": -1, "beta": 1}, r"alpha \(the concentration\) must be positive"),
    "Gamma beta": (pm.Gamma, {"alpha": 1, "beta": -1}, r"scale \(1/beta\) must be positive"),
    "Exponential": (pm.Exponential, {"lam": -1}, r"scale \(1/lam\) must be positive"),
    "InverseGamma": (pm.InverseGamma, {"alpha": 2, "beta": -1}, r"beta \(the scale\) must be positive"),
    "HalfNormal": (pm.HalfNormal, {"sigma": 0}, r"sigma \(the scale\) must be positive"),
    "Beta": (pm.Beta, {"alpha": 1, "beta": 0}, "beta must be positive"),
    "StudentT": (pm.StudentT, {"nu": 3, "mu": np.inf, "sigma": 1}, r"mu \(the loc\) must be finite"),
    "Laplace": (pm.Laplace, {"mu": 0, "b": -1}, r"b \(the scale\) must be positive"),
    "LogitNormal": (pm.LogitNormal, {"mu": 0, "sigma": -1}, r"sigma \(the standard deviation\) must be posi"),
    "Poisson": (pm.Poisson, {"mu": -1}, r"mu \(the mean\) must not be negative"),
    "Dirichlet": (pm.Dirichlet, {"a": [-1, 1]}, r"a \(the concentration\) must be positive"),
    "Weibull": (pm.Weibull, {"alpha": 2, "beta": -1}, r"beta \(the scale\) must be positive"),
    "Wald": (pm.Wald, {"mu": 1, "lam": -1}, r"lam \(the shape\) must be positive"),
    "Uniform": (pm.Uniform, {"lower": 2, "upper": 1}, r"scale \(upper less lower end\) must be positive"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_bad_constants_are_refused_when_the_graph_is_built(name):
    kind, parameters, message = CONSTANTS[name]
    bad = kind.dist(**parameters)
    with pytest.raises(ValueError, match=f"^p: {message}"):
        kl(bad, bad)


def test_a_bad_constant_beside_what_is_symbolic():
    with pytest.raises(ValueError, match=r"^q: sigma \(the standard deviation\) must be positive"):
        kl(pm.Normal.dist(x, 1.0), pm.Normal.dist(0.0, -1.0))
    with pytest.raises(ValueError, match=r"^p: sigma \(the standard deviation\) must be positive"):
        entropy(pm.Normal.dist(x, -1.0))
    graph = kl(pm.Gamma.dist(x, 1.0), pm.Gamma.dist(1.0, 1.0))
    with pytest.raises(ParameterValueError, match=r"^p: alpha \(the concentration\) must be positive"):
        value(graph, {x: -1.0})


def test_what_constants_meet_is_not_checked_again():
    graph = kl(pm.Normal.dist(x, 2.0), pm.Normal.dist(0.0, 1.0))
    assert graph.owner.op.messages == ("p: mu (the mean) must be finite",)


@pytest.mark.parametrize("symbolic", [True, False])
def test_a_pair_without_a_closed_form_leaves_the_model_as_it_was(symbolic):
    """What the error offers would work: no estimates where parameters are random."""
    with pm.Model() as model:
        scale = pm.HalfNormal("scale") if symbolic else 2.0
        with pytest.raises(NoClosedFormError, match=r"p: pm.Laplace and q: pm.Cauchy") as caught:
            pm.Potential("penalty", -kl(pm.Laplace.dist(0, scale), pm.Cauchy.dist(0, 1)))
    assert ("estimate_kl" in str(caught.value)) is not symbolic
    assert not model.potentials


def test_a_potential_adds_the_sum_of_a_batch():
    def log_density(reduced):
        with pm.Model() as model:
            mu = pm.Normal("mu", shape=3)
            term = kl(pm.Normal.dist(mu, [0.5, 1.0, 2.0]), pm.Normal.dist(0.0, 1.0))
            assert term.type.shape == (3,)
            pm.Potential("penalty", -term.sum() if reduced else -term)
        return model.compile_logp(mode=AS_WRITTEN)({"mu": np.array([0.0, 1.0, -2.0])})

    assert log_density(False) == pytest.approx(log_density(True), rel=1e-14)


m, n = pt.dvector("m"), pt.dvector("n")
S, T = pt.dmatrix("S"), pt.dmatrix("T")
PAIRS = {
    "full": (pm.MvNormal.dist(m, S), pm.MvNormal.dist(n, T)),
    "one known": (pm.MvNormal.dist(m, S), pm.MvNormal.dist(np.zeros(2), np.eye(2))),
    "Dirichlet": (pm.Dirichlet.dist(m), pm.Dirichlet.dist(n)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_event_shapes_that_only_a_running_graph_knows(name):
    p, q = PAIRS[name]
    given = {m: np.ones(3), S: np.eye(3), n: np.ones(2), T: np.eye(2)}
    shapes = r"p and q have different event shapes: p is .* with event shape \(3,\), q is .* \(2,\)"
    with pytest.raises(ValueError, match=shapes):
        value(kl(p, q), given)
    fitting = kl(p, q if name == "one known" else p)
    fits = value(fitting, given | {m: np.ones(2), S: np.eye(2)})
    assert fits == pytest.approx(1.0 if name == "one known" else 0.0)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("parameter", ["p", "logit_p"])
def test_numbers_of_outcomes_that_only_a_running_graph_knows(parameter, known):
    thirds, halves = np.full(3, 1 / 3), np.full(2, 1 / 2)
    p = pm.Categorical.dist(**{parameter: m})
    q = pm.Categorical.dist(halves) if known else pm.Categorical.dist(**{parameter: n})
    graph = kl(p, q)
    given = {m: halves} if known else {m: halves, n: halves}
    assert value(graph, given) == pytest.approx(0.0, abs=1e-15)
    shapes = r"p is Categorical with event shape \(3,\), q is Categorical with event shape \(2,\)"
    with pytest.raises(ValueError, match=shapes):
        value(graph, given | {m: thirds})


@pytest.mark.slow
@pytest.mark.parametrize("mode", BACKENDS)
def test_compilers_name_both_sides_of_another_event_shape(mode):
    p, q = PAIRS["Dirichlet"]
    function = pytensor.function([m, n], [kl(p, q), *pytensor.grad(kl(p, q), [m, n])], mode=mode)
    assert function(np.ones(2), np.ones(2))[0] == 0.0
    if mode == "JAX":
        return  # which does not raise while it runs, and knows shapes by itself
    lengths = ("", "") if mode == "NUMBA" else (r" with event shape \(2,\)", r" with event shape \(3,\)")
    message = "different event shapes: p is Dirichlet{}, q is Dirichlet{}".format(*lengths)
    with pytest.raises(ValueError, match=message):
        function(np.ones(2), np.ones(3))


@pytest.mark.parametrize("mode", ["FAST_COMPILE", pytest.param("NUMBA", marks=pytest.mark.slow)])
def test_event_shapes_of_a_vectorised_graph(mode):
    graph = vectorize_graph(kl(*PAIRS["Dirichlet"]), {m: S})
    function = pytensor.function([S, n], graph, mode=mode)
    np.testing.assert_array_equal(function(np.ones((3, 2)), np.ones(2)), np.zeros(3))
    with pytest.raises(ValueError, match="different event shapes: p is Dirichlet"):
        function(np.ones((3, 2)), np.ones(3))


def test_a_shape_error_is_one_in_a_log_density_too():
    """Not +∞: no other point would have another shape."""
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(3))
        scale = pm.HalfNormal("scale")
        concentration = pm.Dirichlet.dist(scale * pt.exp(data))
        pm.Potential("penalty", -kl(concentration, pm.Dirichlet.dist(np.ones(3))))
    logp = model.compile_logp(mode=AS_WRITTEN)
    assert np.isfinite(logp({"scale_log__": np.array(0.0)}))
    with model:
        pm.set_data({"data": np.zeros(2)})
    with pytest.raises(ValueError, match=r"p is Dirichlet with event shape \(2,\), q is .* \(3,\)"):
        logp({"scale_log__": np.array(0.0)})
