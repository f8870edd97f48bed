"""Student's t and Cauchy variables, whole and halved."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from family_graphs import errors_of_graph
from family_oracle import divergence, diverges, expectation_of, statement_error
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.statements import expectation
from kl_plugins.families.core.statistics import Absolute, Identity, Log, Log1pSquare, LogSquare, Power, Square
from kl_plugins.families.half_student_t import HalfStudentT
from kl_plugins.ops import numpy as ops

WHOLE = {
    "cauchy": stats.cauchy(0.3, 1.2),
    "t, df 3.5": stats.t(3.5, 0.3, 1.2),
    "t, df 1.5": stats.t(1.5, -0.1, 0.7),
    "t, df 40": stats.t(40.0, 0.0, 2.0),
}
HALF = {"halfcauchy": stats.halfcauchy(0, 1.3), "of scale 0.6": stats.halfcauchy(0, 0.6)}
ALL = WHOLE | HALF


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-12)


@pytest.mark.parametrize("df", [1e3, 1e6, 1e12])
def test_the_entropy_of_many_degrees_of_freedom(df):
    with mp.workdps(60):
        nu = mp.mpf(df)
        exact = (nu + 1) / 2 * (mp.psi(0, (nu + 1) / 2) - mp.psi(0, nu / 2))
        exact += mp.log(nu) / 2 + mp.log(mp.beta(nu / 2, mp.mpf(1) / 2))
    assert entropy(stats.t(df)) == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("statistic", [Log1pSquare(), Absolute()])
def test_expectations_of_whole_variables(statistic):
    names = ["t, df 3.5", "t, df 40"] + ["cauchy"] * isinstance(statistic, Log1pSquare)
    for name in names:
        stated, exact = expectation_of(ALL[name], statistic)
        assert stated == pytest.approx(exact, rel=1e-6)
    assert expectation_of(ALL["t, df 3.5"], Identity(), 0.3, 1.2)[0] == 0.3


@pytest.mark.parametrize(("shift", "ratio"), [(0.3, 0.8), (-2.0, 5.0), (30.0, 0.1), (0.4, -0.6)])
def test_the_logarithm_under_cauchy_variables(shift, ratio):
    stated, exact = expectation_of(ALL["cauchy"], Log1pSquare(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    "statistic", [Log(), LogSquare(), Log1pSquare(), Power(0.4), Power(-0.7)], ids=lambda s: s.text
)
def test_expectations_of_half_cauchy_variables(statistic):
    stated, exact = expectation_of(ALL["halfcauchy"], statistic, ratio=1.3)
    assert stated == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("statistic", [Identity(), Square(), Log(), LogSquare(), Power(0.4), Power(-0.7)])
@pytest.mark.parametrize("df", [2.5, 7.0])
def test_expectations_of_half_t_variables(statistic, df):
    p = HalfStudentT(df, 0.0, 1.0)
    stated = expectation(p, statistic, AffineMap(p.ops, 0.0, 1.3))
    constant, ((c, own),) = p.to_arrays().log_density()

    def weighted(u):  # z = u / (1 − u), so that tails count in full
        z = u / (1.0 - u)
        return np.exp(constant + c * own(z, ops)) * statistic(1.3 * z, ops) / (1.0 - u) ** 2

    exact = (
        integrate.quad(weighted, 0, 0.5, epsabs=1e-12)[0] + integrate.quad(weighted, 0.5, 1, epsabs=1e-12)[0]
    )
    assert stated == pytest.approx(exact, rel=1e-5)
    assert expectation(p, Power(df), AffineMap(p.ops, 0.0, 1.3)) == np.inf
    assert expectation(p, Power(-1.0), AffineMap(p.ops, 0.0, 1.3)) == np.inf


OTHERS = {
    "norm": stats.norm(0.3, 2),
    "laplace": stats.laplace(0.3, 1.2),
    "laplace_asymmetric": stats.laplace_asymmetric(0.4, 0.3, 1.2),
    "logistic": stats.logistic(0.3, 1.2),
    "gumbel_l": stats.gumbel_l(0, 1),
    "gumbel_r": stats.gumbel_r(0, 1),
    "gamma": stats.gamma(2.0, scale=2.0),
    "lognorm": stats.lognorm(0.8),
    "invgamma": stats.invgamma(2.3),
}
PAIRS = [("cauchy", q) for q in (*WHOLE, *OTHERS)]
PAIRS += [("t, df 3.5", q) for q in ("norm", "laplace", "gumbel_l", "gumbel_r", "laplace_asymmetric")]
PAIRS += [("t, df 1.5", "norm"), ("t, df 40", "norm")]
PAIRS += [(p, q) for p in HALF for q in (*HALF, "norm", "laplace", "gamma", "lognorm", "invgamma")]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_pairs_against_quadrature(p, q):
    p, q = ALL[p], (ALL | OTHERS)[q]
    value = kl(p, q)
    if np.isinf(value):
        with np.errstate(all="ignore"):
            assert p.support()[0] < q.support()[0] or diverges(p, q)
    else:
        assert value == pytest.approx(divergence(p, q), rel=1e-7, abs=1e-12)


scales = st.floats(-150, 150).map(lambda x: 10**x)


def exact_cauchy(p, q):
    with mp.workdps(400):
        (m, s), (n, t) = (tuple(map(mp.mpf, map(float, side))) for side in (p, q))
        return mp.log1p(((s - t) ** 2 + (m - n) ** 2) / (4 * s * t))


@given(scales, scales, st.floats(-150, 150).map(lambda x: 10**x))
def test_cauchy_variables_at_extreme_parameters(s, t, shift):
    found = kl(stats.cauchy(shift, s), stats.cauchy(0.0, t))
    assert found == pytest.approx(float(exact_cauchy((shift, s), (0.0, t))), rel=1e-12)
    assert kl(stats.cauchy(0.0, t), stats.cauchy(shift, s)) == pytest.approx(found, rel=1e-14)
    assert kl(stats.halfcauchy(5.0, s), stats.halfcauchy(5.0, t)) == kl(
        stats.cauchy(0, s), stats.cauchy(0, t)
    )


@given(scales, st.floats(-13, -1), st.tuples(*[st.floats(-1, 1)] * 2))
def test_near_equal_cauchy_variables(s, log_step, steps):
    q = 10**log_step * steps[0] * s, s * (1 + 10**log_step * steps[1])
    exact = exact_cauchy((0.0, s), q)
    assert kl(stats.cauchy(0.0, s), stats.cauchy(*q)) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_exactly_zero_at_equality(frozen):
    assert kl(frozen, frozen) == 0.0


def test_the_same_distribution_under_two_names():
    assert kl(stats.t(1.0, 0.3, 2.0), stats.cauchy(0.3, 2.0)) == 0.0
    assert kl(stats.t(np.inf, 0.3, 2.0), stats.norm(0.3, 2.0)) == 0.0
    halved = kl(pm.HalfStudentT.dist(nu=np.inf, sigma=2.0), pm.HalfNormal.dist(2.0))
    assert halved.eval(mode="FAST_COMPILE") == 0.0
    assert kl(pm.HalfStudentT.dist(1, 2.0), stats.halfcauchy(0.0, 2.0)).eval() == 0.0


def test_moments_and_supports():
    df = np.array([0.5, 1.0, 2.0, 2.5])
    assert np.isinf(kl(stats.t(df), stats.norm())).tolist() == [True, True, True, False]
    assert np.isinf(kl(stats.t(df), stats.laplace())).tolist() == [True, True, False, False]
    assert kl(stats.halfcauchy(), stats.halfcauchy(1.0)) == np.inf
    assert kl(stats.cauchy(), stats.halfcauchy()) == np.inf
    assert kl(stats.halfcauchy(), stats.gumbel_l()) == np.inf
    assert kl(stats.halfcauchy(), stats.cauchy(0.0, 2.0)) == pytest.approx(
        np.log(2) + kl(stats.cauchy(), stats.cauchy(0.0, 2.0)), rel=1e-14
    )


def test_other_pairs_have_no_closed_form():
    with pytest.raises(NoClosedFormError, match=r"p: scipy.stats.laplace\(\) and q: scipy.stats.cauchy"):
        kl(stats.laplace(), stats.cauchy())
    with pytest.raises(NoClosedFormError, match="log z"):
        explain(stats.halfcauchy(1.0), stats.gamma(2.0))


def test_batches():
    found = kl(stats.cauchy([[0.0], [np.nan]], [1.0, 2.0]), stats.cauchy())
    assert found.shape == (2, 2)
    assert found[0] == pytest.approx([0.0, np.log(9 / 8)])
    assert np.isnan(found[1]).all()
    same = kl(stats.t([3.0, 4.0, np.nan]), stats.t([3.0, 4.0, 5.0]))
    assert same[:2].tolist() == [0.0, 0.0]
    assert np.isnan(same[2])
    assert kl(stats.cauchy([0.0, 1.0]), stats.norm()).tolist() == [np.inf, np.inf]


@pytest.mark.slow
def test_graphs_and_their_gradients():
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.Cauchy.dist(a, b), pm.Cauchy.dist(c, d)),
        lambda a, b, c, d: (stats.cauchy(a, b), stats.cauchy(c, d)),
        (0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-7
    errors = errors_of_graph(
        lambda a, b: (pm.HalfCauchy.dist(a), pm.HalfCauchy.dist(b)),
        lambda a, b: (stats.halfcauchy(0, a), stats.halfcauchy(0, b)),
        (0.3, 1.2),
    )
    assert errors.max() < 1e-7
    errors = errors_of_graph(
        lambda df, a, b, c, d: (pm.StudentT.dist(nu=df, mu=a, sigma=b), pm.Normal.dist(c, d)),
        lambda df, a, b, c, d: (stats.t(df, a, b), stats.norm(c, d)),
        (3.7, 0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda a, b, c, df, d: (pm.Cauchy.dist(a, b), pm.StudentT.dist(nu=df, mu=c, sigma=d)),
        lambda a, b, c, df, d: (stats.cauchy(a, b), stats.t(df, c, d)),
        (0.3, 1.2, -0.5, 2.7, 0.7),
    )
    assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda a, b, c: (pm.HalfCauchy.dist(a), pm.LogNormal.dist(b, c)),
        lambda a, b, c: (stats.halfcauchy(0, a), stats.lognorm(c, 0, np.exp(b))),
        (0.3, 1.2, 0.8),
    )
    assert errors.max() < 1e-6
    df = pt.dscalar("df")
    p = pm.HalfStudentT.dist(df, 1.5)
    assert value(kl(p, p), {df: 3.0}) == 0.0
    assert value(kl(p, pm.HalfNormal.dist(2.0)), {df: 2.0}) == np.inf
    finite = value(kl(p, pm.HalfNormal.dist(2.0)), {df: 5.0})
    assert finite == pytest.approx(kl(stats.t(5.0, 0.0, 1.5), stats.norm(0.0, 2.0)), rel=1e-6)
