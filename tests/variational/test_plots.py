"""Pictures: what is drawn is what was found."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import numpy as np
import pymc as pm
import pytest
from scipy import stats

from grounds import grounds
from kl_plugins.variational import diagnose, plot_convergence, plot_importance, plot_kl, plot_pair
from kl_plugins.variational.evidence.importance import importance
from kl_plugins.variational.evidence.moments import Estimate, MarginalKL, Moments
from kl_plugins.variational.report.grounds import Source
from kl_plugins.variational.report.pictures.pairs import worst_pair
from kl_plugins.variational.report.pictures.ratios import TITLES
from kl_plugins.variational.report.stopping import Look
from kl_plugins.variational.report.verdict import verdict_on
from kl_plugins.variational.report.wording import Finding

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def found():
    """Mean-field of three coordinates, the first and last correlated; with reference draws."""
    covariance = np.array([[1.0, 0.0, 0.8], [0.0, 1.0, 0.0], [0.8, 0.0, 1.0]])
    with pm.Model() as model:
        pm.MvNormal("x", np.zeros(3), cov=covariance)
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(3), covariance, (4, 500))
    return diagnose((np.zeros(3), [0.36, 1.0, 0.36]), {"x": draws}, model, draws=4_000, random_seed=1)


@pytest.fixture(scope="module")
def without_reference():
    with pm.Model() as model:
        pm.Normal("x", 0.0, 1.0)
    return diagnose(([0.3], [0.8]), model=model, draws=4_000, random_seed=1)


def monitor(**attributes):
    history = [
        Look(100, jeffreys=1.0, rhat=2.0, drift=3.0, to_optimum=np.nan),
        Look(200, jeffreys=0.1, rhat=1.2, drift=0.2, to_optimum=0.3),
        Look(400, jeffreys=0.005, rhat=1.01, drift=0.0, to_optimum=0.004),
    ]
    distance = SimpleNamespace(reached=True)
    seen = {"history": history, "tolerance": 0.01, "status": "converged", "distance": distance}
    return SimpleNamespace(**seen | attributes)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_convergence_shows_the_distance_the_tolerance_and_the_stop():
    ax = plot_convergence(monitor())
    away, moving, at_rest, _, ring = ax.lines
    assert (moving.get_markerfacecolor(), moving.get_xdata().tolist()) == ("w", [100, 200])
    assert (at_rest.get_markerfacecolor(), at_rest.get_xdata().tolist()) == ("C0", [400])
    assert labels(ax) == ["R̂ > 1.1", "R̂ ≤ 1.1"]
    np.testing.assert_array_equal(away.get_xdata(), [100, 200, 400])
    np.testing.assert_array_equal(away.get_ydata(), [np.nan, 0.3, 0.004])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_ylabel() == "Jeffreys divergence\nfrom the optimum (nats)"
    assert texts(ax) == ["", "tolerance 0.01", "stopped at 400, 0.004 nats away, R̂ 1.01"]
    assert ax.get_title() == "converged after 400 iterations"
    assert ring.get_xydata().tolist() == [[400, 0.004]]
    assert ring.get_markerfacecolor() == "none"  # the point inside is seen
    assert ax.get_ylim()[0] < 0.004


def test_convergence_of_several_fits_is_on_common_axes():
    late = monitor(history=[Look(800, 0.1, 1.0, 0.0, 5_123.0)], status="not stationary")
    ax = plot_convergence({"mean-field": monitor(), "full-rank": late})
    assert texts(ax)[-2:] == [
        "mean-field: stopped at 400, 0.004 nats away, R̂ 1.01",
        "full-rank: ended at 800, 5,100 nats away, R̂ 1",
    ]
    first, second = ax.texts[-2:]
    assert first.get_color() != second.get_color()
    assert first.get_position() != second.get_position()
    assert ax.get_title() == ""


def test_convergence_side_by_side_has_the_same_limits():
    late = monitor(history=[Look(800, 0.1, 1.0, 0.0, 5_123.0)], status="not stationary")
    given = matplotlib.pyplot.subplots(1, 2)[1]
    left, right = plot_convergence({"mean-field": monitor(), "full-rank": late}, given)
    assert (left, right) == tuple(given)
    assert (left.get_xlim(), left.get_ylim()) == (right.get_xlim(), right.get_ylim())
    assert left.get_title() == "mean-field: converged after 400 iterations"
    assert right.get_title() == "full-rank: not stationary after 800 iterations"
    assert [texts(ax)[-1].split()[0] for ax in (left, right)] == ["stopped", "ended"]
    with pytest.raises(ValueError, match="one of the axes for each fit: there are 2 for 1"):
        plot_convergence(monitor(), given)


def test_convergence_claims_no_more_than_was_seen():
    ended = plot_convergence(monitor(status="diverged"))
    assert ended.get_title() == "diverged, last look at 400 iterations"
    assert texts(ended)[-1].startswith("seen last at 400")
    rough = monitor(distance=SimpleNamespace(reached=False, sampling_error=0.5), status="not stationary")
    assert "0.004 nats away (optimum known to 0.5)" in texts(plot_convergence(rough))[-1]
    mixed = plot_convergence(
        {"a": monitor(), "b": monitor(history=[Look(100, 0.2, 2.0, 3.0, np.nan)], status="stationary")}
    )
    assert mixed.get_ylabel() == "Jeffreys divergence (nats)"
    assert {"distance from the optimum", "drift over the last half"} <= set(texts(mixed))


def test_convergence_without_an_optimum_is_drift_and_error():
    given = matplotlib.pyplot.subplots()[1]
    looks = [Look(100, 0.2, 2.0, 3.0, np.nan), Look(200, 0.1, 1.0, 0.0, np.nan)]
    assert plot_convergence(monitor(history=looks, status="stationary"), ax=given) is given
    drift, error = given.lines[0], given.lines[3]
    np.testing.assert_array_equal(drift.get_ydata(), [3.0, np.nan])  # zero has no logarithm
    np.testing.assert_array_equal(error.get_ydata(), [0.2, 0.1])
    assert given.get_ylabel() == "Jeffreys divergence (nats)"
    assert texts(given)[-1] == "stopped at 200, distance not computed, R̂ 1"
    assert "Monte Carlo error of the average" in texts(given)
    nothing = plot_convergence(monitor(history=[Look(100, 0.0, 1.0, 0.0, np.nan)], status="running"))
    assert texts(nothing)[-1] == "seen last at 100, distance not computed, R̂ 1"
    with pytest.raises(ValueError, match="history is empty"):
        plot_convergence(monitor(history=[]))


def test_convergence_without_an_optimum_has_an_upper_bound_where_the_fit_rests():
    looks = [Look(100, 0.2, 2.0, 3.0, np.nan), Look(200, 0.001, 1.0, 0.02, np.nan, 0.0123)]
    ax = plot_convergence(monitor(history=looks, status="stationary"))
    (bound,) = ax.containers
    assert bound.has_yerr
    assert bound[0].get_xydata().tolist() == [[200, 0.0123]]
    (arrow,) = bound[1]
    assert arrow.get_ydata()[0] < 0.0123
    assert "at most so far\nfrom the optimum" in texts(ax)
    assert texts(ax)[-1] == "stopped at 200, at most 0.013 nats away, R̂ 1"


@pytest.mark.slow
def test_divergences_are_sorted_and_faults_bold(found):
    ax = plot_kl(found)
    ticks = ax.get_yticklabels()
    assert ticks[0].get_text() == "x[1]"
    weights = {tick.get_text(): tick.get_fontweight() for tick in ticks}
    assert weights == {"x[0]": "bold", "x[1]": "normal", "x[2]": "bold"}
    shown = ax.containers[0].lines[0].get_xdata()
    order = [found.names.index(tick.get_text()) for tick in ticks]
    np.testing.assert_allclose(shown, found.marginal_kl.kl_to[order])
    total = found.marginal_kl.kl_to + found.marginal_kl.kl_from
    assert np.all(np.diff(total[order]) >= 0.0)
    assert "1 more" in plot_kl(found, most=2).get_title()


def test_importance_ratios_and_their_pareto_tail(found):
    ax = plot_importance(found)
    ratios, tail = ax.lines[0], ax.lines[1]
    assert len(ratios.get_xdata()) == 4_000
    assert np.all(np.diff(ratios.get_ydata()) <= 0.0)
    assert 150 < len(tail.get_xdata()) < 220  # 3 √S draws
    assert np.all(np.diff(tail.get_ydata()) <= 1e-12)
    inside = slice(20, None)
    np.testing.assert_allclose(
        tail.get_ydata()[inside], ratios.get_ydata()[: len(tail.get_ydata())][inside], atol=0.5
    )
    assert str(found.importance.k) in ax.get_title()


def test_the_worst_pair_and_its_ellipses(found):
    assert worst_pair(found) == (0, 2)
    ax = plot_pair(found)
    assert ax.get_title() == "the worst pair: ellipses of 50 % and 95 %"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[0]", "x[2]")
    assert labels(ax) == ["posterior by the reference draws", "best full-rank", "q, the approximation"]
    ellipse = ax.lines[-1].get_xydata()  # 95 % of the approximation
    whitened = np.sum(ellipse**2 / 0.36, axis=1)
    np.testing.assert_allclose(whitened, -2.0 * np.log(0.05), rtol=1e-9)
    other = plot_pair(found, ("x[1]", "x[2]"))
    assert other.get_title() == "ellipses of 50 % and 95 %"
    assert (other.get_xlabel(), other.get_ylabel()) == ("x[1]", "x[2]")
    with pytest.raises(ValueError, match=r"'y' is not a coordinate; there are x\[0\]"):
        plot_pair(found, ("y", "x[0]"))


@pytest.mark.parametrize("pair", [("x[0]", "x[0]"), "x[0]", ("x[0]",)])
def test_a_pair_is_two_coordinates(found, pair):
    with pytest.raises(ValueError, match=r"names of two coordinates, such as \('x\[0\]', 'x\[1\]'\), got"):
        plot_pair(found, pair)


def test_wrong_objects_and_no_coordinates(found):
    with pytest.raises(TypeError, match="takes a KLConvergence after a fit, got Diagnosis; a diagnosis has"):
        plot_convergence(found)
    for plot in (plot_kl, plot_importance, plot_pair):
        with pytest.raises(TypeError, match=r"takes what diagnose\(\.\.\.\) returns, got SimpleNamespace"):
            plot(monitor())
    with pytest.raises(ValueError, match="most is how many coordinates to show, at least 1, got 0"):
        plot_kl(found, most=0)
    with pytest.raises(ValueError, match="var_names is empty"):
        plot_kl(found, var_names=[])
    with pytest.raises(TypeError, match="var_names has to be names, got 42"):
        plot_kl(found, var_names=42)


def test_one_coordinate_and_no_reference(without_reference):
    assert len(without_reference.plot()) == 2
    with pytest.raises(ValueError, match="a pair needs two coordinates"):
        plot_pair(without_reference)
    gaussian = without_reference.posterior_gaussian()
    assert gaussian.mean[0] == pytest.approx(0.0, abs=0.05)
    assert gaussian.std[0] == pytest.approx(1.0, abs=0.05)


RIGHT = Moments.exact(np.zeros(1), np.ones(1))
NARROW = Moments.exact(np.zeros(1), np.full(1, 0.8))
EVEN = np.random.default_rng(1).normal(0.0, 0.2, 4_000)
UNEVEN = stats.genpareto(0.6).rvs(4_000, random_state=2)


@pytest.mark.parametrize(
    ("ratios", "k", "changes", "title"),
    [
        (EVEN, 0.1, {}, "k̂ = 0.100 ± 0.076 ≤ 0.70: weights can be used"),
        (EVEN, 0.7, {}, "k̂ = 0.700 ± 0.076 ≤ 0.70: weights are borderline"),
        (EVEN, 0.948, {}, "k̂ = 0.948 ± 0.076 > 0.70, but p/q is nearly constant: weights can be used"),
        (UNEVEN, 0.948, {}, "k̂ = 0.948 ± 0.076 > 0.70: weights cannot be used"),
        (0.0 * EVEN, 0.0, {}, "p/q is the same at all draws"),
        (0.0 * EVEN, 0.0, {"outside": "x < 0"}, "p/q is the same at all draws"),
        (EVEN, 0.1, {"missed": Estimate(0.5, 0.1)}, "≤ 0.70, but the draws miss a part of the posterior"),
        (EVEN, 0.1, {"moment_k": np.ones(1)}, "≤ 0.70, but weights cannot correct some sds"),
        (EVEN, 0.1, {"raw": NARROW, "weighted": NARROW}, "≤ 0.70, but weighted estimates are wrong"),
        (
            EVEN,
            0.1,
            {"raw": NARROW, "weighted": RIGHT._replace(mean_error=np.ones(1))},
            "≤ 0.70, but weighted estimates are not known well",
        ),
    ],
)
def test_titles_follow_from_the_evidence_of_the_verdict(without_reference, ratios, k, changes, title):
    ratios = importance(ratios, np.random.default_rng(1))
    own = replace(ratios, k=Estimate(k, 0.076 if k else 0.0), threshold=0.7)
    facts = {
        "names": ("x",),
        "raw": RIGHT,
        "weighted": RIGHT,
        "moment_k": np.zeros(1),
        "truth": RIGHT,
        "source": Source.HEAVY_TAILED,
        "importance": own,
        "missed": Estimate(0.0, 0.1),
    }
    verdict = verdict_on(grounds(**facts | changes))
    assert len(verdict.findings) == len(verdict.reasons)
    drawn = plot_importance(replace(without_reference, importance=own, verdict=verdict)).get_title()
    assert " ".join(drawn.split()).endswith(title)


def test_every_finding_about_ratios_has_a_title():
    ratios = {finding for finding in Finding if finding.value.startswith("importance ratios")}
    assert set(TITLES) == ratios


def test_draws_where_the_posterior_has_no_mass_are_not_drawn(without_reference):
    ratios = without_reference.importance.log_ratios.copy()
    ratios[:50] = -np.inf
    own = importance(ratios, np.random.default_rng(1))
    ax = plot_importance(replace(without_reference, importance=own))
    assert np.isfinite(ax.get_ylim()).all()


def test_both_directions_are_seen_where_they_agree(found):
    same = found.marginal_kl._replace(kl_from=found.marginal_kl.kl_to)
    there, back = (container.lines[0] for container in plot_kl(replace(found, marginal_kl=same)).containers)
    np.testing.assert_array_equal(there.get_xdata(), back.get_xdata())
    assert np.all(there.get_ydata() - back.get_ydata() > 0.2)


def test_errors_that_are_not_known_are_not_drawn_as_none(found):
    unknown = np.full(3, np.inf)
    marginal = found.marginal_kl._replace(kl_to_error=unknown)
    ax = plot_kl(replace(found, marginal_kl=marginal))
    assert "KL(q‖posterior), error not known" in labels(ax)
    assert "KL(posterior‖q), error not known" not in labels(ax)
    nothing = MarginalKL(np.full(3, np.nan), unknown, np.full(3, np.nan), unknown)
    ax = plot_kl(replace(found, marginal_kl=nothing))
    ax.figure.canvas.draw()
    assert ax.get_title() == "posterior not known by the reference draws"


def test_all_of_it(found):
    axes = found.plot()
    assert len(axes) == 3
    assert axes[0].figure.get_suptitle().startswith("Do not trust it:")
