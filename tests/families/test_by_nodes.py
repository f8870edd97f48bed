"""Pairs that are sums over fixed nodes; what they are was enclosed with Arb, to 20 digits and more."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.pytensorf import rewrite_pregrad
from scipy import stats

from graphs import value
from kl_plugins import NoClosedFormError, explain, kl
from kl_plugins.families.beta import Beta
from kl_plugins.families.core.by_nodes import QUADRATURE
from kl_plugins.families.half_student_t import HalfCauchy, HalfStudentT
from kl_plugins.formulas import fixed_nodes

T = [
    ((3.0, 0.0, 1.0), (7.0, 1.0, 2.0), 0.2861646450083818),
    ((30.0, 0.25, 0.5), (1.5, 0.0, 1.0), 0.5349998615335219),
    ((1e6, 0.0, 1.0), (2.0, 0.0, 1.0), 0.11722808554301983),
    ((5.0, 0.0, 1.0), (1e6, 0.0, 1.0), 0.1247640571611147),
    ((3.0, 0.0, 1.0), (3.0, 0.0, 1e8), 17.648092021712586),
    ((3.0, 1e8, 1.0), (3.0, 0.0, 1.0), 70.71290967623347),
    ((3.0, 0.0, 1e8), (3.0, 0.0, 1.0), 50.48945358961731),
    ((0.5, 0.0, 1.0), (2.0, 3.0, 1.0), 1.9262957831233407),
    ((2.0, 3.0, 1.0), (0.25, 0.0, 1.0), 1.7717621602761646),
    ((0.25, 0.0, 1.0), (0.2, 0.0, 1.0), 0.018941712343286517),
    ((2.0, 1e8, 1.0), (1.0, 0.0, 1e-8), 54.44649288854641),
    ((0.5, 1e6, 1e-3), (1e3, 0.0, 10.0), 8073.601622066865),
    # neighbours
    ((1e6, 0.0, 1.0), (1e5, 0.0, 1.0), 1.417416981032437e-10),
    ((1e6, 0.0, 1.0), (1e6 + 1.0, 0.0, 1.0), 1.7499900000486663e-24),
    ((4.0, 0.0, 1.0), (4.0 + 1e-10, 0.0, 1.0), 3.2506108098770404e-23),
    ((4.0, 0.0, 1.0), (4.0, 1e-10, 1.0), 3.571428571428572e-21),
    ((4.0, 0.0, 1.0), (4.0, 0.0, 1.0 + 2.0**-33), 7.744301230937416e-21),
]
"""(df, loc, sigma) of p and of q, and the divergence."""


def test_student_t_variables():
    p, q, exact = (np.array(column) for column in zip(*T, strict=True))
    found = kl(stats.t(*p.T), stats.t(*q.T))
    assert found == pytest.approx(exact, rel=2e-14)
    assert kl(stats.t(*p[0]), stats.t(*q[0])) == found[0]


def test_student_t_variables_against_closed_forms():
    cauchy = kl(stats.cauchy(0.3, 2.0), stats.cauchy([-1.0, 1e7], [1e-6, 3.0]))
    found = kl(stats.t(1.0 + 1e-15, 0.3, 2.0), stats.t([1.0, 1.0], [-1.0, 1e7], [1e-6, 3.0]))
    assert found == pytest.approx(cauchy, rel=1e-13)
    to_cauchy = kl(stats.t(1.0 + 1e-15, 0.3, 2.0), stats.cauchy([-1.0, 1e7], [1e-6, 3.0]))
    assert to_cauchy == pytest.approx(cauchy, rel=1e-13)
    to_t = kl(stats.cauchy(0.3, 2.0), stats.t(4.5, 1.0, 0.7))
    assert kl(stats.t(1.0 + 1e-15, 0.3, 2.0), stats.t(4.5, 1.0, 0.7)) == pytest.approx(to_t, rel=1e-13)


def test_halves_of_student_t_variables():
    p, q = HalfStudentT(3.0, 0.5, 1.0), HalfStudentT(7.0, 0.5, 2.0)
    assert kl(p, q) == pytest.approx(kl(stats.t(3.0, 0.0, 1.0), stats.t(7.0, 0.0, 2.0)), rel=1e-15)
    to_cauchy = kl(stats.t(3.0, 0.0, 1.0), stats.cauchy(0.0, 2.0))
    assert kl(p, HalfCauchy(0.5, 2.0)) == pytest.approx(to_cauchy, rel=1e-15)
    with pytest.raises(NoClosedFormError):
        kl(HalfStudentT(3.0, 0.5, 1.0), HalfStudentT(7.0, 0.0, 2.0))


def test_equal_student_t_variables_and_nan():
    p = stats.t([0.05, 3.0, 1e7, np.nan], [0.0, 1e9, -2.0, 0.0], [1e-9, 1.0, 1e9, 1.0])
    found = kl(p, p)
    assert found[:3].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found[3])
    assert np.isnan(kl(stats.t(3.0), stats.t(4.0, [np.nan], 2.0))).all()
    assert kl(stats.t(np.float32([3.0])), stats.t(np.float32([4.0]))).dtype == np.float32


def test_parts_of_a_batch_have_the_same_bits():
    df = np.linspace(0.5, 60.0, 50)
    found = kl(stats.t(df[:, None]), stats.t([2.0, 9.0], 0.1, 2.0))
    assert found.shape == (50, 2)
    assert kl(stats.t(df[37]), stats.t(9.0, 0.1, 2.0)) == found[37, 1]


def test_what_the_nodes_do_not_resolve_is_refused():
    assert explain(stats.t(3.0), stats.t(4.0)).cost == QUADRATURE
    for p in (stats.t(0.001), stats.t(3.0, 1e17), stats.t(3.0, 0.0, 1e17)):
        with pytest.raises(NoClosedFormError, match=r"quadrature is for .*estimate_kl"):
            kl(p, stats.t(4.0))


@pytest.fixture
def few_nodes(monkeypatch):
    """A rule of some digits, as Python takes node by node."""
    monkeypatch.setattr(fixed_nodes, "_PLACES", (2.0 * np.arange(64) - 63.0) / 64)
    monkeypatch.setattr(fixed_nodes, "_STEP", 2.0 / 64)


def test_graphs(few_nodes):
    df = pt.dvector("df")
    p, q = pm.StudentT.dist(nu=df, mu=0.25, sigma=0.5), pm.StudentT.dist(nu=1.5, mu=0.0, sigma=1.0)
    exact = kl(stats.t([30.0, 0.7], 0.25, 0.5), stats.t(1.5))
    assert value(kl(p, q), {df: [30.0, 0.7]}) == pytest.approx(exact, rel=1e-13)
    with pytest.raises(ValueError, match="quadrature is for"):
        value(kl(p, q), {df: [30.0, 0.001]})


OTHERS = [
    ("stats.logistic(0.0, 1.0)", "stats.logistic(1.0, 2.0)", 0.31721760466249194),
    ("stats.logistic(0.0, 1.0)", "stats.logistic(30.0, 1e-3)", 29991.092244721203),
    ("stats.logistic(0.0, 1e-6)", "stats.logistic(0.5, 1.0)", 13.263664526325261),
    ("stats.logistic(0.0, 1.0)", "stats.logistic(0.0, 1.0 + 2.0**-33)", 9.689759061418653e-21),
    ("stats.hypsecant(0.0, 1.0)", "stats.hypsecant(1.0, 2.0)", 0.3255720735261324),
    ("stats.logistic(0.0, 1.0)", "stats.hypsecant(1.0, 2.0)", 0.2267065927187266),
    ("stats.hypsecant(0.0, 1.0)", "stats.logistic(0.25, 0.5)", 0.27273343254608345),
    ("stats.fisk(2.0)", "stats.fisk(4.0)", 0.44844547302984794),
    ("stats.lomax(3.0, 5.0, 1.0)", "stats.lomax(0.5, 5.0, 2.0)", 1.441294087294585),
    ("stats.lomax(3.0, scale=1.0)", "stats.lomax(3.0, scale=1e6)", 12.482179224628942),
    ("stats.betaprime(3.0, 4.0)", "stats.betaprime(0.5, 40.0, scale=8.0)", 3.2866122914568416),
    ("stats.betaprime(3.0, 4.0)", "stats.betaprime(3.0, 4.0, scale=1.0 + 2.0**-33)", 1.0164395365824487e-20),
    ("stats.lomax(2.0)", "stats.betaprime(1.5, 3.0, scale=2.0)", 0.23233401096236725),
    ("stats.betaprime(1.5, 3.0, scale=2.0)", "stats.lomax(2.0)", 0.182625609459359),
    ("Beta(1.0, 3.0, power=2.0)", "stats.beta(2.0, 3.0)", 0.04018615277338802),
    ("stats.beta(3.0, 4.0)", "Beta(1.0, 2.5, power=2.5)", 0.2225231856590474),
    ("Beta(1.0, 0.5, power=8.0)", "Beta(1.0, 4.0, power=0.25)", 17.423520057288624),
    ("Beta(1.0, 3.0, power=2.0)", "Beta(1.0, 3.0, power=2.0 + 2.0**-32)", 1.6940658943593146e-20),
]


@pytest.mark.parametrize(("p", "q", "exact"), OTHERS)
def test_other_pairs(p, q, exact):
    p, q = (eval(text, {"stats": stats, "Beta": Beta}) for text in (p, q))
    assert explain(p, q).cost == QUADRATURE
    assert kl(p, q) == pytest.approx(exact, rel=5e-15)
    assert kl(p, p) == 0.0


def test_batches_of_which_some_are_equal():
    shape = np.array([0.01, 1.0, 30.0, np.nan])
    for make in (
        lambda a, scale: stats.logistic(0.3, a * scale),
        lambda a, scale: stats.fisk(a, scale=scale),
        lambda a, scale: stats.lomax(a, scale=scale),
        lambda a, scale: stats.betaprime(a, 2.0, scale=scale),
        lambda a, scale: Beta(a, 2.0, power=scale),
    ):
        found = kl(make(shape, np.array([1.0, 1.0, 1.0, 1.0])), make(shape, np.array([1.0, 2.0, 1.0, 2.0])))
        assert found[[0, 2]].tolist() == [0.0, 0.0]
        assert found[1] == pytest.approx(kl(make(1.0, 1.0), make(1.0, 2.0)), rel=1e-15)
        assert np.isnan(found[3])


GRAPHS = {
    "logistic": (
        lambda a, b, c, d: (pm.Logistic.dist(a, b), pm.Logistic.dist(c, d)),
        lambda a, b, c, d: (stats.logistic(a, b), stats.logistic(c, d)),
    ),
    "Kumaraswamy": (
        lambda a, b, c, d: (pm.Kumaraswamy.dist(a, b), pm.Beta.dist(c, d)),
        lambda a, b, c, d: (Beta(1.0, b, power=a), stats.beta(c, d)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_derivatives_of_others(name):
    in_graphs, in_numbers = GRAPHS[name]
    at = np.array([0.7, 1.2, 1.5, 0.8])
    variables = [pt.dscalar(letter) for letter in "abcd"]
    term = kl(*in_graphs(*variables))
    function = pytensor.function(variables, [term, *pytensor.grad(term, variables)])
    found, *slopes = function(*at)

    def numbers(at):
        return float(kl(*in_numbers(*at)))

    assert found == pytest.approx(numbers(at), rel=1e-14)
    steps = 1e-4 * np.eye(4)
    exact = [
        (8.0 * (numbers(at + e) - numbers(at - e)) - numbers(at + 2 * e) + numbers(at - 2 * e)) / 1.2e-3
        for e in steps
    ]
    assert np.array(slopes) == pytest.approx(exact, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_derivatives_are_the_same_once_pymc_has_rewritten_a_log_density(name):
    """Which it does before it differentiates: nodes lose inputs there, and PyTensor's own stops are gone."""
    variables = [pt.dscalar(letter) for letter in "abcd"]
    at = 0.7, 1.2, 1.5, 0.8
    slopes = pytensor.function(variables, pytensor.grad(kl(*GRAPHS[name][0](*variables)), variables))(*at)
    rewritten = rewrite_pregrad(kl(*GRAPHS[name][0](*variables)))
    found = pytensor.function(variables, pytensor.grad(rewritten, variables))(*at)
    assert np.array(found) == pytest.approx(np.array(slopes), rel=1e-12)


