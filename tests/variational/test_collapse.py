"""Posteriors that collapse, such as of scales whose data do not scatter: it is said that there is none."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest

from kl_plugins.families.named import Variable
from kl_plugins.variational import diagnose, distance_to_optimum
from kl_plugins.variational.evidence.moments import Moments, marginal_kl
from kl_plugins.variational.optimum import distance
from kl_plugins.variational.optimum.propriety import collapse
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import Gaussian
from kl_plugins.variational.optimum.search import NO_FURTHER_STARTS


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    """From the start that is given alone."""
    monkeypatch.setattr(distance, "starts_at_other_modes", lambda *args: NO_FURTHER_STARTS)
    monkeypatch.setattr(distance, "starts_from", lambda *args: [])


@pytest.mark.parametrize(
    ("mean", "sd", "scale", "words"),
    [
        ([1.5, -20.0], [1e-9, 0.3], True, ""),
        (
            [1.5, -110.0],
            [1e-3, 0.3],
            True,
            "as s goes to −∞ .the search ended at -110., so the posterior",
        ),
        ([1.5, 300.0], [1e-3, 0.3], True, "as s goes to ∞"),
        ([1.5, -38.0], [1e-17, 0.3], True, "the sd of mu .1e-17 at 1.5. is smaller than their spacing"),
        ([1.5, 300.0], [1e-17, 0.3], False, ""),  # numbers as they are may be so large
    ],
)
def test_where_a_search_ran_off_to(mean, sd, scale, words):
    variables = (Variable("mu", ()), Variable("s", ()))
    target = SimpleNamespace(logarithms=np.array([False, scale]), bounded=scale, variables=variables)
    found = collapse(target, Gaussian(np.array(mean), np.array(sd)))
    assert bool(found) == bool(words)
    assert re.search(words, found)


def equal_data(mean):
    with pm.Model() as model:
        pm.Normal("y", mean(), pm.HalfNormal("s", 5.0), observed=np.full(8, 1.5))
    return model


def test_data_that_are_all_equal():
    """From near where a fit of them is left, which `fit` does not certify."""
    model = equal_data(lambda: pm.Normal("mu", 0.0, 10.0))
    with pytest.raises(ValueError, match=r"\(not normalisable\): the ELBO grows .* pm\.InverseGamma"):
        diagnose(([1.5, -37.0], [1e-33, 0.1]), model=model, draws=4_000, random_seed=1, progressbar=False)


def test_a_scale_alone():
    found = distance_to_optimum(([0.0], [1.0]), equal_data(lambda: 1.5), random_seed=1)
    assert not found.known
    assert found.obstacle.reason is Reason.UNBOUNDED_ELBO
    assert "as s_log__ goes to −∞" in str(found)


def test_a_coordinate_that_draws_do_not_tell():
    q = Moments.exact(np.zeros(2), np.ones(2))
    posterior = Moments(np.zeros(2), np.array([0.0, 2.0]), np.zeros(2), np.array([np.inf, 0.1]))
    found = marginal_kl(q, posterior)
    assert np.isnan([found.kl_to[0], found.kl_from[0]]).all()
    assert np.isinf([found.kl_to_error[0], found.kl_from_error[0]]).all()
    assert found.kl_to[1] == pytest.approx(np.log(2.0) + 1.0 / 8.0 - 0.5)
