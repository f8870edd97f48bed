"""The closed forms against torch.distributions: run it where torch is installed (the bench extra)."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions

from kl_plugins import Cholesky, Dense, MultivariateNormal, Precision, entropy, independent, kl

RNG = np.random.default_rng(0)
DIMENSION = 6


def factor():
    return np.tril(RNG.uniform(-0.5, 0.5, (DIMENSION, DIMENSION)), -1) + np.diag(
        RNG.uniform(0.5, 2.0, DIMENSION)
    )


MEANS = RNG.normal(size=(2, DIMENSION))
FACTORS = factor(), factor()
STRUCTURES = {
    # ours from a lower factor, and the keyword argument of torch's MultivariateNormal with its value
    "Dense": lambda lower: (Dense(lower @ lower.T), "covariance_matrix", lower @ lower.T),
    "Cholesky": lambda lower: (Cholesky(lower), "scale_tril", lower),
    "Precision": lambda lower: (Precision(lower @ lower.T), "precision_matrix", lower @ lower.T),
}


def both(structure, mean, lower):
    held, keyword, value = STRUCTURES[structure](lower)
    theirs = distributions.MultivariateNormal(torch.tensor(mean), **{keyword: torch.tensor(value)})
    return MultivariateNormal(mean, held), theirs


@pytest.mark.parametrize("q_structure", STRUCTURES)
@pytest.mark.parametrize("p_structure", STRUCTURES)
def test_multivariate_normals(p_structure, q_structure):
    p, torch_p = both(p_structure, MEANS[0], FACTORS[0])
    q, torch_q = both(q_structure, MEANS[1], FACTORS[1])
    assert kl(p, q) == pytest.approx(distributions.kl_divergence(torch_p, torch_q).item(), rel=1e-10)
    assert entropy(p) == pytest.approx(torch_p.entropy().item(), rel=1e-12)


@pytest.mark.parametrize("shapes", [((), ()), ((4,), ()), ((3, 1), (4,))], ids=str)
def test_univariate_normals(shapes):
    parameters = [(RNG.normal(size=shape), RNG.uniform(0.5, 2.0, shape)) for shape in shapes]
    theirs = [distributions.Normal(torch.tensor(m), torch.tensor(s)) for m, s in parameters]
    ours = [stats.norm(m, s) for m, s in parameters]
    np.testing.assert_allclose(kl(*ours), distributions.kl_divergence(*theirs).numpy(), rtol=1e-12)


def test_independent():
    parameters = [(RNG.normal(size=(3, 4)), RNG.uniform(0.5, 2.0, (3, 4))) for _ in range(2)]
    theirs = [
        distributions.Independent(distributions.Normal(torch.tensor(m), torch.tensor(s)), 1)
        for m, s in parameters
    ]
    ours = [independent(stats.norm(m, s)) for m, s in parameters]
    np.testing.assert_allclose(kl(*ours), distributions.kl_divergence(*theirs).numpy(), rtol=1e-12)


def test_torch_loses_the_digits_that_we_keep():
    """What the comparison cannot show near p = q: there torch is off by about the value itself, or more."""
    p, torch_p = both("Dense", MEANS[0], FACTORS[0])
    moved = FACTORS[0] * (1.0 + 1e-9)
    q, torch_q = both("Dense", MEANS[0], moved)
    expected = DIMENSION * 1e-18  # ½ [m² − 1 − 2 ln m] ≈ e² for m = 1 + e
    assert kl(p, q) == pytest.approx(expected, rel=1e-3)
    assert abs(distributions.kl_divergence(torch_p, torch_q).item() - expected) >= 0.9 * expected
