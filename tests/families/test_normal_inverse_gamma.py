"""Normal-inverse-gamma distributions of a mean and a variance."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from derivatives import gradient_error
from kl_plugins import entropy, explain, kl
from kl_plugins.families.normal_inverse_gamma import NormalInverseGamma
from kl_plugins.recognition import recognise


def exact_divergence(p, q):
    """E_p[log p − log q] of the natural statistics: log s², 1/s², x/s² and x²/s²."""
    with mp.workdps(60):
        (m, n, a, b), (mean, count, shape, scale) = ([mp.mpf(x) for x in side] for side in (p, q))
        log, inverse = mp.log(b) - mp.psi(0, a), a / b

        def normaliser(count, a, b):
            return a * mp.log(b) - mp.loggamma(a) + mp.log(count) / 2

        value = normaliser(n, a, b) - normaliser(count, shape, scale) + (shape - a) * log
        square = 1 / n + (m - mean) ** 2 * inverse  # E[(x − mean)²/s²]
        return float(value + (scale - b) * inverse + (count * square - 1) / 2)


CASES = {
    "apart": ((0.3, 2.0, 1.5, 0.7), (-1.0, 0.5, 4.0, 2.0)),
    "near": ((0.3, 2.0, 1.5, 0.7), (0.3 + 1e-8, 2.0 + 1e-7, 1.5 - 1e-7, 0.7 + 1e-7)),
    "large": ((1e3, 1e9, 1e8, 1e12), (1e3 + 1e-3, 2e9, 1.1e8, 1e12)),
    "small": ((0.0, 1e-8, 1e-3, 1e-9), (1.0, 1e-3, 0.2, 1e5)),
    "other scales alone": ((0.0, 1.0, 3.0, 1e-150), (0.0, 1.0, 3.0, 1e-149)),
}


@pytest.mark.parametrize(("p", "q"), CASES.values(), ids=CASES)
def test_divergence(p, q):
    found = kl(stats.normal_inverse_gamma(*p), stats.normal_inverse_gamma(*q))
    assert found == pytest.approx(exact_divergence(p, q), rel=1e-12)
    assert kl(NormalInverseGamma(*p), NormalInverseGamma(*p)) == 0.0


@pytest.mark.parametrize("p", [CASES["apart"][0], (1.0, 3.0, 30.0, 2.0)])
def test_the_statement_is_the_density_and_its_entropy(p):
    given = stats.normal_inverse_gamma(*p)
    assert recognise(given).log_prob(np.array([0.4, 1.3])) == pytest.approx(given.logpdf(0.4, 1.3), rel=1e-12)
    mean_log = np.log(p[3]) - float(mp.psi(0, p[2]))
    exact = stats.invgamma(p[2], scale=p[3]).entropy() + 0.5 * (np.log(2 * np.pi * np.e / p[1]) + mean_log)
    assert entropy(given) == pytest.approx(exact, rel=1e-11)


def test_batches():
    p = stats.normal_inverse_gamma([0.0, 1.0], 1.0, [[2.0], [3.0], [4.0]], 1.0)
    found = kl(p, stats.normal_inverse_gamma(0.0, 2.0, 1.5, 0.5))
    assert found.shape == (3, 2)
    assert found[2, 1] == kl(
        stats.normal_inverse_gamma(1.0, 1.0, 4.0, 1.0), stats.normal_inverse_gamma(0.0, 2.0, 1.5, 0.5)
    )
    assert explain(p, p).cost == "O(1)"


def test_gradients():
    assert gradient_error(NormalInverseGamma, *CASES["apart"]) < 1e-8


def test_bad_parameters():
    with pytest.raises(ValueError, match=r"count \(lmbda\) must be positive"):
        NormalInverseGamma(0.0, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(stats.normal_inverse_gamma(), stats.dirichlet([1.0, 2.0, 3.0]))
