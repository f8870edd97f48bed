"""Words and signs beside limits: they follow from the numbers, and from these as they are printed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from kl_plugins.variational.evidence.importance import importance
from kl_plugins.variational.evidence.moments import Estimate, Moments, compare_moments
from kl_plugins.variational.report.formatting import against_limit, khat_against_threshold, rounded_up

NUMBERS = st.floats(1e-12, 1e12)


@given(NUMBERS, st.floats(-1e-3, 1e-3), st.sampled_from([2, 3]))
def test_what_is_printed_has_the_order_of_the_numbers(limit, off, digits):
    value = limit * (1.0 + off)
    found = against_limit(value, limit, digits)
    assert found.above == (value > limit)
    assert (float(found.value) > float(found.limit)) == found.above
    assert str(found).split()[1] == (">" if value > limit else "≤")


@given(st.floats(-0.5, 2.0), st.floats(1e-4, 2.0) | st.just(np.inf), st.floats(0.5, 0.7))
def test_khat_and_its_threshold(k, error, threshold):
    assume(abs(k - threshold) > 1e-12 or k == threshold)
    found = khat_against_threshold(SimpleNamespace(k=Estimate(k, error), threshold=threshold))
    assert found.above == (k > threshold)
    assert (float(found.value.split()[0]) > float(found.limit)) == found.above


def test_an_error_that_is_next_to_nothing_is_told_by_its_exponent():
    assert str(Estimate(1054.28597223, 6.6e-14)) == "1054.286 ± 7e-14"


def test_ratios_without_a_tail_do_not_make_khat_small():
    """What weights may be used for is another question than on which side of the threshold k̂ is."""
    rng = np.random.default_rng(0)
    x = 1.3 * rng.standard_normal(4_000)
    found = importance(stats.t(2.0).logpdf(x) - stats.norm(0.0, 1.3).logpdf(x), rng)
    assert found.reliable
    assert found.k.value > found.threshold
    assert str(khat_against_threshold(found)) == f"{found.k} > 0.70"


@given(NUMBERS)
def test_bounds_are_rounded_up(value):
    shown = float(rounded_up(value))
    assert value <= shown <= 1.11 * value


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (0.00454, "0.0046"), (0.1, "0.1"), (np.inf, "inf")])
def test_bounds_as_text(value, text):
    assert rounded_up(value) == text


@pytest.mark.parametrize(("shift", "faulty", "right"), [(0.1, 0, True), (0.15, 0, False), (0.3, 1, False)])
def test_right_to_the_tolerance_is_not_beyond_it(shift, faulty, right):
    """An error of 0.15 ± 0.05 is not seen to be beyond 0.1, and not seen to be within."""
    truth = Moments(np.zeros(1), np.ones(1), np.full(1, 0.05), np.full(1, 0.01))
    found = compare_moments(["x"], Moments.exact(np.full(1, shift), np.ones(1)), truth, 0.1)
    assert (len(found.discrepancies), found.right) == (faulty, right)
