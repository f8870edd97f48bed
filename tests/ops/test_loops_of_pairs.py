"""One loop for a pair of families gives the numbers of its closed form on arrays.

What a loop is made of is computed by NumPy here, step by step: compiling several hundred would take minutes.
``test_loops.py`` compiles some.
"""

import numpy as np
import pytest
from scipy import stats

from kl_plugins import NoClosedFormError, explain, kl
from kl_plugins.families.core.by_nodes import QUADRATURE
from kl_plugins.ops import compiled
from kl_plugins.ops import numpy as ops
from kl_plugins.ops.compiled import loops
from kl_plugins.ops.compiled.trace import Symbol

COUNT = 300

FAMILIES = {
    "norm": lambda a, b: stats.norm(a, b),
    "norm of one scale": lambda a, b: stats.norm(a, 2.0),
    "norm of one mean": lambda a, b: stats.norm(0.0, b),
    "lognorm": lambda a, b: stats.lognorm(b / 9.0, scale=a),
    "expon": lambda a, b: stats.expon(scale=a),
    "halfnorm": lambda a, b: stats.halfnorm(scale=a),
    "rayleigh": lambda a, b: stats.rayleigh(scale=a),
    "chi2": lambda a, b: stats.chi2(a),
    "gamma": lambda a, b: stats.gamma(a, scale=b),
    "invgamma": lambda a, b: stats.invgamma(a, scale=b),
    "weibull": lambda a, b: stats.weibull_min(a, scale=b),
    "gumbel": lambda a, b: stats.gumbel_r(a, b),
    "gumbel_l": lambda a, b: stats.gumbel_l(a, b),
    "loggamma": lambda a, b: stats.loggamma(a, 0.0, b),
    "beta": lambda a, b: stats.beta(a, b),
    "powerlaw": lambda a, b: stats.powerlaw(a),
    "betaprime": lambda a, b: stats.betaprime(a, b + 3.0),
    "laplace": lambda a, b: stats.laplace(a, b),
    "asymmetric laplace": lambda a, b: stats.laplace_asymmetric(a / 10.0, 0.0, b),
    "cauchy": lambda a, b: stats.cauchy(a, b),
    "t": lambda a, b: stats.t(a + 3.0, b),
    "logistic": lambda a, b: stats.logistic(a, b),
    "pareto": lambda a, b: stats.pareto(a, scale=b),
    "lomax": lambda a, b: stats.lomax(a + 2.0, scale=b),
    "invgauss": lambda a, b: stats.invgauss(a, scale=b),
    "gompertz": lambda a, b: stats.gompertz(a, scale=b),
    "uniform": lambda a, b: stats.uniform(a, b),
    "loguniform": lambda a, b: stats.loguniform(a, a + b),
    "triang": lambda a, b: stats.triang(a / 21.0, 0.0, b),
    "truncnorm": lambda a, b: stats.truncnorm(-a, b),
    "poisson": lambda a, b: stats.poisson(a),
    "geom": lambda a, b: stats.geom(a / (a + b)),
    "bernoulli": lambda a, b: stats.bernoulli(a / (a + b)),
    "nbinom": lambda a, b: stats.nbinom(3.0, a / 21.0),
}

ON_BITS = {
    "bits_add": np.add,
    "bits_sub": np.subtract,
    "bits_and": np.bitwise_and,
    "bits_or": np.bitwise_or,
    "bits_shift_left": np.left_shift,
    "bits_shift_right": lambda x, n: (x.view(np.uint64) >> np.uint64(n)).view(np.int64),
}

STEPS = ON_BITS | {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": np.where,
    "within": lambda condition, value: np.where(condition, value, np.nan),
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "bits_of": lambda x: np.atleast_1d(x).view(np.int64),
    "float_of": lambda x: x.view(np.float64),
}


