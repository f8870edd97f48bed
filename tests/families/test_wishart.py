"""Wishart and inverse Wishart distributions."""

from inspect import signature

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from derivatives import gradient_error, symmetric
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.families.wishart import InverseWishart, Wishart
from kl_plugins.recognition import recognise

ROOT = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.6]])
SCALE = ROOT @ ROOT.T
OTHER = SCALE[::-1, ::-1] + 0.3 * np.eye(3)
BOTH = {"wishart": (stats.wishart, Wishart), "invwishart": (stats.invwishart, InverseWishart)}
both = pytest.mark.parametrize(("library", "family"), BOTH.values(), ids=BOTH)


def exact_divergence(n, p, m, q):
    """Of Wishart distributions with degrees of freedom n and m, by the textbook's formula."""
    with mp.workdps(60):
        p, q = mp.matrix(np.asarray(p).tolist()), mp.matrix(np.asarray(q).tolist())
        n, m, d = mp.mpf(float(n)), mp.mpf(float(m)), p.rows
        ratio = q**-1 * p
        trace = mp.fsum(ratio[i, i] for i in range(d))
        value = (n * (trace - d) - m * mp.log(mp.det(ratio))) / 2
        for i in range(d):
            a, b = (n - i) / 2, (m - i) / 2
            value += mp.loggamma(b) - mp.loggamma(a) + (a - b) * mp.psi(0, a)
        return value


def exact_of(family, n, p, m, q):
    if family is Wishart:
        return exact_divergence(n, p, m, q)
    with mp.workdps(60):
        inverses = [np.array((mp.matrix(np.asarray(scale).tolist()) ** -1).tolist()) for scale in (p, q)]
        return exact_divergence(n, inverses[0], m, inverses[1])


@both
@pytest.mark.parametrize(("df", "scale"), [(4.5, SCALE), (2.3, np.eye(2)), (1.5, 2.0)])
def test_the_statement_is_the_density(library, family, df, scale):
    frozen = library(df, scale)
    d = frozen.dim
    x = stats.wishart(d + 3, np.eye(d)).rvs(random_state=1).reshape(d, d)
    assert recognise(frozen).log_prob(x) == pytest.approx(frozen.logpdf(x), rel=1e-12)


@both
@pytest.mark.parametrize(("df", "scale"), [(5.5, SCALE), (9.0, np.eye(2) + 0.5), (3.5, 2.0)])
def test_the_entropy_is_the_mean_log_density(library, family, df, scale):
    """By simulation: SciPy's own is wrong for the inverses of matrices larger than 1 × 1 (1.18)."""
    frozen = library(df, scale)
    d = frozen.dim
    draws = stats.wishart(df, np.linalg.inv(np.atleast_2d(scale)) if family is InverseWishart else scale)
    draws = draws.rvs(40_000, random_state=2).reshape(-1, d, d)
    if family is InverseWishart:
        draws = np.linalg.inv(draws)
    losses = -recognise(frozen).log_prob(draws)
    assert abs(losses.mean() - entropy(frozen)) < 4.0 * losses.std() / 200.0


@pytest.mark.parametrize(("df", "scale"), [(5.5, SCALE), (2.3, np.eye(2) + 0.5), (3.5, 2.0)])
def test_the_entropy_is_that_of_the_library(df, scale):
    assert entropy(stats.wishart(df, scale)) == pytest.approx(stats.wishart(df, scale).entropy(), rel=1e-12)


def test_the_inverse_in_one_dimension():
    frozen, scalar = stats.invwishart(3.5, 2.0), stats.invgamma(1.75, scale=1.0)
    assert entropy(frozen) == pytest.approx(scalar.entropy(), rel=1e-12)
    both = kl(frozen, stats.invwishart(5.0, 3.0)), kl(scalar, stats.invgamma(2.5, scale=1.5))
    assert both[0] == pytest.approx(both[1], rel=1e-13)