@pytest.mark.parametrize("df", [1e-5, 1e12])
def test_equal_ones_are_zero_apart_outside_of_the_range_too(df):
    assert kl(stats.t(df, 1.0, 2.0), stats.t(df, 1.0, 2.0)) == 0.0
    np.testing.assert_array_equal(kl(stats.t([df, 3.0]), stats.t([df, 3.0])), [0.0, 0.0])
    with pytest.raises(NoClosedFormError, match=r"its quadrature is for degrees of freedom from 0\.01 to 1e"):
        kl(stats.t([df, 3.0]), stats.t([df, 3.0], 1.0))


@pytest.mark.slow
def test_bad_parameters_are_told_as_such_where_a_graph_runs():
    df, sigma = pt.dscalars("df", "sigma")
    term = kl(pm.StudentT.dist(df, 0.0, sigma=sigma), pm.StudentT.dist(4.0, 0.0, sigma=1.0))
    for values, message in (((3.0, -1.0), "p: sigma"), ((-1.0, 1.0), "p: nu"), ((1e-4, 1.0), "estimate_kl")):
        with pytest.raises(ValueError, match=message):
            term.eval(dict(zip((df, sigma), values, strict=True)), mode="FAST_COMPILE")


@pytest.mark.slow
def test_derivatives():
    """By differences of numbers; near p = q the divergence is Fisher's information times half the square."""
    names = "p_df", "p_loc", "p_sigma", "q_df", "q_loc", "q_sigma"
    variables = [pt.dscalar(name) for name in names]
    p, q = (pm.StudentT.dist(nu=df, mu=loc, sigma=sigma) for df, loc, sigma in (variables[:3], variables[3:]))
    function = pytensor.function(variables, pytensor.grad(kl(p, q), variables))
    found = np.array(function(4.0, 1e-7, 1.0, 4.0, 0.0, 1.0))
    assert found[[1, 4]] == pytest.approx([5.0 / 7.0 * 1e-7, -5.0 / 7.0 * 1e-7], rel=1e-9)
    at = np.array([3.0, 0.25, 0.8, 7.0, 0.0, 1.4])

    def numbers(at):
        return float(kl(stats.t(*at[:3]), stats.t(*at[3:])))

    steps = 1e-4 * np.eye(6)
    exact = [
        (8.0 * (numbers(at + e) - numbers(at - e)) - numbers(at + 2 * e) + numbers(at - 2 * e)) / 1.2e-3
        for e in steps
    ]
    assert np.array(function(*at)) == pytest.approx(exact, rel=1e-9)
