"""Functions of random variables and of SciPy's new distributions, judged by the families that they are."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import graph_inputs
from scipy import stats

from graphs import value
from kl_plugins import estimate_kl, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import recognise

S, M = pt.dscalar("s"), pt.dscalar("m")
X, Y = pm.Normal.dist(M, S, name="x"), pm.Normal.dist(0.0, 1.0, name="y")
CENTRED = pm.Normal.dist(0.0, S)
HERE = {S: 1.7, M: 0.3}

IMAGES = {
    "exp(normal)": (pt.exp(X), stats.lognorm(1.7, scale=np.exp(0.3))),
    "expm1(normal)": (pt.expm1(X), stats.lognorm(1.7, -1.0, np.exp(0.3))),
    "2**normal": (2.0**X, stats.lognorm(1.7 * np.log(2.0), scale=2.0**0.3)),
    "affine normal": (2 * X + 1, stats.norm(1.6, 3.4)),
    "reflected normal": (1 - X / S, stats.norm(1.0 - 0.3 / 1.7, 1.0)),
    "standardised normal": ((X - M) / S, stats.norm()),
    "-normal": (-X, stats.norm(-0.3, 1.7)),
    "|normal|": (abs(CENTRED), stats.halfnorm(scale=1.7)),
    "normal**2": (CENTRED**2, stats.gamma(0.5, scale=2 * 1.7**2)),
    "normal·normal": (CENTRED * CENTRED, stats.gamma(0.5, scale=2 * 1.7**2)),
    "sigmoid(normal)": (pt.sigmoid(X), stats.johnsonsb(-0.3 / 1.7, 1 / 1.7)),
    "1 - sigmoid(normal)": (1.0 - pt.sigmoid(X), stats.johnsonsb(0.3 / 1.7, 1 / 1.7)),
    "logit(sigmoid(normal))": (pm.math.logit(pt.sigmoid(X)), stats.norm(0.3, 1.7)),
    "reciprocal of exp": (1 / pt.exp(X), stats.lognorm(1.7, scale=np.exp(-0.3))),
    "sqrt(gamma)": (pt.sqrt(pm.Gamma.dist(S, 0.5)), stats.chi(3.4)),
    "1/gamma": (2.0 / pm.Gamma.dist(S, 1.0), stats.invgamma(1.7, scale=2.0)),
    "log(gamma)": (pt.log(pm.Gamma.dist(S, 1.0)), stats.loggamma(1.7)),
    "log(Weibull)": (pt.log(pm.Weibull.dist(S, 2.0)), stats.gumbel_l(np.log(2.0), 1 / 1.7)),
    "|s|·gamma": (pt.abs(-S) * pm.Gamma.dist(2.0, 1.0), stats.gamma(2.0, scale=1.7)),
    "-exponential": (1 - 2 * pm.Exponential.dist(scale=S), stats.weibull_max(1.0, 1.0, 3.4)),
    "1 - beta": (1 - pm.Beta.dist(2.0, S), stats.beta(1.7, 2.0)),
    "beta**2": (pm.Beta.dist(S, 1.0) ** 2, stats.beta(0.85, 1.0)),
    "log(beta)": (-pt.log(pm.Beta.dist(S, 1.0)), stats.expon(scale=1 / 1.7)),
    "-log(uniform)": (-pt.log(pm.Uniform.dist(0.0, 1.0)) * pt.exp(M), stats.expon(scale=np.exp(0.3))),
    "odds(beta)": (
        (lambda b: b / (1 - b))(pm.Beta.dist(2.0, S)),
        stats.betaprime(2.0, 1.7),
    ),
    "exp(uniform)": (pt.exp(pm.Uniform.dist(0.0, S)), stats.loguniform(1.0, np.exp(1.7))),
    "exp(exponential)": (pt.exp(pm.Exponential.dist(S)), stats.pareto(1.7)),
    "log(Pareto)": (pt.log(pm.Pareto.dist(S, 1.0)), stats.expon(scale=1 / 1.7)),
    "1/Pareto": (1 / pm.Pareto.dist(S, 1.0), stats.beta(1.7, 1.0)),
    "exp(Laplace)": (pt.exp(pm.Laplace.dist(0.0, S)), stats.loglaplace(1 / 1.7)),
    "|Laplace|": (abs(pm.Laplace.dist(0.0, S)), stats.expon(scale=1.7)),
    "exp(Gumbel)": (pt.exp(pm.Gumbel.dist(M, S)), stats.invweibull(1 / 1.7, scale=np.exp(0.3))),
    "1/Cauchy": (1 / pm.Cauchy.dist(M, S), stats.cauchy(0.3 / (0.09 + 2.89), 1.7 / (0.09 + 2.89))),
    "|Cauchy|": (abs(pm.Cauchy.dist(0.0, S)), stats.halfcauchy(scale=1.7)),
    "log|Cauchy|": (pt.log(abs(pm.Cauchy.dist(0.0, S))), stats.hypsecant(np.log(1.7))),
    "t**2": (pm.StudentT.dist(3.0, mu=0.0, sigma=S) ** 2, stats.f(1.0, 3.0, scale=1.7**2)),
    "shifted t": (M - S * pm.StudentT.dist(3.0), stats.t(3.0, 0.3, 1.7)),
    "1/Wald": (1 / pm.Wald.dist(S, 1.0), stats.recipinvgauss(1.7)),
    "-truncated": (
        -pm.TruncatedNormal.dist(0.0, S, lower=-1.0, upper=2.0),
        stats.truncnorm(-2.0 / 1.7, 1.0 / 1.7, 0.0, 1.7),
    ),
    "-triangular": (-pm.Triangular.dist(lower=0.0, c=0.5, upper=S), stats.triang(1.2 / 1.7, -1.7, 1.7)),
    "Poisson + 2": (pm.Poisson.dist(S) + 2, stats.poisson(1.7, 2.0)),
}
"""A function in a graph, and what it is at the numbers of HERE."""


def in_numbers(made, numbers):
    """The distribution with numbers in the places of variables, by their identities."""
    state = {name: numbers.get(id(x), x) for name, x in made.__getstate__().items()}
    return type(made)(**state | made.parts_by(lambda part: in_numbers(part, numbers)))


@pytest.mark.parametrize("name", IMAGES)
def test_images(name):
    function, known = IMAGES[name]
    made = recognise(function)
    variables = [x for x in made.values() if not isinstance(x, float)]
    made = in_numbers(made, dict(zip(map(id, variables), value(variables, HERE), strict=True)))
    assert kl(made, known) == pytest.approx(0.0, abs=1e-14)
    assert kl(known, made) == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, s: pt.exp(s * pm.Normal.dist(m, 1.0)),
        lambda m, s: pt.sqrt(pm.Gamma.dist(m, 1.0)) * pt.abs(s),
    ],
)
def test_gradients(function):
    at, variables = [0.8, 1.3], pt.dscalars("m", "s")
    divergence = kl(function(*variables), function(pt.constant(1.1), pt.constant(0.9)))
    found = value(pytensor.grad(divergence, variables), dict(zip(variables, at, strict=True)))
    for i, step in enumerate(np.eye(2) * 1e-6):
        ends = [value(divergence, dict(zip(variables, at + x, strict=True))) for x in (step, -step)]
        assert found[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_in_a_model():
    """Deterministics, other variables of the model as constants, and batches."""
    with pm.Model():
        scale = pm.HalfNormal("scale")
        x = pm.Normal("x", scale, 1.0, shape=3)
        y = pm.Deterministic("y", 2.0 * x + 1.0)
    found = kl(y, stats.norm(0.0, 2.0))
    assert value(found, {scale: 0.5}).tolist() == [kl(stats.norm(2.0, 2.0), stats.norm(0.0, 2.0))] * 3
    assert value(kl(abs(pm.Normal.dist(0.0, 1.0, shape=3)), stats.halfnorm())).tolist() == [0.0] * 3


def made_by(mu, size):
    return pt.exp(pm.Normal.dist(mu, 2.0, size=size))


def test_custom_distributions():
    known = stats.lognorm(2.0, scale=np.exp(0.3))
    found = value(kl(pm.CustomDist.dist(M, dist=made_by, size=2), known), HERE)
    assert found == pytest.approx([0.0, 0.0], abs=1e-15)
    other = pm.CustomDist.dist(0.0, dist=made_by, logp=lambda value, mu: -value)
    with pytest.raises(NoClosedFormError, match=r"the random variable CustomDist; kl_plugins.estimate_kl"):
        kl(other, known)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: X + Y, r"a function of several random variables \(x, y\): pass"),
        (lambda: pt.exp(X) / Y, r"a function of several random variables \(x, y\)"),
        (lambda: X + pt.exp(X), "a function of x in which it occurs more than once"),
        (lambda: Y + pt.dvector(), "a function of y in which its elements are repeated"),
        (lambda: pt.sin(X), "sin of x, whose distribution is not known"),
        (lambda: pt.exp(pm.Normal.dist(0.0, 1.0, shape=3)[0]), "a part of pm.Normal: pass"),
        (lambda: 0.0 * X, "a function of x in which it is multiplied or divided by 0"),
        (lambda: X**0, "by 0"),
        (lambda: S**X, "what is raised to it is no positive number"),
    ],
)
def test_what_is_no_such_function(function, message):
    with pytest.raises(TypeError, match=f"^p: it is not a random variable but .*{message}"):
        kl(function(), Y)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: S * pm.Gamma.dist(2.0, 1.0), "the sign of b is not known .write its absolute value"),
        (lambda: pt.exp(pm.Gamma.dist(2.0, 1.0)), r"for exp\(pm.Gamma\), whose distribution is none of"),
        (lambda: abs(X), r"for \|pm.Normal\|, whose"),
        (lambda: 2 * pm.Poisson.dist(2.0), r"for a \+ b \* pm.Poisson"),
    ],
)
def test_images_that_are_no_family(function, message):
    with pytest.raises(NoClosedFormError, match=f"^q: no closed form is known {message}|^q: .*{message}"):
        kl(Y, function())


@pytest.mark.parametrize(
    ("function", "inputs", "message"),
    [
        (S * Y, {S: 0.0}, "^p: the factor of a random variable must not be 0"),
        (pm.Gamma.dist(2.0, S) ** 2, {S: -1.0}, r"^p: scale \(1/beta\) must be positive"),
        (pt.log(pm.Gamma.dist(2.0, S)), {S: -1.0}, r"^p: scale \(1/beta\) must be positive"),
        (pt.exp(X), {S: -1.0, M: 0.0}, "^p: sigma .* must be positive"),
    ],
)
def test_parameters_in_the_words_of_the_variable(function, inputs, message):
    with pytest.raises(ValueError, match=message):
        value(kl(function, pm.Normal.dist(0.0, 1.0)), inputs)


def test_nan_goes_through():
    assert np.isnan(value(kl(pt.exp(X), pm.LogNormal.dist(0.0, 1.0)), {S: np.nan, M: 0.0}))


COMMON = {
    "a power": lambda v: v**3,
    "an odd power of a multiple": lambda v: (2.0 * v) ** -3 + 1.0,
    "tanh": pt.tanh,
    "softplus": lambda v: pt.softplus(2.0 * v + 1.0),
    "a chain": lambda v: pt.exp(pt.tanh(v)) ** 2,
    "of what only the graph knows": lambda v: pt.tanh(S * v),
    "powers of what is positive": lambda v: pt.sigmoid(v) ** 2,
}


@pytest.mark.parametrize("function", COMMON.values(), ids=COMMON)
def test_one_bijection_on_both_sides_changes_nothing(function):
    p, q = pm.Normal.dist(0.0, [1.0, 2.0]), pm.Normal.dist(1.0, 2.0)
    found = kl(function(p), function(q))
    assert value(found, {S: 2.0} if S in graph_inputs([found]) else {}) == pytest.approx(
        kl(stats.norm(0.0, [1.0, 2.0]), stats.norm(1.0, 2.0)), rel=1e-15
    )
    assert explain(function(p), function(q)).rule == "normal_normal"


@pytest.mark.slow
def test_one_bijection_where_the_graph_knows_the_numbers():
    spread = pm.Normal.dist(0.0, S)
    found = kl(pt.tanh(spread), pt.tanh(pm.Normal.dist(1.0, 2.0)))
    assert value(pt.grad(found, S), {S: 1.0}) == pytest.approx(-0.75)  # S/4 − 1/S
    with pytest.raises(ValueError, match=r"^p: sigma .* must be positive"):
        value(found, {S: -1.0})
    with pytest.raises(ValueError, match=r"^p: the factor of a random variable must not be 0"):
        value(kl(pt.tanh(S * pm.Normal.dist()), pt.tanh(S * pm.Normal.dist())), {S: 0.0})
    by_quadrature = estimate_kl(pt.tanh(pm.Normal.dist(0.0, 1.0)), pt.tanh(pm.Normal.dist(1.0, 2.0)))
    assert by_quadrature.value == pytest.approx(float(kl(stats.norm(), stats.norm(1.0, 2.0))), abs=1e-8)


@pytest.mark.parametrize(
    ("function", "other"),
    [(pt.square, pt.square), (pt.log, pt.log), (pt.tanh, pt.sinh), (pt.tanh, pt.exp), (abs, abs)],
)
def test_what_is_no_common_bijection(function, other):
    p, q = pm.Normal.dist(0.5, 1.0), pm.Normal.dist(1.0, 2.0)
    with pytest.raises(NoClosedFormError, match="whose distribution is none of the families"):
        kl(function(p), other(q))
    positive = pm.Gamma.dist(2.0, 1.0), pm.Weibull.dist(2.0, 1.0)
    if function is other:  # there they are bijections
        assert value(kl(*map(function, positive)), {}) == pytest.approx(
            kl(stats.gamma(2.0), stats.weibull_min(2.0)), rel=1e-12
        )


def test_a_shifted_pareto_is_a_lomax_variable_in_graphs_too():
    p, q = pm.Pareto.dist(S, 1.0) - 1.0, stats.lomax(2.0)
    found = kl(p, q)
    assert value(found, {S: 3.0}) == pytest.approx(kl(stats.lomax(3.0), q), rel=1e-12)
    assert value(pt.grad(found, S), {S: 3.0}) == pytest.approx(1.0 / 9.0)  # (α − 2)/α²
    assert explain(2.0 * p, q).cost == explain(stats.lomax(3.0, scale=2.0), q).cost


def test_constants_that_broadcasting_gave_dimensions():
    p = pm.Beta.dist([1.0, 2.0], 1.0)
    for found, known in (
        (kl(1.0 - p, p), kl(stats.beta(1.0, [1.0, 2.0]), stats.beta([1.0, 2.0], 1.0))),
        (kl(p / (1.0 - p), stats.betaprime(1.0, 1.0)), kl(stats.beta([1.0, 2.0], 1.0), stats.beta(1.0, 1.0))),
    ):
        assert value(found, {}) == pytest.approx(known)


def test_a_function_that_leads_off_the_whole_numbers():
    p = pm.Poisson.dist(3.0)
    with pytest.raises(NoClosedFormError, match=r"has no estimate either: compare the variables themselves$"):
        kl(2 * p, p)
    with pytest.raises(TypeError, match=r"^q: a \+ b \* pm\.Poisson has no density"):
        estimate_kl(p, 2 * p)
    assert value(kl(2 * p, 2 * pm.Poisson.dist(1.0)), {}) == pytest.approx(3.0 * np.log(3.0) - 2.0, rel=1e-14)


class SquaredSech:
    """The tanh of which is uniform on (−1, 1)."""

    def logpdf(self, x):
        return np.log(2.0) - 2.0 * (np.abs(x) + np.log1p(np.exp(-2.0 * np.abs(x))))


BOUNDED = {
    "tanh": (lambda x: 3.0 * pt.tanh(x) + 1.0, stats.uniform(-2.0, 6.0), SquaredSech()),
    "softplus": (pt.softplus, stats.expon(), stats.logistic()),
    "arctan": (pt.arctan, stats.uniform(-np.pi / 2, np.pi), stats.cauchy()),
    "arctan, falling": (
        lambda x: -pt.arctan(2.0 * x),
        stats.uniform(-np.pi / 2, np.pi),
        stats.cauchy(0.0, 0.5),
    ),
}
"""Functions, distributions on all of their images, and what the variables of these are."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDED)
def test_estimates_end_where_the_images_do(name):
    function, q, before = BOUNDED[name]
    x = pm.Normal.dist(0.3, 1.7)
    if "arctan" in name and pm.__version__.startswith("5."):  # which has no density of arctangents
        with pytest.raises(TypeError, match=r"p: .*arctan.* has no density"):
            estimate_kl(function(x), q)
        return
    found = estimate_kl(function(x), q)
    assert found.converged
    assert found.value == pytest.approx(estimate_kl(stats.norm(0.3, 1.7), before).value, rel=1e-8)


