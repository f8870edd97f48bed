"""Eigendecompositions against a multiple of the identity: by their eigenvalues where those suffice."""

import numpy as np
import pytest
from scipy import stats

import oracle
from kl_plugins import explain, kl
from kl_plugins.recognition import recognise

RNG = np.random.default_rng(0)
EIGENVALUES = np.array([0.3, 1.0, 2.0, 5.0])
VECTORS = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
MEAN = RNG.normal(size=4)


def gaussian(vectors):
    return stats.multivariate_normal(MEAN, stats.Covariance.from_eigendecomposition((EIGENVALUES, vectors)))


@pytest.mark.parametrize("vectors", [VECTORS, VECTORS + 1e-3 * RNG.normal(size=(4, 4))], ids=["yes", "no"])
def test_eigenvalues_alone_are_used_only_with_orthonormal_eigenvectors(vectors):
    p, q = recognise(gaussian(vectors)), recognise(stats.multivariate_normal(np.zeros(4), 1.7))
    assert "which shows whether the eigenvectors are orthonormal" in explain(p, q).cost
    assert "is_orthonormal" not in vars(p.covariance)  # explaining does not look
    exact_p = oracle.from_eigendecomposition(MEAN, EIGENVALUES, vectors)
    exact_q = oracle.from_variances(np.zeros(4), np.full(4, 1.7))
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-13
    expected = "O(d) in the eigenvalues, O(d²) in the means"
    if vectors is not VECTORS:
        expected = "O(d³): the eigenvectors are not known to be orthonormal, through a Cholesky factor"
    assert explain(p, q).cost == explain(q, p).cost == expected


def test_large_dimension_is_not_factored():
    """Whitening and eigenvalues only: the Cholesky factor is never asked for."""
    from kl_plugins import Isotropic, MultivariateNormal
    from kl_plugins.covariance.eigendecomposition import Eigendecomposition

    held = Eigendecomposition(np.linspace(1.0, 2.0, 300), np.eye(300))
    p, q = MultivariateNormal(np.ones(300), held), MultivariateNormal(np.zeros(300), Isotropic(1.5, dim=300))
    assert kl(p, q) > 0.0
    assert kl(q, p) > 0.0
    assert "factor" not in held.__dict__
