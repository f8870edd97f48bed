"""What estimate_kl takes: distributions of every library as they come, each judged by somebody else."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import stats

from kl_plugins import estimate_kl


def test_shared_parameters_may_change():
    """What is compiled stays; supports are looked at again."""
    high = pytensor.shared(1.0)
    p, q = pm.Uniform.dist(0.0, high), stats.uniform(0.0, 4.0)
    assert estimate_kl(p, q).value == pytest.approx(np.log(4.0))
    high.set_value(2.0)
    assert estimate_kl(p, q).value == pytest.approx(np.log(2.0))
    assert estimate_kl(q, p).value == np.inf