def test_one_dimension_is_gamma():
    value = kl(stats.wishart(3.5, 2.0), stats.wishart(5.0, 3.0))
    assert value == pytest.approx(kl(stats.gamma(1.75, scale=4.0), stats.gamma(2.5, scale=6.0)), rel=1e-13)


@both
def test_by_simulation(library, family):
    p, q = family(7.0, SCALE), family(9.5, OTHER)
    draws = stats.wishart(7.0, SCALE if family is Wishart else np.linalg.inv(SCALE)).rvs(
        40_000, random_state=3
    )
    if family is InverseWishart:
        draws = np.linalg.inv(draws)
    ratios = p.log_prob(draws) - q.log_prob(draws)
    assert abs(ratios.mean() - kl(p, q)) < 4.0 * ratios.std() / 200.0


@both
def test_exactly_zero_at_equality(library, family):
    for df in (2.1, 5.0, 1e6):
        assert kl(library(df, SCALE), library(df, SCALE.copy())) == 0.0


dfs = st.floats(-6, 6).map(lambda x: 2.0 + 10.0**x)


@both
@given(dfs, dfs, st.floats(-5, 5))
def test_far_from_equal_at_extreme_parameters(library, family, n, m, log_factor):
    scale = 10.0**log_factor * OTHER
    exact = exact_of(family, n, SCALE, m, scale)
    assert kl(library(n, SCALE), library(m, scale)) == pytest.approx(float(exact), rel=1e-11, abs=1e-13)


@both
@given(dfs, st.floats(-9, -1), st.tuples(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 0.3, 1.0])))
def test_near_equal_at_extreme_parameters(library, family, n, log_step, steps):
    step = 10.0**log_step
    m = 2.0 + (n - 2.0) * (1.0 + step * steps[0])
    scale = SCALE * (1.0 + step * steps[1] * np.array([[1.0, 0.3, 0.0], [0.3, -1.0, 0.2], [0.0, 0.2, 0.5]]))
    exact = exact_of(family, n, SCALE, m, scale)
    value = kl(library(n, SCALE), library(m, scale))
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-5, abs=0.0)


@both
def test_scales_far_apart(library, family):
    big, small = 1e150 * np.eye(2), 1e-150 * np.eye(2)
    # ½ n d (−1 − ln ρ + …) is nothing beside the logarithm
    p, q = (small, big) if family is Wishart else (big, small)
    assert kl(library(4.0, p), library(4.0, q)) == pytest.approx(4.0 * (690.775527898 - 1.0), rel=1e-9)


@both
def test_batches(library, family):
    scales = np.stack([SCALE, OTHER])
    value = kl(family(np.array([[4.0], [5.0], [6.5]]), scales), family([3.5, 7.0], SCALE))
    assert value.shape == (3, 2)
    exact = exact_of(family, 6.5, OTHER, 7.0, SCALE)
    assert value[2, 1] == pytest.approx(float(exact), rel=1e-12)
    assert entropy(family(np.array([4.0, 5.0]), SCALE)).shape == (2,)


@both
def test_gradients(library, family):
    directions = [None, symmetric(3)]
    assert gradient_error(family, [4.5, SCALE], [5.3, OTHER], directions) < 1e-8


@both
def test_a_graph_that_knows_no_shapes(library, family):
    df, scale = pt.scalar("df", dtype="float64"), pt.matrix("scale", dtype="float64")
    divergence = kl(family(df, scale), family(6.0, OTHER))
    found = value([divergence, entropy(family(df, scale))], {df: 4.5, scale: SCALE})
    assert found[0] == pytest.approx(kl(family(4.5, SCALE), family(6.0, OTHER)), rel=1e-12)
    assert found[1] == pytest.approx(entropy(family(4.5, SCALE)), rel=1e-12)


