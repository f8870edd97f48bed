"""PyMC's bounded variables, and Pareto's, in graphs: values and gradients."""

import pickle

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import AS_WRITTEN
from kl_plugins import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.beta import Beta
from kl_plugins.families.logit_normal import LogitNormal

A, B, S = pt.dscalars("a", "b", "s")
AT = (2.3, 3.4, 1.7)

PAIRS = {
    "beta": (pm.Beta.dist(A, B), lambda a, b, s: stats.beta(a, b)),
    "beta of numbers": (pm.Beta.dist(0.5, 2.0), lambda a, b, s: stats.beta(0.5, 2)),
    "uniform of numbers": (pm.Uniform.dist(0, 1), lambda a, b, s: stats.uniform()),
    "uniform": (pm.Uniform.dist(0.5, S), lambda a, b, s: stats.uniform(0.5, s - 0.5)),
    "pareto": (pm.Pareto.dist(B, S), lambda a, b, s: stats.pareto(b, scale=s)),
    "pareto of numbers": (pm.Pareto.dist(4.0, 2.0), lambda a, b, s: stats.pareto(4, scale=2)),
    "triangular": (
        pm.Triangular.dist(lower=0.0, c=0.5, upper=S),
        lambda a, b, s: stats.triang(0.5 / s, scale=s),
    ),
    "triangular of numbers": (pm.Triangular.dist(lower=0, c=0.5, upper=1), lambda a, b, s: stats.triang(0.5)),
    "truncated": (
        pm.TruncatedNormal.dist(A, S, lower=0.0, upper=1.0),
        lambda a, b, s: stats.truncnorm(-a / s, (1 - a) / s, a, s),
    ),
    "truncated once": (
        pm.TruncatedNormal.dist(B, 1.0, lower=0.0),
        lambda a, b, s: stats.truncnorm(-b, np.inf, b),
    ),
    "kumaraswamy": (pm.Kumaraswamy.dist(2.0, B), lambda a, b, s: Beta(1.0, b, power=2.0)),
    "logit-normal": (pm.LogitNormal.dist(A, S), lambda a, b, s: LogitNormal(a, s)),
    "gamma": (pm.Gamma.dist(A, B), lambda a, b, s: stats.gamma(a, scale=1 / b)),
    "normal": (pm.Normal.dist(A, B), lambda a, b, s: stats.norm(a, b)),
    "weibull": (pm.Weibull.dist(1.5, 2.0), lambda a, b, s: stats.weibull_min(1.5, scale=2)),
}


DIFFERENTIATED = [
    ("beta", "beta of numbers"), ("beta of numbers", "beta"), ("beta", "normal"), ("kumaraswamy", "normal"),
    ("beta", "logit-normal"), ("uniform", "gamma"), ("uniform", "triangular"), ("triangular", "weibull"),
    ("triangular", "gamma"),  ("pareto", "gamma"),
    ("truncated", "normal"), ("truncated", "truncated once"), ("uniform of numbers", "truncated"),
    ("logit-normal", "logit-normal"),
]  # fmt: skip

CHOSEN = [
    *DIFFERENTIATED,
    *[(p, "normal") for p in ("uniform", "uniform of numbers", "pareto", "triangular of numbers")],
    *[("normal", q) for q in ("beta", "uniform", "pareto", "triangular", "truncated", "kumaraswamy")],
    ("uniform of numbers", "uniform of numbers"), ("uniform of numbers", "beta of numbers"),
    ("pareto", "pareto of numbers"), ("pareto of numbers", "pareto"), ("pareto", "weibull"),
    ("truncated once", "truncated once"), ("uniform", "uniform of numbers"),

    ("triangular", "triangular"), ("triangular of numbers", "triangular"),
    ("beta", "uniform of numbers"), ("logit-normal", "beta"),
]  # fmt: skip


def known(p, q):
    try:
        return kl(p, q)
    except NoClosedFormError:
        return None


@pytest.fixture(scope="module")
def graphs():
    """What graphs know, with the function of the parameters that says the same of numbers."""
    found = {}
    for name_p, name_q in CHOSEN:
        (p, make_p), (q, make_q) = PAIRS[name_p], PAIRS[name_q]
        graph = known(p, q)
        number = known(make_p(*AT), make_q(*AT))
        if graph is None:  # it may be infinite by the values of parameters
            assert number is None or number == np.inf, (name_p, name_q)
        else:
            found[name_p, name_q] = graph, lambda *at, p=make_p, q=make_q: kl(p(*at), q(*at))
    return found


@pytest.mark.slow
def test_values(graphs):
    assert len(graphs) == len(CHOSEN) - 1
    function = pytensor.function([A, B, S], [graph for graph, _ in graphs.values()], mode=AS_WRITTEN)
    for name, value, (_, same) in zip(graphs, function(*AT), graphs.values(), strict=True):
        assert value.dtype == np.float64
        expected = same(*AT)
        assert value == expected or value == pytest.approx(expected, rel=1e-11), name


@pytest.mark.slow
def test_gradients_against_finite_differences(graphs):
    chosen = [graphs[name] for name in DIFFERENTIATED]
    gradients = [pytensor.grad(graph, [A, B, S], disconnected_inputs="ignore") for graph, _ in chosen]
    function = pytensor.function([A, B, S], [g for row in gradients for g in row], mode=AS_WRITTEN)
    values = np.reshape(function(*AT), (-1, 3))
    for name, gradient, (_, same) in zip(DIFFERENTIATED, values, chosen, strict=True):
        for i, value in enumerate(gradient):
            step = np.zeros(3)
            step[i] = 1e-5
            difference = (same(*(AT + step)) - same(*(AT - step))) / 2e-5
            assert value == pytest.approx(difference, rel=1e-6, abs=1e-8), (name, "abs"[i])


def test_nodes_can_be_pickled_for_the_cache_of_compiled_code():
    graph = kl(pm.Beta.dist(A, B), pm.Beta.dist(0.5, 2.0))
    ops = [node.op for node in pytensor.graph.traversal.applys_between([A, B], [graph])]
    assert len(pickle.dumps(ops)) > 0
