"""Parameters that PyTensor computes in few digits are computed again in as many as the divergence has."""

import pymc as pm
import pytest
from scipy import stats

from kl_plugins import kl

PAIRS = [
    (lambda: pm.Gamma.dist(2, 3), stats.gamma(2, scale=1 / 3)),
    (lambda: pm.Normal.dist(0, tau=3), stats.norm(0, 3**-0.5)),
    (lambda: pm.Exponential.dist(3.0), stats.expon(scale=1 / 3)),
    (lambda: pm.Weibull.dist(3, 7), stats.weibull_min(3, scale=7)),
]


@pytest.mark.parametrize(("make", "frozen"), PAIRS)
def test_constants_have_all_their_digits(make, frozen):
    assert kl(make(), frozen).eval(mode="FAST_COMPILE") < 1e-30
