"""NaN in each parameter of each pair of families in turn: so are the value, and the derivative by it."""

from __future__ import annotations

from dataclasses import MISSING, fields
from itertools import count

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from graphs import value
from kl_plugins import NoClosedFormError, extend, kl
from kl_plugins.extend.members import typical_members
from univariate import NAMES

MEMBERS = {name: typical_members(getattr(extend, name)) for name in NAMES} | {
    "LogNormal": [extend.LogNormal(extend.Normal(m, s)) for m, s in ((0.2, 0.5), (-0.3, 0.8))],
    "LogLaplace": [extend.LogLaplace(extend.Laplace(0.0, s), 2.0, 1.0) for s in (0.2, 0.3)],
    "ZeroInflated": [extend.ZeroInflated(w, extend.Poisson(3.0)) for w in (0.4, 0.7)],
    "Categorical": [extend.Categorical(p) for p in ([0.2, 0.8], [0.5, 0.5])],
    "Multinomial": [extend.Multinomial(5.0, p) for p in ([0.2, 0.8], [0.5, 0.5])],
    "Dirichlet": [extend.Dirichlet(a) for a in ([0.7, 1.8], [1.5, 2.5])],
}
"""Of each family some; p is the first of them, q the last."""

CHOICES = {"sign", "order"}
"""Parameters that decide which family it is, and are numbers in every graph."""


def stays(kind, name, stated, default, literal):
    """Whether a parameter of a family is a number in the graph, as far as static ones are `literal`."""
    if name in CHOICES or (kind is extend.InverseGaussian and name == "power"):
        return True
    return stated.static and (literal == "all" or (literal == "defaults" and default is not MISSING))


def replaced(member, found, literal):
    """The member with a symbol for each of its arrays, which are added to `found` with their numbers."""
    state = member.__getstate__()
    defaults = {field.name: field.default for field in fields(member)}
    for name, stated in member.parameters.items():
        if not stays(type(member), name, stated, defaults[name], literal):
            numbers = np.asarray(state[name], float)
            symbol = pt.TensorType("float64", (None, *numbers.shape[numbers.ndim - stated.core_ndim :]))()
            found.append((symbol, numbers))
            state[name] = symbol
        elif literal == "defaults" and defaults[name] is not MISSING:
            state[name] = defaults[name]
    for name in member.parts:
        state[name] = replaced(state[name], found, literal)
    return type(member)(**state)


def with_numbers(member, numbers):
    """The symbolic member with arrays in the place of its symbols."""
    state = member.__getstate__()
    for name in member.parameters:
        state[name] = numbers.get(state[name], state[name]) if hasattr(state[name], "type") else state[name]
    for name in member.parts:
        state[name] = with_numbers(state[name], numbers)
    return type(member)(**state)


def graph_of(name_p, name_q):
    """The divergence of two members, these, and symbols with numbers; None where there is no closed form."""
    for literal in ("none", "defaults", "all"):
        found = []
        p, q = (replaced(MEMBERS[n][i], found, literal) for n, i in ((name_p, 0), (name_q, -1)))
        try:
            return kl(p, q), (p, q), found
        except (NoClosedFormError, ValueError):
            continue
    return None


def batches(found):
    """A batch for each symbol: in member i the i-th has NaN, in the last member none."""
    given = {}
    for i, (symbol, numbers) in zip(count(), found):
        batch = np.tile(numbers, (len(found) + 1, *[1] * numbers.ndim))
        batch.reshape(len(batch), -1)[i] = np.nan
        given[symbol] = batch
    return given


def wrong(name_p, name_q):
    """What is not NaN of a pair, though a parameter is; None where there is no such pair."""
    made = graph_of(name_p, name_q)
    if made is None or not made[2]:
        return None
    graph, sides, found = made
    given = batches(found)
    slopes = pytensor.grad(graph.sum(), list(given), disconnected_inputs="ignore")
    with np.errstate(invalid="ignore"):  # of NumPy's reductions, by which Python evaluates a graph
        values, *slopes = value([graph, *slopes], given)
    numbers = kl(*[with_numbers(side, given) for side in sides])
    faults = []
    for i, slope in enumerate(slopes):
        if not np.isnan(values[i]):
            faults.append((i, "value", values[i]))
        if not np.isnan(numbers[i]):
            faults.append((i, "numbers", numbers[i]))
        if not np.all(np.isnan(slope[i])):
            faults.append((i, "slope", slope[i]))
    if not (values[-1] == numbers[-1] or abs(values[-1] - numbers[-1]) < 1e-9):
        faults.append(("none", values[-1], numbers[-1]))
    return faults


CHOSEN = [
    *[(name, name) for name in ("AsymmetricLaplace", "Laplace", "Pareto", "LogUniform", "Uniform", "Cauchy")],
    *[(name, name) for name in ("Normal", "Poisson", "Dirac", "LogNormal", "LogLaplace", "Categorical")],
    *[(name, name) for name in ("InverseGaussian", "TruncatedNormal", "HalfCauchy", "Multinomial")],
    *[(name, "Normal") for name in ("LogGamma", "Logistic", "Laplace", "Cauchy", "Uniform", "Poisson")],
    *[("Normal", "Laplace"), ("LogNormal", "GeneralizedGamma"), ("Beta", "Uniform"), ("Uniform", "Laplace")],
]
"""Pairs that stand for all others."""


@pytest.mark.slow
def test_nan_of_chosen_pairs():
    found = {pair: wrong(*pair) for pair in CHOSEN}
    assert {pair: faults for pair, faults in found.items() if faults} == {}
    assert None not in found.values()


QUICK = (
    *("AsymmetricLaplace", "Beta", "BetaBinomial", "BetaPrime", "Binomial", "Boltzmann", "Cauchy", "Dirac"),
    *("DiscreteLaplace", "DiscreteUniform", "NegativeBinomial", "Triangular", "TruncatedNormal", "Uniform"),
    *("VonMisesLine",),
)
"""Families whose pairs with all others take seconds; those of the gamma family take many minutes."""


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_nan_of_pairs_with_all_families(name):
    found = {}
    for other in MEMBERS:
        found[other] = wrong(name, other)
    assert {other: faults for other, faults in found.items() if faults} == {}
