"""Reports in notebooks: everything is escaped, and says what the text says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import KLEstimate, estimate_kl, explain
from kl_plugins.estimate.result import Method
from kl_plugins.html import AMBER, GREEN, RED, block, coloured, folded, listed, paragraph, table
from pages import texts_of

BAD = "<script>alert('x & y')</script>"


@pytest.mark.parametrize(
    "made",
    [
        block(BAD),
        paragraph(BAD),
        coloured(BAD, RED),
        listed([BAD]),
        table([[BAD]]),
        table([], [BAD]),
        folded(BAD),
        folded("", BAD),
        block(paragraph(coloured(BAD, GREEN)), folded(BAD, table([[BAD]], [BAD]))),
    ],
)
def test_text_is_escaped_once(made):
    texts = texts_of(made)
    assert set(texts) == {BAD}


def test_an_explanation_is_a_table():
    found = explain(stats.norm(), stats.norm(1.0))
    assert texts_of(found._repr_html_())[1:] == [
        *("p", found.p, "q", found.q, "rule", found.rule, "cost", found.cost)
    ]
    assert BAD in texts_of(replace(found, rule=BAD)._repr_html_())


def test_an_estimate_says_how_far_it_can_be_relied_on():
    found = estimate_kl(stats.norm(), stats.cauchy())
    page = found._repr_html_()
    assert GREEN in page
    how = f"By quadrature, with {found.n:,d} evaluations of the pair of densities. The error is a bound"
    assert texts_of(page)[-1].startswith(how)
    assert "KL(p‖q) = 0.25924453" in page
    page = replace(found, value=0.5, error=np.inf, converged=False)._repr_html_()
    assert texts_of(page)[:2] == ["KL(p‖q) = 0.5 (error not known) nats: ", "not converged"]
    assert AMBER in page
    assert "KL(p‖q) = inf nats: " in estimate_kl(stats.cauchy(), stats.norm())._repr_html_()


def test_a_batch_of_estimates_is_a_table_with_an_end():
    value = np.arange(30.0).reshape(15, 2)
    batch = KLEstimate(value, 0.1 * value, Method.MONTE_CARLO, 1_000, value < 29.0)
    texts = texts_of(batch._repr_html_())
    assert texts[0] == "30 estimates, 29 of them converged"
    assert texts.count("converged") == 20
    assert "9, 1" in texts
    assert "10, 0" not in texts
    assert "and 10 more" in texts


def test_labels_of_a_batch_are_its_places():
    mean = xr.DataArray([0.0, 1.0], dims="school", coords={"school": [BAD, "B"]})
    scale = xr.DataArray([1.0, 2.0], dims="z")
    texts = texts_of(estimate_kl(stats.norm(mean, scale), stats.cauchy())._repr_html_())
    assert texts[1:4] == ["school", "z", "KL(p‖q) (nats)"]
    assert [texts.count(one) for one in (BAD, "B")] == [2, 2]
