"""What a diagnosis advises by what is known, and what it says of arguments that are none of its."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version

import arviz
import numpy as np
import pymc as pm
import pytest
import xarray as xr

from kl_plugins.variational import diagnose
from kl_plugins.variational.evidence.figures import hierarchical
from kl_plugins.variational.evidence.references import reference_draws
from kl_plugins.variational.report.wording import Advice
from kl_plugins.variational.target.density import variables_in


def look(approx, model):
    return diagnose(approx, model=model, draws=4_000, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def summed():
    """Only the sum of the two is known well, so that mean-field gets their sds wrong."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 1.0, shape=2)
        pm.Normal("y", mu.sum(), 0.3, observed=1.0)
    return model


def groups(**draws):
    """Groups of draws as ArviZ of either generation keeps them."""
    given = {name: xr.Dataset({"mu": (("chain", "draw", "i"), array)}) for name, array in draws.items()}
    return arviz.InferenceData(**given) if version("arviz").startswith("0.") else xr.DataTree.from_dict(given)


@pytest.mark.slow
def test_independence_is_not_the_cause_of_what_missing_convergence_does(summed):
    far = look((np.full(2, 30.0), np.full(2, 0.08)), summed)
    assert far.distance.jeffreys > 1_000.0
    assert far.verdict.advice == Advice.FULL_RANK_UNCONVERGED.told(family="mean-field")
    best = far.distance.optimum
    there = look((best.mean, best.std**2), summed)
    assert there.verdict.advice.endswith(Advice.FULL_RANK.told(lack="mean-field's independence"))


def test_mean_field_is_advised_where_it_would_do():
    with pm.Model() as model:
        pm.Normal("x", [0.0, 1.0], 1.0, shape=2)
    assert look((np.full(2, 30.0), np.ones(2)), model).verdict.advice == Advice.REFIT.told()


def centred(scale):
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        if scale:
            pm.Normal("theta", 0.0, tau, shape=3)
        else:
            pm.Deterministic("theta", tau * pm.Normal("z", 0.0, 1.0, shape=3))
        pm.Normal("y", model["theta"], 1.0, observed=np.array([-1.0, 0.0, 2.0]))
    return model


def test_priors_that_depend_on_others():
    assert hierarchical(centred(True))
    assert not hierarchical(centred(False))


def test_a_hierarchical_model_is_to_be_tried_non_centred():
    """Mean-field of means that move together, where full-rank is not looked at."""
    precision = np.full((4, 4), 0.0)
    precision[0], precision[:, 0] = -1.0, -1.0
    np.fill_diagonal(precision, [3.01, 2.0, 2.0, 2.0])
    data = np.array([-1.0, 0.0, 2.0])
    mean = np.linalg.solve(precision, np.array([0.0, *data]))
    for dependent in (True, False):
        with pm.Model() as model:
            if dependent:
                theta = pm.Normal("theta", pm.Normal("mu", 0.0, 10.0), 1.0, shape=3)
                pm.Normal("y", theta, 1.0, observed=data)
            else:
                pm.MvNormal("x", mean, tau=precision)
        q = mean, 1.0 / np.diagonal(precision)
        found = diagnose(q, model=model, draws=4_000, full_rank=False, random_seed=1, progressbar=False)
        assert found.distance.jeffreys < 1e-6
        assert found.verdict.level == "reject"
        advice = Advice.TRY_FULL_RANK_OR_REPARAMETRISE if dependent else Advice.TRY_FULL_RANK
        assert found.verdict.advice == advice.told()


@pytest.mark.parametrize("in_context", [False, True])
def test_what_is_no_approximation_is_told_before_the_model_is_missed(summed, in_context):
    draws = groups(posterior=np.zeros((2, 10, 2)))
    kind = type(draws).__name__
    words = r"^diagnose takes what pm\.fit or variational\.fit .*"
    for given, told in ((draws, f"got {kind}; draws of NUTS go into reference="), (summed, "got Model; the")):
        with (
            summed if in_context else nullcontext(),
            pytest.raises(TypeError, match=words + told),
        ):
            diagnose(given)


def test_a_reference_without_a_posterior(summed):
    prior = groups(prior=np.zeros((1, 50, 2)), prior_predictive=np.zeros((1, 50, 2)))
    with pytest.raises(ValueError, match=r"no group posterior \(it has prior, prior_predictive\)"):
        reference_draws(prior, summed, variables_in(summed))
    with pytest.raises(ValueError, match=r"no group posterior \(it is empty\)"):
        reference_draws(groups(), summed, variables_in(summed))


@pytest.mark.slow
def test_no_variable_is_left_out_of_what_the_data_say_without_a_word():
    with pm.Model() as model:
        pm.Normal("x")
        pm.HalfCauchy("s", 1.0)
    q = look((np.zeros(2), np.ones(2)), model)
    assert "x 0; no closed form for s\n" in f"{q!r}\n"
    bare = replace(q, information_gained=dict.fromkeys(q.information_gained, np.nan))
    assert "no closed form" not in repr(bare)
