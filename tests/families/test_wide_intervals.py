"""Bounded variables far wider than the other side, or far narrower than the normal that they are part of."""

import pytest
from scipy import stats

from enclosures.rows import Row, distribution, enclosed, side
from kl_plugins import kl

PAIRS = [
    ("uniform", [-1e200, 3e200], "laplace", [0.0, 1.0]),
    ("triang", [0.3, 0.0, 1e200], "cauchy", [0.0, 1.0]),
    ("triang", [0.3, 0.0, 1e200], "gamma", [2.0, 0.0, 1.0]),
    ("triang", [0.3, -1e200, 3e200], "laplace", [0.0, 1.0]),
    ("triang", [0.3, 0.0, 1e160], "lognorm", [2.0, 0.0, 1.0]),
    ("truncnorm", [-1e-3, 1e-3, 0.5, 300.0], "gumbel_r", [0.0, 1.0]),
    ("truncnorm", [-1e-3, 2e-3, 0.5, 300.0], "gumbel_l", [0.0, 1.0]),
    ("truncnorm", [-40.0, 1e-3, 0.5, 3.0], "gumbel_r", [0.0, 1.0]),
    ("truncnorm", [-2.0, 9.0, 0.5, 3.0], "gumbel_r", [0.0, 1.0]),
]


@pytest.mark.parametrize(("p", "p_numbers", "q", "q_numbers"), PAIRS)
def test_divergences_are_the_enclosed_ones(p, p_numbers, q, q_numbers):
    row = Row(side(p, p_numbers), side(q, q_numbers))
    assert kl(*map(distribution, row.pair)) == pytest.approx(float(enclosed(row)), rel=1e-14)


def test_an_end_whose_power_is_beyond_the_floats_is_refused():
    with pytest.raises(ValueError, match=r"p: b must have a power, b \*\* c, within the floats"):
        kl(stats.truncweibull_min(500.0, 0.0, 5.0), stats.truncweibull_min(2.0, 0.0, 3.0))
