"""Pairs that are estimated: values repeat, and those that are not to be relied on are counted."""

import warnings

import numpy as np
import pytest
from scipy import stats

from kl_plugins import EstimateWarning, NoClosedFormWarning, estimate_kl, independent, pairwise_kl


class Own(type(stats.multivariate_t([0.0, 0.0]))):
    """A subclass may have another density: it has no closed forms."""


PLANES = {
    "normal": stats.multivariate_normal([0.0, 0.0]),
    "Cauchy": Own([0.0, 0.0], df=1),
}


def test_doubtful_estimates_are_counted_and_values_repeat():
    said = r"^2 of 4 pairs are estimates .* row 'normal', .* column 'Cauchy', .*a few draws dominate"
    with pytest.warns(EstimateWarning, match=said) as told:
        table = pairwise_kl(PLANES, estimate=True, random_state=1)
    assert [one.filename for one in told] == [__file__]
    with pytest.warns(EstimateWarning, match=r"^2 of 4 pairs are estimates .* row 0"):
        listed = pairwise_kl(list(PLANES.values()), estimate=True, random_state=1)
    np.testing.assert_array_equal(listed, table)
    for p, q in (("normal", "Cauchy"), ("Cauchy", "normal")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimateWarning)
            found = estimate_kl(PLANES[p], PLANES[q], random_state=1)
        assert table.sel(p=p, q=q) == found.value
    with pytest.raises(ValueError, match=r"^random_state must be"):
        pairwise_kl(PLANES, random_state=-1)


def test_what_cannot_be_estimated_is_nan_and_counted():
    planes = {
        "a": independent(stats.t([3.0, 4.0])),
        "b": stats.multivariate_normal(cov=[[2.0, 1.0], [1.0, 2.0]]),
    }
    with pytest.warns(
        NoClosedFormWarning, match=r"^\d of 4 pairs .* cannot be estimated. The first: row 'a'"
    ):
        table = pairwise_kl(planes, estimate=True)
    assert np.isnan(table.sel(p="a", q="b"))
    assert table.sel(p="a", q="a") == 0.0


def test_members_of_a_batch_are_estimated_beside_a_list():
    skew = stats.skewnorm(2.0)
    table = pairwise_kl(stats.norm([0.0, 1.0], 1.0), [skew], estimate=True)
    expected = [estimate_kl(stats.norm(m), skew).value for m in (0.0, 1.0)]
    np.testing.assert_allclose(table[:, 0], expected, rtol=1e-12)