@pytest.mark.slow
def test_estimates():
    for function, known in (
        (pt.exp(pm.Normal.dist(0.3, 1.7)), stats.lognorm(1.7, scale=np.exp(0.3))),
        (abs(pm.Normal.dist(1.0, 1.0)), stats.foldnorm(1.0)),
    ):
        q = stats.lognorm(2.0)
        found, exact = estimate_kl(function, q), estimate_kl(known, q)
        assert found.converged
        assert found.value == pytest.approx(exact.value, abs=found.error + exact.error + 1e-9)
    with pytest.raises(TypeError, match=r"^p: .* of several random variables"):
        estimate_kl(X * Y, Y)


NORMAL, GAMMA = stats.Normal, stats.make_distribution(stats.gamma)
STUDENT = stats.make_distribution(stats.t)

OF_SCIPY = {
    "exp": (stats.exp(NORMAL(mu=0.3, sigma=1.7)), stats.lognorm(1.7, scale=np.exp(0.3))),
    "exp of a batch": (stats.exp(NORMAL(mu=[0.0, 1.0], sigma=1.7)), stats.lognorm(1.7, scale=[1.0, np.e])),
    "exp of a multiple": (stats.exp(2 * NORMAL() + 1), stats.lognorm(2.0, scale=np.e)),
    "log": (stats.log(GAMMA(a=2.5)), stats.loggamma(2.5)),
    "abs": (stats.abs(NORMAL(mu=0.0, sigma=1.7)), stats.halfnorm(scale=1.7)),
    "square": (NORMAL(mu=0.0, sigma=1.7) ** 2, stats.chi2(1, scale=1.7**2)),
    "power": (GAMMA(a=2.5) ** 3, stats.gengamma(2.5, 1 / 3)),
    "reciprocal": (2 / GAMMA(a=2.5), stats.invgamma(2.5, scale=2.0)),
    "exponent": (0.5 ** NORMAL(mu=1.0, sigma=2.0), stats.lognorm(2 * np.log(2.0), scale=0.5)),
    "negative multiple": (1 - 2 * STUDENT(df=3.0), stats.t(3.0, 1.0, 2.0)),
    "truncated": (stats.truncate(NORMAL(mu=1.0, sigma=2.0), 0.0, 3.0), stats.truncnorm(-0.5, 1.0, 1.0, 2.0)),
    "truncated on one side": (stats.truncate(NORMAL(), lb=0.0), stats.truncnorm(0.0, np.inf)),
    "truncated uniform": (stats.truncate(stats.Uniform(a=0.0, b=2.0), -1.0, 1.0), stats.uniform()),
}


@pytest.mark.parametrize("name", OF_SCIPY)
def test_functions_of_scipy(name):
    function, known = OF_SCIPY[name]
    assert kl(function, known) == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        NORMAL() ** 3,
        stats.exp(GAMMA(a=2.0)),
        stats.abs(NORMAL(mu=1.0, sigma=1.0)),
        stats.truncate(GAMMA(a=2.0), 1.0, 2.0),
    ],
    ids=["cube", "exp", "abs", "truncated"],
)
def test_functions_of_scipy_that_are_no_family(function):
    with pytest.raises(NoClosedFormError, match=r"^p: no closed form is known for (a|the).*estimate_kl"):
        kl(function, NORMAL())