def step_by_step(steps, kinds):
    """What `loops` would compile."""
    places = [i for i, kind in enumerate(kinds) if type(kind) is str]

    def run(*args):
        given, found = dict(zip(places, args, strict=False)), {}
        for step in steps:
            inputs = [found[x.index] if isinstance(x, Symbol) else x for x in step.args]
            is_input = step.operation == "input"
            found[step.index] = given[inputs[0]] if is_input else STEPS[step.operation](*inputs)
        args[-1][...] = found[steps[-1].index]

    return run


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """Loops for vectors of any length; the number of those that loops have served."""
    served = []

    def evaluated(formula, *args):
        found = by_loops(formula, *args)
        if found is not None and type(formula).__name__ == "_OfParameters":
            served.append(len(found[1]))
        return found

    by_loops = loops.evaluated
    loops._loop.cache_clear()
    monkeypatch.setattr(compiled, "_LONG_VECTOR", 100)
    monkeypatch.setattr(ops, "PIECE", 100)
    monkeypatch.setattr(loops, "_compiled", step_by_step)
    monkeypatch.setattr(loops, "_WORTH_A_LOOP", 20)
    monkeypatch.setattr(loops, "evaluated", evaluated)
    yield served
    loops._loop.cache_clear()


def by_arrays(p, q):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_loaded", lambda room: None)
        return kl(p, q)


def parameters(seed, low=0.5, high=20.0):
    return np.random.default_rng(seed).uniform(low, high, (4, COUNT))


@pytest.mark.slow
@pytest.mark.parametrize("p_name", FAMILIES)
def test_every_pair(p_name, made):
    a, b, c, d = parameters(1)
    c[:30], d[:30] = a[:30] * 1.01, b[:30] * 0.99
    for q_name, make in FAMILIES.items():
        p, q = FAMILIES[p_name](a, b), make(c, d)
        try:
            if explain(p, q).cost == QUADRATURE:
                continue
            expected = by_arrays(p, q)
        except NoClosedFormError:
            with pytest.raises(NoClosedFormError):
                kl(p, q)
            continue
        np.testing.assert_allclose(kl(p, q), expected, rtol=1e-11, atol=1e-13, err_msg=q_name)
    assert made  # at least beside itself


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_neighbouring_and_missing_members(name, made):
    a, b, _, _ = parameters(2)
    p = FAMILIES[name](a, b)
    np.testing.assert_array_equal(kl(p, FAMILIES[name](a.copy(), b.copy())), np.zeros(COUNT))
    for step in (1e-7, 1e-3, 0.03):
        q = FAMILIES[name](a * (1 + step), b * (1 - step))
        try:
            if explain(p, q).cost == QUADRATURE:
                return
            value = kl(p, q)
        except NoClosedFormError:
            return
        assert (value >= 0.0).all()
        np.testing.assert_allclose(value, by_arrays(p, q), rtol=1e-6)
    a[17] = np.nan
    value = kl(FAMILIES[name](a, b), p)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(by_arrays(FAMILIES[name](a, b), p)))
    assert made


EXTREME = [5e-324, 1e-310, 1e-200, 1e-40, 1e20, 1e200, 1.7e308]


@pytest.mark.slow
@np.errstate(all="ignore")  # of SciPy's parameters, as they become ours
@pytest.mark.parametrize("p_name", FAMILIES)
def test_extreme_parameters(p_name):
    """Each parameter is each of the extreme numbers, where the family takes that."""
    for q_name, make in FAMILIES.items():
        if (p_name, q_name) == ("truncnorm", "loggamma"):
            continue  # E exp(10⁴⁰ Z) is all rounding, by arrays too
        for place in range(4):
            given = parameters(3)
            given[place][: len(EXTREME)] = EXTREME
            try:
                p, q = FAMILIES[p_name](*given[:2]), make(*given[2:])
                if explain(p, q).cost == QUADRATURE:
                    continue
                expected = by_arrays(p, q)
            except (NoClosedFormError, ValueError):
                continue
            np.testing.assert_allclose(kl(p, q), expected, rtol=1e-9, atol=1e-11, err_msg=q_name)
