"""Multivariate objects of SciPy and PyMC that are refused, and independent copies of univariate ones."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from graphs import value
from kl_plugins import entropy, explain, independent, kl, register_kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.dirichlet import Dirichlet
from kl_plugins.families.gamma import GeneralizedGamma

REFUSED = {
    "random_correlation": stats.random_correlation([0.5, 1.5]),
    "random_table": stats.random_table([2, 3], [1, 4]),
    "ortho_group": stats.ortho_group(3),
    "special_ortho_group": stats.special_ortho_group(3),
    "unitary_group": stats.unitary_group(3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(NoClosedFormError, match=rf"q: no closed form is known for scipy\.stats\.{name};"):
        kl(stats.dirichlet([1.0, 2.0]), REFUSED[name])


def test_not_frozen():
    with pytest.raises(TypeError, match=r"scipy\.stats\.dirichlet is not frozen"):
        kl(stats.dirichlet, stats.dirichlet([1.0, 2.0]))


def test_a_subclass_may_have_another_density():
    class Mine(type(stats.dirichlet([1.0]))):
        pass

    with pytest.raises(NoClosedFormError, match="p: no closed form is known for the subclass Mine"):
        kl(Mine([1.0, 2.0]), stats.dirichlet([1.0, 2.0]))


def test_what_is_refused_can_be_registered():
    kind = type(REFUSED["special_ortho_group"])
    register_kl(kind, kind)(lambda p, q: float(p.dim - q.dim))
    assert kl(stats.special_ortho_group(3), stats.special_ortho_group(3)) == 0.0
    with pytest.raises(NoClosedFormError, match="closed forms are registered for special_ortho_group_frozen"):
        kl(stats.special_ortho_group(3), stats.dirichlet([1.0, 2.0]))


PARTS = {
    "gamma": (stats.gamma([1.0, 2.0, 4.0], scale=0.7), stats.gamma([1.5, 2.0, 0.3])),
    "weibull": (stats.weibull_min([1.0, 2.0, 1.7]), stats.weibull_min(1.3, scale=[1.0, 2.0, 3.0])),
    "both": (stats.gamma([1.0, 2.0, 4.0]), stats.weibull_min([1.0, 2.0, 1.7], scale=2.0)),
    "a single parameter for all": (stats.expon(scale=[1.0, 2.0, 3.0]), stats.gamma(2.0, scale=np.ones(3))),
}


@pytest.mark.parametrize(("p", "q"), PARTS.values(), ids=PARTS)
def test_independent_parts_add_up(p, q):
    assert kl(independent(p), independent(q)) == pytest.approx(np.sum(kl(p, q)), rel=1e-14)
    assert explain(independent(p), independent(q)).rule.startswith("independent_independent → ")
    assert entropy(independent(p)) == pytest.approx(np.sum(entropy(p)), rel=1e-14)


def test_independent_parts_of_a_batch():
    p, q = stats.gamma(np.full((2, 3), 2.0), scale=[1.0, 2.0, 3.0]), stats.gamma([1.0, 2.0, 3.0])
    value = kl(independent(p), independent(q))
    assert value.shape == (2,)
    np.testing.assert_allclose(value, kl(p, q).sum(axis=-1))
    assert kl(independent(p, ndims=2), independent(p, ndims=2)) == 0.0
    with pytest.raises(ValueError, match="different event shapes"):
        kl(independent(p), q)


def test_independent_random_variables():
    p = pm.Gamma.dist([1.0, 2.0], 4.0)
    found = value(kl(independent(p), independent(stats.gamma([2.0, 2.0]))))
    assert found == pytest.approx(
        np.sum(kl(stats.gamma([1.0, 2.0], scale=0.25), stats.gamma(2.0))), rel=1e-12
    )


def test_independent_vectors():
    p, q = Dirichlet([[1.0, 2.0], [3.0, 4.0]]), Dirichlet([[1.0, 1.0], [2.0, 2.0]])
    assert independent(p).event_shape == (2, 2)
    assert kl(independent(p), independent(q)) == pytest.approx(np.sum(kl(p, q)), rel=1e-14)


def test_independent_parts_without_a_closed_form():
    p, q = GeneralizedGamma(np.array([1.0, 2.0]), loc=1.0), GeneralizedGamma(np.array([1.0, 2.0]))
    with pytest.raises(NoClosedFormError):
        kl(independent(p), independent(q))
