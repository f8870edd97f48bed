"""The reference posteriors in PyMC are those of their Stan programs, and their fits are certified."""

import numpy as np
import pymc as pm
import pytest

import posteriors
from kl_plugins import jeffreys
from kl_plugins.variational import distance_to_optimum, fit, snapshot
from kl_plugins.variational.target.density import TargetDensity

pytestmark = posteriors.needed


def unconstrained(name, variables, draw):
    """A reference draw in PyMC's unconstrained variables, and the log Jacobian of the transforms."""
    parts, log_jacobian = [], 0.0
    for variable, shape in variables:
        if variable == "theta_trans":
            theta = np.array([draw[f"theta[{i + 1}]"] for i in range(8)])
            parts.append((theta - draw["mu"]) / draw["tau"])
        elif variable.endswith("_log__"):
            log_value = np.log(draw[variable.removesuffix("_log__")])
            parts.append([log_value])
            log_jacobian += log_value
        else:
            parts.append(
                [draw[f"{variable}[{i + 1}]"] for i in range(shape[0])] if shape else [draw[variable]]
            )
    return np.concatenate(parts), log_jacobian


@pytest.mark.slow
@pytest.mark.parametrize("name", posteriors.MODELS)
def test_the_log_density_is_the_stan_programs(name):
    target = TargetDensity(posteriors.model(name))
    draws = {key: value.ravel() for key, value in posteriors.reference_draws(name).items()}
    points, expected = [], []
    for i in (0, 1234, 5678, 9999):
        draw = {key: value[i] for key, value in draws.items()}
        point, log_jacobian = unconstrained(name, target.variables, draw)
        points.append(point)
        expected.append(posteriors.stan_log_density(name, draw) + log_jacobian)
    values, _ = target(np.array(points))
    np.testing.assert_allclose(values - values[0], np.array(expected) - expected[0], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["advi", "fullrank_advi"])
def test_a_badly_scaled_regression_is_fitted(method):
    """Against PyMC's start, thousands of nats away; the optimum does not depend on where one starts."""
    model = posteriors.model("mesquite-logmesquite")
    approximation = fit(model, method, random_seed=1, progressbar=False)
    assert approximation.certificate.certified
    start = pm.MeanField(model=model) if method == "advi" else pm.FullRank(model=model)
    distance = distance_to_optimum(start, random_seed=2)
    assert distance.reached
    assert distance.jeffreys > 1e3
    assert distance.elbo_gap > 1e3
    assert jeffreys(snapshot(approximation), distance.optimum) < 0.01