@pytest.mark.filterwarnings("ignore:The Wishart distribution can currently not be used")
def test_random_variables():
    p, q = pm.Wishart.dist(5, SCALE), pm.Wishart.dist(7, OTHER)
    exact = float(exact_divergence(5, SCALE, 7, OTHER))
    assert value(kl(p, q)) == pytest.approx(exact, rel=1e-12)
    assert value(kl(p, stats.wishart(7, OTHER))) == pytest.approx(exact, rel=1e-12)
    if "scale_chol" in signature(pm.Wishart.dist).parameters:
        root = np.linalg.cholesky(OTHER)
        assert value(kl(p, pm.Wishart.dist(7, scale_chol=root))) == pytest.approx(exact, rel=1e-12)
    sized = pm.Wishart.dist(5, SCALE, size=(2,))
    np.testing.assert_allclose(value(kl(sized, q)), [exact, exact], rtol=1e-12)


@both
def test_bad_input(library, family):
    with pytest.raises(ValueError, match=r"df \(degrees of freedom\) must be greater than the matrices' dim"):
        family(2.0, SCALE)
    with pytest.raises(ValueError, match="scale must be symmetric"):
        family(5.0, ROOT)
    with pytest.raises(ValueError, match="scale must be square"):
        family(5.0, ROOT[:2])
    with pytest.raises(np.linalg.LinAlgError, match="scale must be positive definite"):
        family(5.0, -SCALE)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(family(5.0, SCALE), family(5.0, np.eye(2)))
    df = pt.scalar("df", dtype="float64")
    with pytest.raises(ValueError, match="q: df"):
        value(kl(family(5.0, SCALE), family(df, SCALE)), {df: 1.9})


def test_explained():
    explained = explain(stats.wishart(5, SCALE), stats.wishart(6, SCALE))
    assert (explained.p, explained.rule) == ("Wishart", "wishart_wishart")


CROSSED = {"of inverses": (Wishart, InverseWishart), "by inverses": (InverseWishart, Wishart)}
crossed = pytest.mark.parametrize(("first", "second"), CROSSED.values(), ids=CROSSED)


@crossed
def test_against_inverses_by_simulation(first, second):
    p, q = first(9.0, SCALE), second(6.5, OTHER)
    draws = stats.wishart(9.0, SCALE if first is Wishart else np.linalg.inv(SCALE)).rvs(
        40_000, random_state=4
    )
    if first is InverseWishart:
        draws = np.linalg.inv(draws)
    ratios = p.log_prob(draws) - q.log_prob(draws)
    assert abs(ratios.mean() - kl(p, q)) < 4.0 * ratios.std() / 200.0


@crossed
def test_against_inverses_in_one_dimension(first, second):
    def scalar(family, df, scale):
        if family is Wishart:
            return stats.gamma(df / 2, scale=2.0 * scale)
        return stats.invgamma(df / 2, scale=scale / 2.0)

    for n, m in ((5.5, 3.0), (2.1, 0.3), (2.0, 0.3)):
        value = kl(first(n, [[2.0]]), second(m, [[3.0]]))
        assert value == pytest.approx(kl(scalar(first, n, 2.0), scalar(second, m, 3.0)), rel=1e-12)
    assert value == np.inf
    assert np.isnan(kl(first(np.nan, [[2.0]]), second(3.0, [[3.0]])))


@crossed
def test_against_inverses_in_graphs(first, second):
    df, scale = pt.scalar("df", dtype="float64"), pt.matrix("scale", dtype="float64")
    graph = kl(first(df, scale), second(6.0, OTHER))
    found = value([graph, pt.grad(graph, df)], {df: 9.5, scale: SCALE})
    near = [kl(first(9.5 + step, SCALE), second(6.0, OTHER)) for step in (0.0, 1e-4, -1e-4)]
    assert found[0] == pytest.approx(near[0], rel=1e-12)
    assert found[1] == pytest.approx((near[1] - near[2]) / 2e-4, rel=1e-6)
