"""Compiled loops over long vectors give the numbers of the formulas that they are made of."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
from scipy import special, stats

from kl_plugins import kl
from kl_plugins.formulas import beta as beta_formulas
from kl_plugins.formulas import cancellation_free
from kl_plugins.formulas import cauchy as cauchy_formulas
from kl_plugins.formulas import discrete as discrete_formulas
from kl_plugins.formulas import exponential as exponential_formulas
from kl_plugins.formulas import gamma as gamma_formulas
from kl_plugins.formulas import shared as formulas
from kl_plugins.ops import compiled, gamma_residues
from kl_plugins.ops import numpy as ops
from kl_plugins.ops.compiled import loops

COUNT = 400
SPECIAL = [0.0, 5e-324, 1e-310, 1e-200, 1e200, 1.7e308, np.inf, np.nan]


@pytest.fixture(autouse=True)
def _loops_for_every_vector(monkeypatch):
    monkeypatch.setattr(compiled, "_LONG_VECTOR", 100)


def by_arrays(function):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_loaded", lambda room: None)
        return function()


def positive(rng, decades):
    return 10.0 ** rng.uniform(-decades, decades, COUNT)


def signed(rng, low, high):
    return rng.choice([-1.0, 1.0], COUNT) * 10.0 ** rng.uniform(low, high, COUNT)


def beside(rng, x):
    """Numbers that differ from those of x in some digit; some are equal."""
    return x * (1.0 + rng.choice([-1.0, 0.0, 1.0], COUNT) * 10.0 ** rng.uniform(-16.0, -0.2, COUNT))


def probabilities(rng):
    p = rng.uniform(0.0, 1.0, COUNT) ** 4
    q = np.clip(beside(rng, p), 0.0, 1.0)
    return p, 1.0 - p, q, 1.0 - q


def pair(rng, decades=100):
    p = positive(rng, decades)
    return p, np.where(rng.random(COUNT) < 0.5, beside(rng, p), positive(rng, decades))


def shapes(rng, count):
    """Pairs of shapes, half of them neighbours in all parameters."""
    first = [positive(rng, 4) for _ in range(count)]
    near = rng.random(COUNT) < 0.5
    return [*first, *[np.where(near, beside(rng, x), positive(rng, 4)) for x in first]]


CASES = {
    np.log: (lambda rng: (pair(rng)[0],), 1e-14),
    np.exp: (lambda rng: (signed(rng, -16, 2.84),), 1e-14),
    formulas._scale_divergence: (pair, 1e-13),
    formulas._variance_divergence: (pair, 1e-13),
    formulas._normal_divergence: (lambda rng: (*pair(rng), signed(rng, -100, 100)), 1e-13),
    cancellation_free.log_ratio_value: (pair, 1e-14),
    cancellation_free.exp_minus_tangent: (lambda rng: (signed(rng, -16, 3),), 1e-14),
    exponential_formulas._multiple_remainder: (lambda rng: (*pair(rng), positive(rng, 100)), 1e-13),
    discrete_formulas._counts_divergence: (pair, 1e-13),
    discrete_formulas._bernoulli_divergence: (probabilities, 1e-12),
    cauchy_formulas._cauchy_divergence: (lambda rng: (*pair(rng, 30), signed(rng, -30, 30)), 1e-14),
    gamma_residues.log_gamma_residue_value: (lambda rng: (positive(rng, 15),), 1e-13),
    gamma_residues.digamma_residue_value: (lambda rng: (positive(rng, 15),), 1e-13),
    gamma_residues.trigamma_residue_value: (lambda rng: (positive(rng, 15),), 1e-12),
    gamma_formulas._gamma_divergence: (lambda rng: (*shapes(rng, 1), signed(rng, -12, 2)), 1e-11),
    gamma_formulas._log_gamma_divergence: (
        lambda rng: (*shapes(rng, 1), signed(rng, -12, 1), beside(rng, np.ones(COUNT))),
        1e-9,
    ),
    gamma_formulas._unit_divergence: (
        lambda rng: (signed(rng, -12, 1), beside(rng, np.ones(COUNT))),
        1e-11,
    ),
    beta_formulas._divergence: (lambda rng: shapes(rng, 2), 1e-9),
}
"""Formulas, where they are looked at, and how far from them their loops may be."""


def by_formula(formula, args):
    with np.errstate(all="ignore"):
        return formula(*args) if formula in (np.log, np.exp) else formula(*args, ops)


def by_loop(formula, args):
    with np.errstate(all="ignore"):
        if formula in (np.log, np.exp):
            return ops.of_long_vectors(formula)(*args)
        return ops.elementwise(formula, None, *args)


@pytest.mark.parametrize("formula", CASES, ids=lambda formula: formula.__name__)
def test_loop_agrees_with_its_formula(formula, monkeypatch):
    monkeypatch.setattr(compiled, "_PIECE_WORTH_IT", 1)
    monkeypatch.setattr(loops, "_WORTH_A_LOOP", 1)
    make, tolerance = CASES[formula]
    for seed in range(5):
        args = make(np.random.default_rng(seed))
        found, expected = by_loop(formula, args), by_formula(formula, args)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * 1e-2)
        if formula not in (np.log, np.exp):
            left = loops.evaluated(formula, COUNT, args)[1]
            assert len(left) < 0.3 * COUNT  # the loop has done the work


@pytest.mark.parametrize("formula", CASES, ids=lambda formula: formula.__name__)
def test_special_numbers_are_those_of_the_formula(formula):
    """Each argument is each of the special numbers, beside usual ones."""
    make, _ = CASES[formula]
    args = make(np.random.default_rng(7))
    for place in range(len(args)):
        spoiled = [arg.copy() for arg in args]
        spoiled[place][: len(SPECIAL)] = SPECIAL
        spoiled[place][len(SPECIAL) : 2 * len(SPECIAL)] = -np.array(SPECIAL)
        found, expected = by_loop(formula, spoiled), by_formula(formula, spoiled)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("formula", CASES, ids=lambda formula: formula.__name__)
def test_numbers_stand_for_vectors(formula):
    make, _ = CASES[formula]
    args = make(np.random.default_rng(3))
    if len(args) == 1 or formula is gamma_formulas._unit_divergence:
        return
    alike = [np.full(COUNT, args[0][0]), *args[1:]]
    for number in (float(args[0][0]), np.array(args[0][0]), args[0][:1]):
        np.testing.assert_array_equal(by_loop(formula, [number, *args[1:]]), by_loop(formula, alike))


def vectors(rng, low=0.5, high=20.0):
    return rng.uniform(low, high, (4, 5000))


FAMILIES = {
    "norm": lambda a, b: stats.norm(a, b),
    "norm of one scale": lambda a, b: stats.norm(a, 2.0),
    "lognorm": lambda a, b: stats.lognorm(b, scale=a),
    "gamma": lambda a, b: stats.gamma(a, scale=b),
    "weibull": lambda a, b: stats.weibull_min(a, scale=b),
    "gumbel": lambda a, b: stats.gumbel_r(a, b),
    "beta": lambda a, b: stats.beta(a, b),
    "cauchy": lambda a, b: stats.cauchy(a, b),
    "poisson": lambda a, b: stats.poisson(a),
}

PAIRS = [
    *[(name, name) for name in FAMILIES],
    ("gamma", "lognorm"),
    ("weibull", "gamma"),
    ("beta", "norm of one scale"),
    ("norm", "gumbel"),
]


@pytest.mark.parametrize(("p_name", "q_name"), PAIRS)
def test_pairs_of_families(p_name, q_name, monkeypatch):
    """A few compiled ones; ``test_loops_of_pairs.py`` has all."""
    rng = np.random.default_rng(1)
    a, b, c, d = vectors(rng)
    monkeypatch.setattr(ops, "PIECE", 1700)
    p, q = FAMILIES[p_name](a, b), FAMILIES[q_name](c, d)
    found = kl(p, q)
    np.testing.assert_allclose(found, by_arrays(lambda: kl(p, q)), rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(kl(p, q), found)


@pytest.mark.parametrize("name", ["norm", "gamma", "beta"])
def test_equal_neighbouring_and_missing_members(name, monkeypatch):
    rng = np.random.default_rng(2)
    a, b, _, _ = vectors(rng)
    monkeypatch.setattr(ops, "PIECE", 1700)
    p = FAMILIES[name](a, b)
    np.testing.assert_array_equal(kl(p, FAMILIES[name](a.copy(), b.copy())), np.zeros(len(a)))
    for step in (1e-7, 1e-3, 0.03):
        q = FAMILIES[name](a * (1 + step), b * (1 - step))
        value = kl(p, q)
        assert (value >= 0.0).all()
        np.testing.assert_allclose(value, by_arrays(lambda p=p, q=q: kl(p, q)), rtol=1e-6)
    a[17] = np.nan
    value = kl(FAMILIES[name](a, b), p)
    assert np.flatnonzero(np.isnan(value)).tolist() == [17]


PRIMITIVES = {
    "log": (np.log, lambda rng: positive(rng, 280)),
    "log1p": (
        np.log1p,
        lambda rng: np.where(rng.random(COUNT) < 0.5, signed(rng, -20, -0.1), positive(rng, 200)),
    ),
    "exp": (np.exp, lambda rng: signed(rng, -20, 2.84)),
    "expm1": (np.expm1, lambda rng: signed(rng, -20, 2.84)),
    "digamma": (special.psi, lambda rng: 2.0 + positive(rng, 10)),
    "trigamma": (lambda x: special.zeta(2.0, x), lambda rng: positive(rng, 10)),
    "gammaln": (special.gammaln, lambda rng: 3.0 + positive(rng, 10)),
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitives(name):
    function, make = PRIMITIVES[name]
    x = make(np.random.default_rng(9))
    with np.errstate(all="ignore"):
        out, left = loops.evaluated(lambda x, ops: getattr(ops, name)(x), COUNT, (x,))
        kept = np.setdiff1d(np.arange(COUNT), left)
        np.testing.assert_allclose(out[kept], function(x[kept]), rtol=2e-15 if "gamma" not in name else 1e-13)
    assert len(left) < 0.01 * COUNT


def test_extreme_scales():
    scales = np.full(5000, 1e-150)
    scales[1:3] = 5e-324, 1e308
    value = kl(stats.norm(0.0, scales), stats.norm(0.0, 1e150))
    np.testing.assert_allclose(value[[0, 4999]], 690.2755278982137)
    np.testing.assert_allclose(value, by_arrays(lambda: kl(stats.norm(0, scales), stats.norm(0, 1e150))))
    np.testing.assert_allclose(kl(stats.expon(scale=scales), stats.expon(scale=1e150))[0], 689.7755278982137)


def test_parameters_outside_of_their_domain_are_errors():
    a, b, _, _ = vectors(np.random.default_rng(4))
    for bad, message in ((-1.0, "must be positive"), (0.0, "must be positive"), (np.inf, "must be finite")):
        wrong = b.copy()
        wrong[4321], wrong[17] = bad, np.nan
        with pytest.raises(ValueError, match=message):
            kl(stats.gamma(a, scale=wrong), stats.gamma(a))
    q = np.full(5000, 0.5)
    q[9] = 0.0
    with pytest.raises(ValueError, match="p must be positive"):
        kl(stats.geom(q), stats.geom(0.5))


def test_float32_stays_float32():
    a, b, c, d = vectors(np.random.default_rng(4)).astype(np.float32)
    assert kl(stats.norm(a, b), stats.norm(c, d)).dtype == np.float32


def test_neighbours_against_many_digits():
    """Where the divergence is 1e-14: gamma, beta and Gumbel variables, by mpmath."""
    rng = np.random.default_rng(5)
    a, b = (10.0 ** rng.uniform(-1, 2, 2000) for _ in "ab")
    c, d = a * (1 + 1e-7), b * (1 - 1e-7)
    with mpmath.workdps(60):
        for found, exact in (
            (kl(stats.gamma(a, scale=1 / b), stats.gamma(c, scale=1 / d)), exact_gamma),
            (kl(stats.beta(a, b), stats.beta(c, d)), exact_beta),
        ):
            for i in range(0, 2000, 97):
                given = [mpmath.mpf(x[i]) for x in (a, b, c, d)]
                if exact is exact_gamma:  # whose scales SciPy has rounded
                    given[1], given[3] = 1 / mpmath.mpf(1 / b[i]), 1 / mpmath.mpf(1 / d[i])
                assert found[i] == pytest.approx(float(exact(*given)), rel=1e-6)


def exact_gamma(a, b, c, d):
    u = mpmath.log(d / b)
    change = mpmath.loggamma(c) - mpmath.loggamma(a) + (a - c) * mpmath.digamma(a)
    return change - c * u + a * mpmath.expm1(u)


def exact_beta(a, b, c, d):
    def log_beta(x, y):
        return mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)

    of_sum = (c - a + d - b) * mpmath.digamma(a + b)
    steps = (a - c) * mpmath.digamma(a) + (b - d) * mpmath.digamma(b)
    return log_beta(c, d) - log_beta(a, b) + steps + of_sum


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np
from scipy import special, stats
from kl_plugins import kl
p, q = stats.norm(np.zeros(300_000), 1.0), stats.norm(np.ones(300_000), 1.0)
np.testing.assert_array_equal(kl(p, q), np.full(300_000, 0.5))
"""
SHORT_VECTOR = """
import sys
import numpy as np
from scipy import special, stats
from kl_plugins import kl
kl(stats.gamma(np.ones(50_000)), stats.gamma(np.full(50_000, 2.0)))
assert "numba" not in sys.modules
"""


@pytest.mark.parametrize("program", [WITHOUT_NUMBA, SHORT_VECTOR], ids=["absent", "not needed"])
def test_numba_is_optional(program):
    subprocess.run([sys.executable, "-c", program], check=True)
